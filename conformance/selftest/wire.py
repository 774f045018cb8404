"""A proxy that alters bytes on their way between a client and a server, from the very port that the client has.

Owns the connections of both sides. Knows nothing of HTTP but what a mutation looks for.
"""

import asyncio
import contextlib
import re
import socket
from dataclasses import dataclass

CHUNK = 1 << 20
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: ([0-9]+)\r\n")

Change = tuple[bytes, bytes]  # a pattern and what replaces it, everywhere in what is read at once


@dataclass(frozen=True)
class Wire:
    """What a proxy does to a connection."""

    request: tuple[Change, ...] = ()
    response: tuple[Change, ...] = ()
    last: bytes = b""  # written behind everything when the server closes
    never_closes: bool = False  # the client is not told of the server's end
    closes_on: bytes = b""  # a request that has this pattern in it is answered by closing
    refusal: bytes = b""  # and by this before
    lives: float = 0.0  # seconds after which a connection ends, whatever goes on there; 0 for ever
    gathers: bool = False  # a request goes on when its content is complete


class Proxy:
    """Takes connections and passes them on to `upstream`, a port of the same host."""

    def __init__(self, wire: Wire, host: str, upstream: int) -> None:
        self.wire = wire
        self.host = host
        self.upstream = upstream

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self._connection, self.host, port, limit=CHUNK)
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            first = await reader.read(CHUNK)  # a connection that says nothing is not passed on: it only looks whether anybody listens
            if first and self._refused(first):
                writer.write(self.wire.refusal)
            elif first:
                if self.wire.lives:
                    asyncio.get_running_loop().call_later(self.wire.lives, writer.close)
                behind, ahead = await self._open(writer.get_extra_info("peername")[1])
                answers = asyncio.create_task(self._answers(behind, writer))
                try:
                    await self._requests(first, reader, ahead)
                    await answers
                except OSError:  # the client is gone, and the server shall see it so
                    ahead.transport.abort()
                    answers.cancel()
                finally:
                    ahead.close()
        writer.close()

    async def _open(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the server, from the client's own port: by that a call is known to be the client's."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.setblocking(False)
        client.bind((self.host, port))
        await asyncio.get_running_loop().sock_connect(client, (self.host, self.upstream))
        return await asyncio.open_connection(sock=client, limit=CHUNK)

    def _refused(self, data: bytes) -> bool:
        return bool(self.wire.closes_on and re.search(self.wire.closes_on, data))

    async def _requests(self, data: bytes, reader: asyncio.StreamReader, ahead: asyncio.StreamWriter) -> None:
        while data:
            length = _LENGTH.search(data)
            while self.wire.gathers and length and len(data.partition(b"\r\n\r\n")[2]) < int(length[1]):
                data += await reader.readexactly(1)
            for pattern, replacement in self.wire.request:
                data = re.sub(pattern, replacement, data, flags=re.DOTALL)
            with contextlib.suppress(OSError if self.wire.never_closes else ()):
                ahead.write(data)
                await ahead.drain()
            data = await reader.read(CHUNK)
        if ahead.can_write_eof():
            ahead.write_eof()

    async def _answers(self, behind: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await behind.read(CHUNK):
            for pattern, replacement in self.wire.response:
                data = re.sub(pattern, replacement, data, flags=re.DOTALL)
            writer.write(data)
            await writer.drain()
        writer.write(self.wire.last)
        if not self.wire.never_closes:
            writer.close()
