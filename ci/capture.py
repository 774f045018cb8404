"""A TCP proxy that writes down what clients send, as an exchange file: how demo/traffic was made.

Owns the splitting of connections into requests and the writing of exchanges. It must not understand HTTP more than it has to, or it
would tidy up what it is there to keep: a request begins with what a client sends after an answer (pipelining clients are beyond it).

A client names the sessions itself, by a request that is not passed on:

    CAPTURE /NAME            what follows belongs to session NAME, an exchange for each request
    CAPTURE /NAME?whole      an exchange for each connection, with all its requests
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

READ = 64 * 1024
LINE = 200
# How long a server may take to close a connection of its own accord once the client has gone.
SERVER_CLOSES = 0.2
ESCAPES = {0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", ord("\\"): "\\\\", ord("$"): "\\$"}


@dataclass
class Request:
    """What was sent for one request: each read a bytes, None where the client had to be told to continue."""

    reads: list[bytes | None] = field(default_factory=list)
    status: int | None = None

    @property
    def name(self) -> str:
        method, target = self.reads[0].split(b" ", 2)[:2]
        path = target.decode("latin-1").partition("?")[0]
        return f"{method.decode('latin-1').lower()}-{re.sub(r'[^A-Za-z0-9.]+', '-', path).strip('-') or 'front-page'}"


@dataclass
class Connection:
    requests: list[Request] = field(default_factory=list)
    server_closed: bool = False


@dataclass
class Session:
    name: str
    whole: bool
    connections: list[Connection] = field(default_factory=list)
    order: list[tuple[Connection, Request]] = field(default_factory=list)

    def exchanges(self) -> Iterator[tuple[list[Request], bool]]:
        """The requests of each exchange, and whether the server closed the connection after them."""
        if self.whole:
            yield from ((connection.requests, connection.server_closed) for connection in self.connections if connection.requests)
        else:
            for connection, request in self.order:
                yield [request], connection.server_closed and request is connection.requests[-1]


class Capture:
    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._serving: set[asyncio.Task[None]] = set()
        self.sessions: list[Session] = []

    async def settle(self) -> None:
        """Come back when every connection has come to its end."""
        await asyncio.gather(*self._serving)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, from its first bytes to its end."""
        self._serving.add(asyncio.current_task())
        try:
            first = await reader.read(READ)
            if first.startswith(b"CAPTURE /"):
                name, _, option = first.split(b" ", 2)[1][1:].decode().partition("?")
                self.sessions.append(Session(name, option == "whole"))
                writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                await writer.drain()
            elif first:
                await self._pass_on(first, reader, writer)
        finally:
            writer.close()

    async def _pass_on(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.sessions:
            raise RuntimeError("the client has named no session yet")
        session, connection = self.sessions[-1], Connection()
        session.connections.append(connection)
        server_reader, server_writer = await asyncio.open_connection(*self._upstream)
        answering = asyncio.create_task(self._pass_back(connection, server_reader, writer))
        read = first
        while read:
            if not connection.requests or connection.requests[-1].status is not None:
                connection.requests.append(Request())
                session.order.append((connection, connection.requests[-1]))
            connection.requests[-1].reads.append(read)
            server_writer.write(read)
            read = await reader.read(READ)
        done, _ = await asyncio.wait([answering], timeout=SERVER_CLOSES)
        connection.server_closed = bool(done)
        server_writer.close()
        with suppress(ConnectionError):  # a client may leave in the middle of an answer
            await answering

    async def _pass_back(self, connection: Connection, server_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while read := await server_reader.read(READ):
            request, answer = connection.requests[-1], read
            while request.status is None:
                status = int(re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)[1])
                if status >= 200:
                    request.status = status
                else:
                    request.reads.append(None)
                    answer = answer.partition(b"\r\n\r\n")[2]
                    if not answer:
                        break
            writer.write(read)
            await writer.drain()
        writer.close()


def escape(data: bytes) -> str:
    text = "".join(ESCAPES.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in data)
    return f"{text[:-1]}\\x20" if text.endswith(" ") else text


def write_pieces(data: bytes) -> Iterator[str]:
    """A piece for each line, or each LINE bytes of what has no lines; equal lines that follow each other as one piece."""
    lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
    for line, equal in groupby(lines):
        count = len(list(equal))
        if count > 1:
            yield f"* {count} {escape(line)}"
        elif line.endswith(b"\r\n") and len(line) <= 5 * LINE:
            yield f"> {escape(line[:-2])}".rstrip(" ")
        else:
            yield from (f"+ {escape(line[start : start + LINE])}" for start in range(0, len(line), LINE))


def write_exchange(name: str, requests: list[Request], server_closed: bool) -> Iterator[str]:
    yield f"exchange {name}"
    yield f"status: {' '.join(str(request.status) for request in requests)}"
    for request in requests:
        for read in request.reads:
            if read is None:
                yield "wait interim"
            else:
                yield "send"
                yield from write_pieces(read)
        yield "wait response"
    yield "end close" if server_closed else "end next"


def write_file(sessions: list[Session], origin: str) -> str:
    lines = [
        "bridgecheck-exchange 1",
        "",
        f"# What {origin} sent, byte for byte. A send is what came in one read of the proxy.",
    ]
    for session in sessions:
        how = (
            "each connection as it was"
            if session.whole
            else "each request with a connection of its own, cut from a longer one where it was kept alive"
        )
        lines += ["", f"# {how}", f"session {session.name}", f"origin: {origin}"]
        used: dict[str, int] = {}
        for requests, server_closed in session.exchanges():
            name = "connection" if session.whole else requests[0].name
            used[name] = used.get(name, 0) + 1
            lines += ["", *write_exchange(name if used[name] == 1 else f"{name}.{used[name]}", requests, server_closed)]
    return "\n".join(lines) + "\n"


async def run(arguments: argparse.Namespace) -> int:
    capture = Capture(("127.0.0.1", arguments.upstream))
    async with await asyncio.start_server(capture.serve, "127.0.0.1", arguments.listen) as server:
        port = server.sockets[0].getsockname()[1]
        client = await asyncio.create_subprocess_exec(*arguments.client, env={**os.environ, "SHOP": f"http://127.0.0.1:{port}"})
        code = await client.wait()
        await capture.settle()
    if code == 0:
        unanswered = [request.name for session in capture.sessions for _, request in session.order if request.status is None]
        if unanswered:
            print(f"no answer to: {', '.join(unanswered)}", file=sys.stderr)
            return 1
        arguments.output.write_text(write_file(capture.sessions, arguments.origin), encoding="ascii")
    return code


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Capture what CLIENT sends to a server on 127.0.0.1. CLIENT finds the proxy's URL in SHOP."
    )
    parser.add_argument("--listen", type=int, default=8000, metavar="PORT", help="0: a free one; it shows in the Host fields")
    parser.add_argument("--upstream", type=int, default=8001, metavar="PORT")
    parser.add_argument("--origin", required=True, help="what the client is, with its version")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("client", nargs="+", metavar="CLIENT")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
