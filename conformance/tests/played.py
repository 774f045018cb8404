"""The app that test_player.py plays to: it does what the path asks for."""

import asyncio
from typing import Any


async def _content(receive: Any) -> list[bytes] | None:
    """The pieces of the request's content; None if the client went away."""
    pieces = []
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        pieces.append(event.get("body", b""))
        if not event.get("more_body"):
            return pieces


async def _answer(send: Any, body: bytes, *fields: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body)), *fields]})
    await send({"type": "http.response.body", "body": body})


class _Beside:
    """How many calls are under way, and how many pairs have been."""

    def __init__(self) -> None:
        self.now = 0
        self.pairs = 0
        self.two = asyncio.Event()

    async def together(self) -> bytes:
        """Answers a while after two are under way, in which whatever is beside them would be seen."""
        self.now += 1
        if self.now == 2:
            self.two.set()
        await self.two.wait()
        await asyncio.sleep(0.1)
        self.now -= 1
        if not self.now:
            self.pairs += 1
            self.two = asyncio.Event()
        return b"together"


beside = _Beside()


async def _talk(receive: Any, send: Any) -> None:
    """Gives back each message; "bye" ends the talk."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4001, "reason": "bye"})
            return
        await send({key: value for key, value in event.items() if key != "type" and value is not None} | {"type": "websocket.send"})


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await _talk(receive, send)
    if scope["type"] != "http":
        return
    match scope["path"]:
        case "/login":
            await _answer(send, b'{"token": "a b"}', (b"set-cookie", b"color=red"), (b"set-cookie", b"session=s3cret; Path=/"))
        case "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ticktock", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
        case "/together":
            await _answer(send, await beside.together())
        case "/beside":
            await _answer(send, b"%d beside, %d pairs" % (beside.now, beside.pairs))
        case "/hang":
            await asyncio.sleep(3600)
        case "/afterwards":
            await _answer(send, b"done")
            await asyncio.sleep(0.2)
        case "/raise":
            raise LookupError("not here")
        case _:
            pieces = await _content(receive)
            if pieces is not None:
                await _answer(send, scope["path"].encode() + b":" + b"|".join(pieces))
