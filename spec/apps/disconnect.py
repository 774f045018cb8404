"""Small apps that are still there when the client is gone, or the response is done."""

import asyncio
import contextlib

from .message import PATIENCE, Receive, Scope, Send, answer, body, read, start

__all__ = [
    "clean_up_after_disconnect",
    "listen_after_disconnect",
    "listen_after_response",
    "listen_for_disconnect",
    "listen_while_answering",
    "send_after_disconnect",
    "stream_without_listening",
]


async def until_disconnect(receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start())
    await send(body(b"begun", more=True))
    while (await receive())["type"] != "http.disconnect":
        pass


async def listen_for_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    await until_disconnect(receive, send)


async def listen_after_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    """Asks once more for what it was already told."""
    await until_disconnect(receive, send)
    await listen(receive)


async def send_after_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    await until_disconnect(receive, send)
    await send(body(b"too late"))


async def listen_after_response(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer(send, b"done")
    await listen(receive)


async def stream_without_listening(scope: Scope, receive: Receive, send: Send) -> None:
    """Gives the client the time to leave, then sends more than the sockets between server and client hold."""
    await read(receive)
    await send(start())
    await send(body(b"begun", more=True))
    await asyncio.sleep(PATIENCE)
    for _ in range(128):
        await send(body(b"x" * 65536, more=True))
    await send(body())


async def listen(receive: Receive) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(receive(), PATIENCE)


async def clean_up_after_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    await until_disconnect(receive, send)
    await asyncio.sleep(PATIENCE)


async def listen_while_answering(scope: Scope, receive: Receive, send: Send) -> None:
    """As frameworks do that stop an answer when the client leaves."""
    await read(receive)
    listening = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    await answer(send, b"done")
    await asyncio.wait([listening], timeout=PATIENCE)
    listening.cancel()
