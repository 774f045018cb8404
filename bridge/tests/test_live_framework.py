"""A FastAPI app with what leans on a server: byte for byte what uvicorn's client gets, and the same ends. Live."""

import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from .live import TARGETS, Server, masked, on_each, request, running, said, wait_until

CLOSE = "Connection: close"
BOUNDARY = "----boundary"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\nJos\xe9\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: image/png\r\n\r\n'
).encode() + b"\x00\xff" * 600_000
FORM += f"\r\n--{BOUNDARY}--\r\n".encode()
JSON = "Content-Type: application/json"
REQUESTS: dict[str, bytes] = {
    "json": request("/json/1?query=%C3%A9", CLOSE),
    "json that is wrong": request("/json/one", CLOSE),
    "in a thread": request("/thread", CLOSE),
    "no route": request("/no/route", CLOSE),
    "no method": request("/thread", CLOSE, method="DELETE"),
    "slash": request("/thread/", CLOSE),
    "HEAD without a route": request("/thread", CLOSE, method="HEAD"),
    "OPTIONS": request("/thread", CLOSE, method="OPTIONS"),
    "error of HTTP": request("/missing", CLOSE),
    "error": request("/broken", CLOSE),
    "redirect": request("/redirect", CLOSE),
    "stream": request("/stream", CLOSE),
    "stream of many": request("/stream?pieces=2000", CLOSE),
    "stream, compressed": request("/stream?pieces=2000", CLOSE, "Accept-Encoding: gzip"),
    "stream in a thread": request("/stream-in-thread", CLOSE),
    "file": request("/file", CLOSE),
    "file, HEAD": request("/file", CLOSE, method="HEAD"),
    "file, part": request("/file", CLOSE, "Range: bytes=10-29"),
    "file, parts beyond": request("/file", CLOSE, "Range: bytes=9999999-"),
    "file, compressed": request("/file", CLOSE, "Accept-Encoding: gzip"),
    "background": request("/background", CLOSE, method="POST"),
    "upload": request("/upload", CLOSE, f"Content-Type: multipart/form-data; boundary={BOUNDARY}", method="POST", body=FORM),
    "upload that is none": request("/upload", CLOSE, f"Content-Type: multipart/form-data; boundary={BOUNDARY}", method="POST", body=b"x"),
    "echo": request("/echo", CLOSE, method="POST", body=b"echoed" * 10),
    "body": request("/body", CLOSE, JSON, method="PUT", body=b'{"a": [1, 2]}'),
    "body that is none": request("/body", CLOSE, JSON, method="PUT", body=b'{"a"'),
    "body in chunks": request("/body", CLOSE, JSON, "Transfer-Encoding: chunked", method="PUT") + b'5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n',
    "dependency": request("/dependency", CLOSE),
    "WebSocket route without an upgrade": request("/socket", CLOSE),
    "documentation": request("/openapi.json", CLOSE),
    "in turn": request("/json/1") + request("/broken") + request("/json/2", CLOSE),
    "pipelined": request("/json/1")
    + request("/stream")
    + request("/file", method="HEAD")
    + request("/echo", CLOSE, method="POST", body=b"x"),
}


@pytest.fixture(scope="module")
def each() -> Iterator[list[Server]]:
    with running("framework:both", targets=TARGETS) as servers:
        for server in servers:
            server.ask("/thread")
        yield servers


@pytest.mark.parametrize("name", REQUESTS)
def test_the_same_bytes(each: list[Server], name: str) -> None:
    def script(server: Server) -> tuple[bytes, list[str]]:
        begin = len(server.stderr)
        with server.connect() as client:
            wire = masked(client.send(REQUESTS[name]).rest())
        server.ask("/thread")
        return uncompressed(wire), said(server.stderr[begin:])

    theirs, *others = on_each(each, script)
    assert theirs[0].startswith(b"HTTP/1.1 ")
    for target, ours in zip(TARGETS[1:], others, strict=True):
        assert ours == theirs, target


def uncompressed(wire: bytes) -> bytes:
    """A compressed whole says when it was made."""
    head, _, body = wire.partition(b"\r\n\r\n")
    if b"content-encoding: gzip" not in head:
        return wire
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        content, body = content + body[: int(size, 16)], body[int(size, 16) + 2 :]
    assert len(content) < 100_000
    return head + b"\r\n\r\n" + gzip.decompress(content)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(("path", "note"), [("/events", "events over"), ("/plain/disconnected", "disconnected")])
def test_a_client_that_leaves(each: list[Server], target: str, how: str, path: str, note: str) -> None:
    server = each[TARGETS.index(target)]
    before = notes(server).count(note)
    client = server.connect().get(path)
    if path == "/events":
        client.line_after(0, b"data: 3\n\n")
    else:
        server.ask("/thread")
    client.reset() if how == "reset" else client.socket.close()
    wait_until(lambda: notes(server).count(note) == before + 1, note)


@pytest.mark.parametrize("target", TARGETS)
def test_background_tasks_run_after_the_response(each: list[Server], target: str) -> None:
    server = each[TARGETS.index(target)]
    before = notes(server).count("background done")
    with server.connect() as client:
        assert client.get("/background", method="POST").response().json == "accepted"
        assert notes(server).count("background done") == before
        assert client.get("/json/1").response().json["number"] == 1
    wait_until(lambda: notes(server).count("background done") == before + 1)


def notes(server: Server) -> Any:
    return server.ask("/notes").json
