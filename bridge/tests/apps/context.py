"""An app that answers with what its context holds: set at import, by the factory, in the lifespan, by the request before."""

import contextvars
import json
from typing import Any

from usual import answer

PLACES = {name: contextvars.ContextVar(name, default=None) for name in ("import", "factory", "lifespan", "request")}
PLACES["import"].set("set")


def make() -> Any:
    PLACES["factory"].set("set")
    return app


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        PLACES["lifespan"].set("set")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    found = [name for name, variable in PLACES.items() if variable.get()]
    PLACES["request"].set("set")
    await answer(send, json.dumps(found).encode())
