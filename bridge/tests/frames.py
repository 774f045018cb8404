"""WebSocket over a plain socket, for live tests: what a client may send, right or wrong, and what came.

Knows RFC 6455's frames and the handshake's fields; nothing of what a test wants to see, and no WebSocket library.
"""

import re
import struct
from collections.abc import Iterator

from .live import Client, Response, Server

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"

Frame = tuple[int, int, bytes]  # the first octet's bits above the opcode, the opcode, the payload


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    length: int | None = None,
    wide: int = 0,
) -> bytes:
    """LENGTH: what the head says, WIDE: with so many octets, where that is not how it is."""
    size = len(payload) if length is None else length
    wide = wide or (0 if size < 126 else 2 if size < 1 << 16 else 8)
    head = bytes([fin << 7 | rsv << 4 | opcode, (mask is not None) << 7 | (size if wide == 0 else 126 if wide == 2 else 127)])
    head += {0: b"", 2: struct.pack("!H", size & 0xFFFF), 8: struct.pack("!Q", size)}[wide]
    return head + (mask or b"") + (masked(payload, mask) if mask else payload)


def masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    stretched = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")).to_bytes(size, "big")


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def handshake(path: str, *fields: str, key: str | None = KEY, version: str | None = "13", upgrade: tuple[str, ...] | None = None) -> bytes:
    """UPGRADE: the lines for it, where they are not the usual ones."""
    lines = [f"GET {path} HTTP/1.1", "Host: a", *(("Connection: Upgrade", "Upgrade: websocket") if upgrade is None else upgrade)]
    lines += [f"Sec-WebSocket-Key: {key}"] if key is not None else []
    lines += [f"Sec-WebSocket-Version: {version}"] if version is not None else []
    return "\r\n".join([*lines, *fields, "", ""]).encode("latin-1")


def undated(text: bytes) -> bytes:
    """Without what tells the servers apart."""
    text = re.sub(rb"(?m)^server: (uvicorn|bridgecheck)\r$", b"server: NAME\r", text)
    return re.sub(rb"(?mi)^(date): \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r$", rb"\1: NOW\r", text)


class Talk:
    """One WebSocket, or what should become one."""

    def __init__(self, server: Server, receive_buffer: int | None = None) -> None:
        self.server = server
        self.client: Client = server.connect(receive_buffer)

    def open(self, path: str, *fields: str) -> Response:
        self.client.send(handshake(path, *fields))
        return self.head()

    def head(self) -> Response:
        """The response up to its head's end: that of a 101 is all."""
        end = self.client.line_after(0, b"\r\n\r\n")
        raw = bytes(self.client.unread[:end])
        lines = raw[:-4].split(b"\r\n")
        fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines[1:])]
        del self.client.unread[:end]
        return Response(int(lines[0].split(b" ", 2)[1]), fields, b"", undated(raw))

    def send(self, *pieces: bytes) -> "Talk":
        self.client.send(*pieces)
        return self

    def frame(self) -> Frame:
        """The next one."""
        self._need(2)
        first, second = self.client.unread[:2]
        wide = {126: 2, 127: 8}.get(second & 0x7F, 0)
        self._need(2 + wide)
        size = int.from_bytes(self.client.unread[2 : 2 + wide], "big") if wide else second & 0x7F
        assert not second & 0x80, "a server's frame is masked"
        self._need(2 + wide + size)
        payload = bytes(self.client.unread[2 + wide : 2 + wide + size])
        del self.client.unread[: 2 + wide + size]
        return first >> 4, first & 15, payload

    def frames(self, count: int) -> list[Frame]:
        return [self.frame() for _ in range(count)]

    def rest(self) -> list[Frame]:
        """All frames that come until the server closes."""
        return list(self._rest())

    def _rest(self) -> Iterator[Frame]:
        self.client.unread += self.client.rest()
        while self.client.unread:
            yield self.frame()

    def _need(self, size: int) -> None:
        while len(self.client.unread) < size:
            self.client._read()

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.socket.close()
