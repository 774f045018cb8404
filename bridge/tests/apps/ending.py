"""Apps that are busy when their server is told to end. What they say goes to standard error, between the server's lines."""

import asyncio
import os
import sys
from typing import Any

from usual import answer, lifespan


def say(*words: Any) -> None:
    print("APP:     ", *words, file=sys.stderr, flush=True)


async def go() -> None:
    """Wait until the test says so, by a file: connections are what is being looked at."""
    say("waiting")
    while not os.path.exists("go"):
        await asyncio.sleep(0.01)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    match scope["path"]:
        case "/wait":
            await go()
            await answer(send, b"waited")
        case "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            await go()
            await send({"type": "http.response.body", "body": b"end"})
        case "/stuck":
            say("waiting")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError as error:
                say("cancelled", *error.args)
                raise
        case "/stubborn":
            say("waiting")
            for _ in range(2):
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError as error:
                    say("cancelled", *error.args)
                    break
            await answer(send, b"at last")
        case "/background":
            await answer(send, b"answered")
            await go()
            say("background done")
        case "/upload":
            say("waiting")
            while (await receive()).get("more_body"):
                pass
            await answer(send, b"received")
        case "/listen":
            say("waiting")
            while (event := await receive())["type"] != "http.disconnect":
                pass
            say(event["type"])
        case _:
            await answer(send)
