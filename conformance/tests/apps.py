"""Apps for the tests of the command line: good, late, broken in lifespan, and things that are no app."""

import os
from typing import Any


async def _answer(send: Any, body: bytes) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def good(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers everything with its path, and each WebSocket message with itself."""
    if scope["type"] == "http":
        await _answer(send, scope["path"].encode())
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})


def make() -> Any:
    """A factory."""
    return good


async def broken_in_lifespan(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Says that it cannot start."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "the database is gone"})
        return
    await good(scope, receive, send)


async def kills_its_process(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Takes its process with it where the path asks for that and the environment says that this is the place."""
    if scope["type"] == "http" and scope["path"] == "/kill" and os.environ.get("KILLABLE"):
        os._exit(9)
    await good(scope, receive, send)


not_an_app = {"this": "is a dict"}
