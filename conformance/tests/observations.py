"""Observations as the player gives them, made by hand for the tests of what judges them."""

import copy
import gzip
import json
from typing import Any

from bridgecheck.conformance._player import Instance
from bridgecheck.conformance.compare.difference import differences
from bridgecheck.conformance.compare.fact import Address, facts_of

HASH = 0xCBF29CE484222325
HERE = Address("127.0.0.1", 1000)


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
        "rest": b"",
        "websocket": None,
        "stray": 0,
        "client_port": 20000,
        "end": "open",
    }
    return {"connections": [connection | changes], "calls": [call()] if calls is None else calls, "steps": [], "settled": True}


def message(opcode: int, data: bytes = b"", **changes: Any) -> dict[str, Any]:
    """A WebSocket message or control frame that came over the wire."""
    body = {"length": len(data), "hash": fnv(data), "bytes": data}
    return {"opcode": opcode, "frames": 1, "compressed": False, "complete": True, "body": body} | changes


KEY, ACCEPT = b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # those of RFC 6455


def upgraded(*messages: dict[str, Any], fields: list[tuple[bytes, bytes]] | None = None, **changes: Any) -> dict[str, Any]:
    """A connection that became a WebSocket, by its handshake and what came over it."""
    handshake = [(b"upgrade", b"websocket"), (b"sec-websocket-accept", ACCEPT), *(fields or [])]
    socket = {"key": KEY, "messages": list(messages), "faults": {}, "error": ""} | changes.pop("socket", {})
    answer = response(101, b"", handshake, reason=b"Switching Protocols", framing="none", pieces=0)
    return observation([answer], [], websocket=socket, end="closed", **changes)["connections"][0]


