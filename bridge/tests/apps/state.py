"""An app whose lifespan has a state, and says what each request and its own end see of it."""

import asyncio
import json
import sys
from typing import Any

from usual import answer, read


class Shared:
    """Something that is no copy."""

    def __init__(self) -> None:
        self.seen = 0


async def app(scope: Any, receive: Any, send: Any) -> None:
    state = scope["state"]
    if scope["type"] == "lifespan":
        await receive()
        state["shared"], state["count"] = Shared(), 0
        await send({"type": "lifespan.startup.complete"})
        state["late"] = True
        await receive()
        print("STATE", sorted(state), state["count"], state["shared"].seen, file=sys.stderr)
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.2)
    state["count"] += 1
    state["shared"].seen += 1
    found = [type(state).__name__, sorted(state), state["count"], state["shared"].seen]
    state["mine"] = len(await read(receive))
    await answer(send, json.dumps(found).encode())
