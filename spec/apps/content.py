"""Small apps about the response's content: its pieces, and its length as promised and as sent."""

from .message import Receive, Scope, Send, answer, body, length, read, start

__all__ = [
    "all_octets",
    "content_longer_than_length",
    "content_shorter_than_length",
    "empty_events",
    "empty_stream",
    "one_piece_without_length",
    "stream",
    "stream_with_length",
]


async def one_piece_without_length(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start())
    await send(body(b"whole"))


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Three pieces, and an empty event to end them: what streaming frameworks send."""
    await read(receive)
    await send(start())
    for piece in (b"one ", b"two ", b"three"):
        await send(body(piece, more=True))
    await send(body())


async def stream_with_length(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(200, [length(6)]))
    await send(body(b"one", more=True))
    await send(body(b"two"))


async def empty_stream(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start())
    await send(body(more=True))
    await send(body())


async def empty_events(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start())
    for piece in (b"", b"a", b"", b"b"):
        await send(body(piece, more=True))
    await send(body(b"c"))


async def content_shorter_than_length(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(200, [length(10)]))
    await send(body(b"short"))


async def content_longer_than_length(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(200, [length(4)]))
    await send(body(b"too long"))


async def all_octets(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer(send, bytes(range(256)))
