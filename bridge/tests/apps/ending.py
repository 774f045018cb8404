"""Apps that are busy when their server is told to end. What they say goes to standard error, between the server's lines."""

import asyncio
import sys
from typing import Any

from usual import answer, lifespan


def say(*words: Any) -> None:
    print("APP:     ", *words, file=sys.stderr, flush=True)


class Gate:
    """Open from the first request to /open on."""

    def __init__(self) -> None:
        self.event = asyncio.Event()


gate = Gate()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    match scope["path"]:
        case "/wait":
            say("waiting")
            await asyncio.sleep(0.6)
            await answer(send, b"waited")
        case "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for i in range(8):
                await send({"type": "http.response.body", "body": b"%d" % i, "more_body": True})
                if i == 0:
                    say("waiting")
                await asyncio.sleep(0.08)
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
            say("waiting")
            await asyncio.sleep(0.6)
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
