"""Small apps about the status: those without content, those that are interim, and those that are none."""

from .message import Receive, Scope, Send, answer, body, length, read, start

__all__ = [
    "early_hint",
    "interim_as_final",
    "no_content",
    "no_content_with_body",
    "no_content_with_length",
    "no_content_with_transfer_encoding",
    "not_modified_with_body",
    "not_modified_with_length",
    "precondition_failed",
    "status_299",
    "status_99",
    "status_999",
]


async def no_content(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(204))
    await send(body())


async def no_content_with_length(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(204, [length(0)]))
    await send(body())


async def no_content_with_transfer_encoding(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(204, [(b"transfer-encoding", b"chunked")]))
    await send(body())


async def no_content_with_body(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer(send, b"BODY", status=204)


async def not_modified_with_length(scope: Scope, receive: Receive, send: Send) -> None:
    """The length that a 200 would have had."""
    await read(receive)
    await send(start(304, [(b"etag", b'"1"'), length(5)]))
    await send(body())


async def not_modified_with_body(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer(send, b"BODY", status=304)


async def interim_as_final(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(103, [(b"link", b"</style.css>; rel=preload")]))
    await send(body())


async def status_99(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer(send, b"ninety-nine", status=99)


async def status_299(scope: Scope, receive: Receive, send: Send) -> None:
    """A legal status without a name."""
    await read(receive)
    await answer(send, b"unnamed", status=299)


async def status_999(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer(send, b"beyond", status=999)


async def early_hint(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a hint only where the server says that it can."""
    await read(receive)
    await send(start(200, [length(4)]))
    if "http.response.early_hint" in (scope.get("extensions") or {}):
        await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
    await send(body(b"done"))


async def precondition_failed(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer(send, b"no", status=412)
