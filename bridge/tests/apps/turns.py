"""Apps for connections with many requests."""

import asyncio
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