def talked(*events: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A call of an app that accepted a WebSocket, and then did this."""
    scope = call()["scope"] | {"type": "websocket", "subprotocols": []}
    opening = [received(b"", type="websocket.connect"), *send(b"", type="websocket.accept")]
    return call(scope=scope, events=[*opening, *events]) | changes


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


def received(total: bytes, **event: Any) -> dict[str, Any]:
    """An event that receive() brought, `total` being the content up to and with it."""
    return {"kind": "received", "event": event, "total": len(total), "hash": fnv(total)}


def send(total: bytes, **event: Any) -> list[dict[str, Any]]:
    """An event that the app sent, and that send() returned."""
    return [{"kind": "send", "event": event, "total": len(total), "hash": fnv(total)}, {"kind": "sent", "result": None}]


def rich() -> dict[str, Any]:
    """Everything that an observation can hold, once: two connections, pipelined requests, streams, failures, odd objects."""
    page = json.dumps({"items": [{"id": 1, "price": 2.5}, {"id": 2, "price": None}], "at": "10:00", "by": {"a1b2-c3d4": True}}).encode()
    packed = gzip.compress(page, mtime=1)
    long = b"x" * 9000
    traced = {"length": len(long), "hash": fnv(long), "first": long[:4096], "last": long[-4096:]}
    fields = [(b"content-type", b"application/json"), (b"content-encoding", b"gzip"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    hints = {"status": 103, "reason": b"Early Hints", "fields": [(b"link", b"</a.css>"), (b"link", b"</b.css>")]}
    refused = {"type": "server.Gone", "message": "gone", "base": "OSError"}
    streamed = [
        received(b"he", type="http.request", body=b"he", more_body=True),
        *send(b"", type="http.response.start", status=200, headers=fields, trailers=True),
        received(b"hello", type="http.request", body=b"llo", more_body=False),
        *send(packed[:20], type="http.response.body", body=packed[:20], more_body=True),
        *send(packed, type="http.response.body", body=packed[20:], more_body=False),
        *send(packed, type="http.response.trailers", headers=[(b"x-sum", b"1")]),
        received(b"hello", type="http.disconnect"),
    ]
    uploaded = [
        received(long, type="http.request", body=traced, more_body=False),
        *send(b"", type="http.response.start", status=201, headers=[(b"content-type", b"text/plain"), (b"content-length", b"9000")]),
        *send(long, type="http.response.body", body=traced),
    ]
    failed = [
        {"kind": "receive raised", "raised": {"type": "asyncio.exceptions.CancelledError", "message": "", "base": "BaseException"}},
        {"kind": "receive raised", "raised": {"type": "RuntimeError", "message": "no", "base": "RuntimeError"}},
        *send(b"", type="http.response.start", status=Instance("http.HTTPStatus", 200), headers=()),
        *send(b"half", type="http.response.body", body=Instance("bytearray", b"half"), more_body=True),
        received(b"", type="http.disconnect"),
        *send(b"halfx", type="http.response.body", body=b"x", more_body=True)[:1],
        {"kind": "send raised", "raised": refused},
        *send(b"halfxy", type="http.response.body", body=b"y", more_body=True)[:1],
    ]
    socket = [
        received(b"", type="websocket.connect"),
        *send(b"", type="websocket.accept", subprotocol="chat", headers=[]),
        received(b"", type="websocket.receive", text="hi"),
        received(b"", type="websocket.receive", bytes=b"\x00"),
        *send(b"", type="websocket.send", text='{"price": 2}'),
        *send(b"", type="websocket.send", bytes=b"\x00\x01"),
        *send(b"", type="websocket.send", bytes=traced, text=None),
        *send(b"", type="websocket.close", code=4001, reason="enough"),
        received(b"", type="websocket.disconnect", code=1001, reason=""),
    ]
    socket[2]["result"] = 7
    scope = call()["scope"] | {
        "headers": [(b"host", b"probe.test"), (b"accept", b"*/*"), (b"cookie", b"a=1"), (b"cookie", b"b=2")],
        "state": {"db": Instance("demo.Database"), "flags": Instance("demo.Flags", {"on": True}), "ratio": 0.5, 1: "one"},
        "extensions": {"http.response.debug": {}, "tls": {"chain": ["a", "b"]}},
        "path_params": (),
        "nothing": None,
        "raw_path": traced,
    }
    calls = [
        call(scope=scope, events=streamed),
        call(scope=call()["scope"] | {"server": ["127.0.0.1", 1000]}, events=uploaded, result=5),
        call(events=failed, end="raised", raised={"type": "ValueError", "message": "bad", "base": "ValueError"}),
        call(
            connection="chat", events=socket, end="still running", scope=call()["scope"] | {"type": "websocket", "subprotocols": ["chat"]}
        ),
    ]
    responses = [
        response(
            body=packed,
            fields=[*fields, (b"Date", b"Tue, 24 Nov 2026 02:08:02 GMT"), (b"server", b"one"), (b"transfer-encoding", b"chunked")],
            framing="chunked",
            pieces=2,
            interim=[{"status": 100, "reason": b"Continue", "fields": []}, hints],
            trailers=[(b"x-sum", b"1"), (b"X-End", b"2")],
        ),
        response(201, long),
        response(body=b"half", complete=False, framing="close", fields=[(b"connection", b"close")]),
    ]
    calls[0]["properties"] = {
        "receive": "builtin_function_or_method",
        "send": "coroutine function",
        "main thread": True,
        "loop": "uvloop.Loop",
    }
    calls[0]["properties"]["recorder"] = "c"
    main = observation(responses, calls, end="reset")["connections"][0]
    other = main | {"name": "other", "responses": [], "error": "HPE_INVALID_CONSTANT", "rest": b"hello?", "stray": 2, "end": "silent"}
    chat = upgraded(
        message(10, b"ping"),
        message(1, b'{"price": 2}', frames=2, compressed=True),
        message(9, b"1"),
        message(2, b"\x00\x01"),
        message(2, long[:100], complete=False),
        message(8, b"\x0f\xa1enough"),
        fields=[(b"sec-websocket-protocol", b"chat")],
        name="chat",
        socket={"faults": {"masked": 1}, "error": "INFLATED_TOO_MUCH"},
    )
    process = {"ready": True, "exit": "exit code 0", "lifespans": [lifespan()], "output": ["Bye."]}
    steps = [(7, "timed out"), (9, "nothing to save")]
    return {"connections": [main, other, chat], "calls": calls, "steps": steps, "settled": False, "process": process}


def lifespan() -> dict[str, Any]:
    """The lifespan call of an app that starts and ends in order."""
    events = [
        received(b"", type="lifespan.startup"),
        *send(b"", type="lifespan.startup.complete"),
        received(b"", type="lifespan.shutdown"),
        *send(b"", type="lifespan.shutdown.complete"),
    ]
    return call(connection="", scope={"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, events=events)


def here(reference: dict[str, Any], candidate: dict[str, Any]) -> list[tuple[str, str]]:
    """Causes, both sides on one port."""
    return [(d.path, d.kind) for d in differences(facts_of(reference, HERE), facts_of(candidate, HERE)) if d.because is None]
