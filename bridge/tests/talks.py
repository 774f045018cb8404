"""What a talk over a WebSocket comes to on each server: the client's side, the app's, and the log."""

import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from .frames import Frame, Talk, handshake, undated
from .live import Server, key, on_each, said, servers_fixture  # noqa: F401

Step = Any
ACCEPT = ["send", {"type": "websocket.accept"}]
ACCEPTED: list[Step] = ["receive", ACCEPT]
ECHO = "talking.echo"
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def script(steps: list[Step]) -> str:
    return quote(json.dumps(steps), safe="")


def same(servers: dict[str, Server], play: Callable[[Server], Any]) -> Any:
    """What all targets come to, which is the same."""
    found = dict(zip(servers, on_each(list(servers.values()), play), strict=True))
    expected = found["uvicorn-uvloop"]
    for target, value in found.items():
        assert value == expected, f"{target}: {value!r}\nuvicorn-uvloop: {expected!r}"
    return expected


def played(
    server: Server, steps: list[Step] | None, client: Callable[[Talk, str], Any], *fields: str, receive_buffer: int | None = None
) -> tuple[Any, ...]:
    """The head of the response, what the client has seen, what the app has noted, the log. STEPS: None for the echo."""
    call = key()
    before = len(server.stderr)
    path = f"/{ECHO}/{call}" if steps is None else f"/talking.scripted/{call}?{script(steps)}"
    with Talk(server, receive_buffer) as talk:
        head = talk.open(path, *fields).raw
        seen = client(talk, call)
    notes = server.outcome(call)
    server.ask("/")
    log = [line.replace(call, "CALL") for line in said(server.stderr[before:])]
    return head, seen, notes, log


def rest(talk: Talk, call: str) -> list[Frame]:
    return talk.rest()


def sends(*pieces: bytes) -> Callable[[Talk, str], list[Frame]]:
    """A client that sends these and then only reads."""

    def client(talk: Talk, call: str) -> list[Frame]:
        talk.send(*pieces)
        return talk.rest()

    return client


def refused_or_open(server: Server, text: bytes, behind: str = "") -> tuple[Any, ...]:
    """The whole response to a handshake, and for one that is accepted the scope. BEHIND: what its path has behind the call."""
    call = key()
    before = len(server.stderr)
    with Talk(server) as talk:
        talk.send(text.replace(b"CALL", call.encode()))
        found = undated(talk.client.rest())
    noted = json.loads(json.dumps(server.outcome(call + behind)).replace(call, "CALL")) if b" 101 " in found else []
    server.ask("/")
    return found, noted, [line.replace(call, "CALL") for line in said(server.stderr[before:])]


def asked(*fields: str, **how: Any) -> bytes:
    return handshake(f"/talking.scripted/CALL?{script(['scope', *ACCEPTED])}", *fields, **how)


class Deflate:
    """A client's side."""

    def __init__(self, bits: int = 12) -> None:
        self.out = zlib.compressobj(wbits=-bits)
        self.into = zlib.decompressobj(wbits=-15)

    def deflate(self, data: bytes) -> bytes:
        return (self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def inflate(self, data: bytes) -> bytes:
        return self.into.decompress(data + b"\0\0\xff\xff")
