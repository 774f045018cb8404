"""The probe's lifespan: puts two things into the state, if there is one, and ends when it is told to."""

from .message import Receive, Scope, Send

SHELF: list[str] = ["a value that every request shares"]


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            if "state" in scope:
                scope["state"].update(started=True, shelf=SHELF)
            await send({"type": "lifespan.startup.complete"})
        elif event["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
