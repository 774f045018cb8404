"""An app that breaks rules which uvicorn lets pass, for the tests of what the gate says about the app itself."""

from typing import Any


async def app(scope: dict[str, Any], receive: Any, send: Any) -> str | None:
    if scope["type"] == "lifespan":
        return None  # speaks no lifespan, and does not say so
    await receive()
    headers = [(b"content-length", b"4"), (b"X-Capital" if scope["path"] == "/hello" else b"x-small", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": bytearray(b"done") if scope["path"] == "/hello" else b"done"})
    return None
