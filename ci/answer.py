"""Answer: what a server said to one request, as bytes, with the fields that name the server and the moment apart."""

import socket
from dataclasses import dataclass

PATIENCE = 10.0  # seconds
OWN_FIELDS = {b"date", b"server"}


class NotAnAnswer(Exception):
    """What came is no response with a length, or none came."""


@dataclass(frozen=True)
class Answer:
    """Fields in the order of the wire, names as they were written; without date and server."""

    status_line: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def without_names(self) -> "Answer":
        """The same with names in lower case, fields sorted: where neither order nor case is of interest."""
        return Answer(self.status_line, tuple(sorted((name.lower(), value) for name, value in self.fields)), self.body)


def ask(address: tuple[str, int], target: str, times: int = 1) -> list[tuple[Answer, int]]:
    """GET `target` that many times on one connection: each answer, and its length on the wire."""
    host, port = address
    request = f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    with socket.create_connection(address, PATIENCE) as connection, connection.makefile("rb") as incoming:
        answers = []
        for _ in range(times):
            connection.sendall(request)
            answers.append(read(incoming))
        return answers


def read(incoming) -> tuple[Answer, int]:
    """The next answer, which has a content-length, and its length on the wire."""
    head = []
    while (line := incoming.readline()) not in (b"\r\n", b""):
        head.append(line)
    if not line:
        raise NotAnAnswer(f"the connection ended after {b''.join(head)!r}")
    fields = [(name, value.strip()) for name, _, value in (line.rstrip(b"\r\n").partition(b":") for line in head[1:])]
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    if len(lengths) != 1:
        raise NotAnAnswer(f"no single content-length in {b''.join(head)!r}")
    body = incoming.read(int(lengths[0]))
    kept = tuple((name, value) for name, value in fields if name.lower() not in OWN_FIELDS)
    return Answer(head[0].rstrip(b"\r\n"), kept, body), sum(map(len, head)) + len(line) + len(body)
