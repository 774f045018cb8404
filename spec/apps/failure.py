"""Small apps that raise, or return, where an app should not."""

from .message import Receive, Scope, Send, answer, body, length, read, start

__all__ = [
    "raise_after_response",
    "raise_after_start",
    "raise_before_start",
    "raise_inside_length",
    "raise_mid_body",
    "return_a_value",
    "return_after_start",
    "return_mid_body",
    "return_without_sending",
]


class Failure(Exception):
    """What these apps raise; no server can know it."""


async def raise_before_start(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    raise Failure("before the start")


async def raise_after_start(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start())
    raise Failure("after the start")


async def raise_mid_body(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start())
    await send(body(b"first", more=True))
    raise Failure("in the middle of the body")


async def raise_inside_length(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(200, [length(10)]))
    await send(body(b"first", more=True))
    raise Failure("five bytes before the end")


async def raise_after_response(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer(send, b"done")
    raise Failure("after the response")


async def return_without_sending(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)


async def return_after_start(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start())


async def return_mid_body(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start())
    await send(body(b"first", more=True))


async def return_a_value(scope: Scope, receive: Receive, send: Send) -> str:
    await read(receive)
    await answer(send, b"done")
    return "a value"
