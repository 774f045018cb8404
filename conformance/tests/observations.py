"""Observations as the player gives them, made by hand for the tests of what judges them."""

import copy
from typing import Any

HASH = 0xCBF29CE484222325


def fnv(data: bytes) -> int:
    """The trace's hash (FNV-1a, 64 bit)."""
    value = HASH
    for octet in data:
        value = (value ^ octet) * 0x100000001B3 % 2**64
    return value


def response(status: int = 200, body: bytes = b"hello", fields: list[tuple[bytes, bytes]] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "version": "1.1",
        "status": status,
        "reason": b"OK",
        "fields": fields if fields is not None else [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())],
        "interim": [],
        "framing": "content-length",
        "pieces": 1,
        "body": {"length": len(body), "hash": fnv(body), "bytes": body},
        "complete": True,
        "trailers": [],
    } | changes


def call(port: int = 1000, body: bytes = b"hello", headers: list[tuple[bytes, bytes]] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "connection": "main",
        "scope": {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", port),
            "client": ("127.0.0.1", 20000),
            "method": "GET",
            "path": "/",
            "headers": [(b"host", b"probe.test")],
        },
        "properties": {"receive": "coroutine function"},
        "events": [
            {"kind": "received", "event": {"type": "http.request", "body": b"", "more_body": False}, "total": 0, "hash": HASH},
            {
                "kind": "send",
                "event": {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": headers if headers is not None else [(b"content-type", b"text/plain")],
                },
                "total": 0,
                "hash": HASH,
            },
            {"kind": "sent", "result": None},
            {"kind": "send", "event": {"type": "http.response.body", "body": body}, "total": len(body), "hash": fnv(body)},
            {"kind": "sent", "result": None},
        ],
        "end": "returned",
        "result": None,
        "raised": None,
        "before_last_byte": False,
        "pid": 1,
    } | changes


def observation(responses: list[dict[str, Any]] | None = None, calls: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """One connection with one good answer, unless told otherwise."""
    connection = {
        "name": "main",
        "opened": True,
        "responses": [response()] if responses is None else responses,
        "error": "",
        "rest": b"", "stray": 0, "client_port": 20000,
        "end": "open",
    }
    return {"connections": [connection | changes], "calls": [call()] if calls is None else calls, "steps": [], "settled": True}


def changed(value: dict[str, Any], path: tuple[Any, ...], new: Any) -> dict[str, Any]:
    """A deep copy with one value replaced, or taken out where `new` is Ellipsis."""
    result = copy.deepcopy(value)
    inner: Any = result
    for step in path[:-1]:
        inner = inner[step]
    if new is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return result
