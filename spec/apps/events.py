"""Small apps whose events are in the wrong order, of the wrong kind or of the wrong type, and some that only look so.

None catches what send() raises: an app that does this by mistake would not either."""

import inspect

from .message import Receive, Scope, Send, answer, answer_json, body, length, read, start

__all__ = [
    "body_after_end",
    "body_as_bytearray",
    "body_as_text",
    "body_before_start",
    "body_without_keys",
    "fields_as_text",
    "fields_from_generator",
    "fields_missing",
    "look_at_faces",
    "start_twice",
    "start_with_more_keys",
    "start_without_status",
    "status_as_text",
    "trailers_without_offer",
    "unknown_event",
]


async def body_before_start(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(body(b"early"))


async def start_twice(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(200, [length(4)]))
    await send(start(201, [length(4)]))
    await send(body(b"done"))


async def body_after_end(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer(send, b"done")
    await send(body(b"EXTRA"))


async def unknown_event(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(200, [length(4)]))
    await send({"type": "http.response.nonsense"})
    await send(body(b"done"))


async def trailers_without_offer(scope: Scope, receive: Receive, send: Send) -> None:
    """Trailers in a response that was not announced to have any."""
    await read(receive)
    await send(start())
    await send(body(b"done", more=True))
    await send({"type": "http.response.trailers", "headers": [(b"x-trailer", b"1")], "more_trailers": False})
    await send(body())


async def start_without_status(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send({"type": "http.response.start", "headers": []})
    await send(body(b"done"))


async def status_as_text(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send({"type": "http.response.start", "status": "200", "headers": []})
    await send(body(b"done"))


async def start_with_more_keys(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send({**start(200, [length(4)]), "probe": "unknown keys are legal", "reason": b"Fine"})
    await send(body(b"done"))


async def fields_missing(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send({"type": "http.response.start", "status": 200})
    await send(body(b"done"))


async def fields_from_generator(scope: Scope, receive: Receive, send: Send) -> None:
    """An iterable of iterables need not be a list of pairs, nor last for a second look."""
    await read(receive)
    fields = (iter(field) for field in ((b"x-first", b"1"), (b"content-length", b"4")))
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send(body(b"done"))


async def fields_as_text(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send({"type": "http.response.start", "status": 200, "headers": [("x-text", "1")]})
    await send(body(b"done"))


async def body_without_keys(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start())
    await send({"type": "http.response.body"})


async def body_as_text(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(200, [length(4)]))
    await send({"type": "http.response.body", "body": "done"})


async def body_as_bytearray(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await send(start(200, [length(4)]))
    await send({"type": "http.response.body", "body": bytearray(b"done")})


async def look_at_faces(scope: Scope, receive: Receive, send: Send) -> None:
    await read(receive)
    await answer_json(send, {"receive": inspect.iscoroutinefunction(receive), "send": inspect.iscoroutinefunction(send)})
