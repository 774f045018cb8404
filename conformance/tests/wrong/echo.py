"""uvicorn with an echo app of its own, which does wrong: python echo.py HOW HOST PORT APP.

HOW: `right` does right; `alters` sends back another text; `dies` ends the process at the first text that is as long as 125 octets; `hangs`
answers no handshake.
"""

import asyncio
import os
import sys
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

how, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
inner = import_from_string(sys.argv[4])


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    async def heard() -> Any:
        event = await receive()
        text = event.get("text")
        if how == "dies" and text and len(text) == 125:
            os._exit(3)
        return {**event, "text": text.upper() + "!"} if how == "alters" and text else event

    if how == "hangs" and scope["type"] == "websocket":
        await asyncio.sleep(60)
    await inner(scope, heard, send)


uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=1)
