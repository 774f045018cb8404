"""The bare echo app: reads the whole request and gives back method, target path and content. No framework, as cheap as an app can be."""

from typing import Any

from .lifespan import lifespan

_FIELDS = [(b"content-type", b"application/octet-stream")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """`METHOD PATH`, a line feed, and the request's content. WebSockets are closed before they open."""
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
        return
    if scope["type"] != "http":
        await send({"type": "websocket.close"})
        return
    event = await receive()
    content = event.get("body", b"")
    while event.get("more_body", False):
        event = await receive()
        content += event.get("body", b"")
    body = f"{scope['method']} {scope['path']}\n".encode() + content
    await send({"type": "http.response.start", "status": 200, "headers": [*_FIELDS, (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
