"""The apps that test_server.py serves. What they say goes to standard error, between the server's lines."""

import asyncio
import sys
from typing import Any


def say(*words: Any) -> None:
    print("APP:     ", *words, file=sys.stderr, flush=True)


try:
    asyncio.get_running_loop()
except RuntimeError:
    say("imported before there is a loop")


async def _lifespan(receive: Any, send: Any, startup: str = "complete", shutdown: str = "complete", pause: float = 0) -> None:
    while True:
        message = await receive()
        say(message["type"])
        if message["type"] == "lifespan.startup":
            await asyncio.sleep(pause)
            await send({"type": f"lifespan.startup.{startup}", "message": "why not"})
        else:
            await send({"type": f"lifespan.shutdown.{shutdown}", "message": "why not"})
            return


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"done"})


async def hanging(scope: Any, receive: Any, send: Any) -> None:
    """Answers when it is cancelled."""
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    say("begun")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError as error:
        say("cancelled", error.args)
        await send({"type": "http.response.body", "body": b"ended"})


async def lasting(scope: Any, receive: Any, send: Any) -> None:
    """Goes on for a while after its client has left."""
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    say("begun")
    await asyncio.sleep(1.2)
    await send({"type": "http.response.body", "body": b"ended"})


async def slow_startup(scope: Any, receive: Any, send: Any) -> None:
    await _lifespan(receive, send, pause=0.5)


async def failing_startup(scope: Any, receive: Any, send: Any) -> None:
    await _lifespan(receive, send, startup="failed")


async def failing_shutdown(scope: Any, receive: Any, send: Any) -> None:
    await _lifespan(receive, send, shutdown="failed")


async def raising(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("no lifespan here")


def factory() -> Any:
    asyncio.get_running_loop()  # a factory runs in the loop
    return app


def faulty_factory() -> Any:
    raise ValueError("faulty factory")


def needy_factory(argument: Any) -> Any: ...


class Double:
    """ASGI 2."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await app(self.scope, receive, send)


def loop() -> asyncio.AbstractEventLoop:
    say("loop")
    return asyncio.SelectorEventLoop()
