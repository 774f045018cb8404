"""Small apps about the request's content: when they read it, and how."""

import asyncio

from .message import PATIENCE, Receive, Scope, Send, answer, answer_json, body, length, read, start

__all__ = [
    "answer_then_read",
    "echo",
    "never_read",
    "read_as_task",
    "read_one_event",
    "read_past_the_end",
    "read_slowly",
    "start_then_read",
]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads all, then says what it was asked. Nothing of the server's own goes in: no port, no product."""
    count = await read(receive)
    if count is None:
        return
    await answer_json(
        send,
        {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1"),
            "body": count,
        },
    )


async def never_read(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"unread")


async def answer_then_read(scope: Scope, receive: Receive, send: Send) -> None:
    """The client gets the first byte while the end of its request is still to come."""
    await send(start())
    await send(body(b"a", more=True))
    count = await read(receive)
    if count is not None:
        await send(body(str(count).encode()))


async def start_then_read(scope: Scope, receive: Receive, send: Send) -> None:
    """Only the head is sent before the request's content is read."""
    await send(start(200, [length(4)]))
    if await read(receive) is not None:
        await send(body(b"late"))


async def read_slowly(scope: Scope, receive: Receive, send: Send) -> None:
    """Gives the server time to fill what it buffers before each event is asked for."""
    total = 0
    while True:
        await asyncio.sleep(0.01)
        event = await receive()
        if event["type"] != "http.request":
            return
        total += len(event.get("body", b""))
        if not event.get("more_body", False):
            break
    await answer_json(send, {"body": total})


async def read_as_task(scope: Scope, receive: Receive, send: Send) -> None:
    """create_task() takes coroutines only; frameworks that listen while they answer use it."""
    event = await asyncio.create_task(receive())
    await answer(send, event["type"].encode())


async def read_past_the_end(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    try:
        event = await asyncio.wait_for(receive(), PATIENCE)
    except TimeoutError:
        await answer(send, b"nothing more")
    else:
        await answer(send, event["type"].encode())


async def read_one_event(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await answer(send, b"enough")
