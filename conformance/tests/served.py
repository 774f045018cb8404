"""Apps for the tests of targets. Imported in the target's process, where it needs nothing of bridgecheck."""

import os
import time
from pathlib import Path
from typing import Any


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the environment's variable that the path names; a few paths do something."""
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    name = scope["path"].strip("/")
    if name == "burn":
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
    elif name == "write":
        with open(os.environ["STATE"], "a") as state:
            state.write("written")
    elif name == "read":
        name = Path(os.environ["STATE"]).read_text()
    elif name == "exit":
        print("the last words", flush=True)
        os._exit(9)
    body = os.environ.get(name, name).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def fails_in_lifespan(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is gone"})
