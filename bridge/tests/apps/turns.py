"""Apps for connections with many requests."""

import asyncio
import hashlib
import json
from typing import Any

from usual import answer, query, read


async def echo(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Method, path and number of bytes of content; ?wait=SECONDS first."""
    size = len(await read(receive))
    if wait := float(query(scope).get("wait", 0)):
        await asyncio.sleep(wait)
    await answer(send, json.dumps([scope["method"], scope["path"], size]).encode())


async def close(call: Any, scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"closed", fields=[(b"connection", b"close")])


async def raising(call: Any, scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("one of many")


async def deaf(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Answers without having read."""
    await answer(send, b"unread")


async def stream(call: Any, scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for i in range(5):
        await send({"type": "http.response.body", "body": b"%d" % i * i, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"end"})


async def planned(call: Any, scope: Any, receive: Any, send: Any) -> Any:
    """Does what ?plan= says, letter by letter; notes what it has received. How content comes in pieces is nobody's to say: where it
    does not read all, only the last event's type counts."""
    call.note("called")
    plan = query(scope).get("plan", "")
    fields = [(b"connection", b"close")] if b"close" in scope["query_string"] else []
    content, event = b"", {"type": None}
    for step in plan:
        match step:
            case "r":
                event = await receive()
            case "a":
                event = {"more_body": True}
                while event.get("more_body"):
                    event = await receive()
                    content += event.get("body", b"")
            case "s":
                await send({"type": "http.response.start", "status": 200, "headers": fields})
            case "l":
                await send({"type": "http.response.start", "status": 201, "headers": [(b"Content-Length", b"6"), *fields]})
            case "m":
                await send({"type": "http.response.body", "body": b"abc", "more_body": True})
            case "e":
                await send({"type": "http.response.body", "body": b"def"})
            case "E":
                await send({"type": "http.response.body"})
            case "p":
                await asyncio.sleep(0.003)
            case "x":
                raise ValueError("planned")
            case "v":
                return "value"
    call.note(event["type"], len(content), hashlib.sha256(content).hexdigest()[:8])
