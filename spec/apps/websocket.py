"""Small apps that speak WebSocket: what they answer to the handshake, what they send, how they end.

None catches what send() raises, and all but a few are there until the client is gone."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from .failure import Failure
from .message import PATIENCE, Event, Receive, Scope, Send

__all__ = [
    "accept_late",
    "accept_none_as_subprotocol",
    "accept_second_subprotocol",
    "accept_twice",
    "accept_unoffered_subprotocol",
    "accept_with_fields",
    "accept_with_fields_from_generator",
    "accept_with_subprotocol_as_field",
    "accept_without_receiving",
    "close_accepted",
    "close_after_disconnect",
    "close_twice",
    "close_with_long_reason",
    "close_with_no_reason",
    "close_with_reason",
    "close_with_reserved_code",
    "close_without_code",
    "count_octets",
    "deny",
    "deny_after_accept",
    "deny_in_pieces",
    "deny_without_body",
    "echo_messages",
    "raise_accepted",
    "raise_unanswered",
    "raise_while_closing",
    "receive_after_close",
    "receive_after_disconnect",
    "receive_after_reject",
    "receive_beside_accept",
    "reject",
    "reject_without_receiving",
    "return_accepted",
    "return_unanswered",
    "send_after_close",
    "send_after_disconnect_of_socket",
    "send_before_accept",
    "send_both_kinds",
    "send_bytes_as_text",
    "send_empty_messages",
    "send_long_message",
    "send_neither_kind",
    "send_none_beside",
    "send_text_as_bytes",
    "send_unknown_event",
]


async def opened(receive: Receive, send: Send, **keys: Any) -> None:
    await receive()
    await send({"type": "websocket.accept", **keys})


def message(**keys: Any) -> Event:
    return {"type": "websocket.send", **keys}


def close(**keys: Any) -> Event:
    return {"type": "websocket.close", **keys}


async def gone(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def listen(receive: Receive) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(receive(), PATIENCE)


# --- the handshake ---------------------------------------------------------------------------------------------------------------------


async def echo_messages(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    while (event := await receive())["type"] == "websocket.receive":
        await send(message(**{key: event[key] for key in ("text", "bytes") if event.get(key) is not None}))


async def accept_late(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await asyncio.sleep(PATIENCE)
    await send({"type": "websocket.accept"})
    await gone(receive)


async def accept_without_receiving(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    await gone(receive)


async def accept_twice(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send({"type": "websocket.accept"})
    await gone(receive)


async def accept_second_subprotocol(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send, subprotocol=scope["subprotocols"][1])
    await gone(receive)


async def accept_none_as_subprotocol(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send, subprotocol=None)
    await gone(receive)


async def accept_unoffered_subprotocol(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send, subprotocol="unoffered")
    await gone(receive)


async def accept_with_subprotocol_as_field(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send, headers=[(b"sec-websocket-protocol", b"chat")])
    await gone(receive)


FIELDS = [(b"x-second", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-first", b"2")]


async def accept_with_fields(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send, headers=FIELDS)
    await gone(receive)


async def accept_with_fields_from_generator(scope: Scope, receive: Receive, send: Send) -> None:
    def fields() -> Iterator[tuple[bytes, bytes]]:
        yield from FIELDS

    await opened(receive, send, headers=fields())
    await gone(receive)


async def reject(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(close(code=4003, reason="not for you"))


async def reject_without_receiving(scope: Scope, receive: Receive, send: Send) -> None:
    await send(close())


async def receive_after_reject(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(close())
    await listen(receive)


def denial(status: int = 401, **keys: Any) -> Event:
    return {"type": "websocket.http.response.start", "status": status, **keys}


async def deny(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(denial(headers=[(b"content-type", b"text/plain"), (b"x-why", b"no ticket"), (b"content-length", b"6")]))
    await send({"type": "websocket.http.response.body", "body": b"denied"})


async def deny_in_pieces(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(denial(headers=[(b"content-type", b"text/plain")]))
    await send({"type": "websocket.http.response.body", "body": b"den", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"ied"})


async def deny_without_body(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(denial(404))
    await send({"type": "websocket.http.response.body"})


async def deny_after_accept(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(denial())
    await gone(receive)


# --- messages --------------------------------------------------------------------------------------------------------------------------


async def count_octets(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers each message with its kind and its number of octets."""
    await opened(receive, send)
    while (event := await receive())["type"] == "websocket.receive":
        text = event.get("text")
        kind, count = ("text", len(text.encode())) if text is not None else ("bytes", len(event["bytes"]))
        await send(message(text=f"{kind} {count}"))


async def send_before_accept(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(message(text="early"))


async def send_empty_messages(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(message(text=""))
    await send(message(bytes=b""))
    await gone(receive)


async def send_long_message(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(message(bytes=bytes(range(256)) * 300))
    await gone(receive)


async def send_none_beside(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(message(text="text", bytes=None))
    await send(message(text=None, bytes=b"bytes"))
    await gone(receive)


async def send_both_kinds(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(message(text="text", bytes=b"bytes"))
    await gone(receive)


async def send_neither_kind(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(message())
    await gone(receive)


async def send_text_as_bytes(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(message(bytes="a str"))
    await gone(receive)


async def send_bytes_as_text(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(message(text=b"bytes"))
    await gone(receive)


async def send_unknown_event(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send({"type": "websocket.unknown"})
    await gone(receive)


# --- the end ---------------------------------------------------------------------------------------------------------------------------


async def close_accepted(scope: Scope, receive: Receive, send: Send) -> None:
    """Closes before it has read a message."""
    await opened(receive, send)
    await send(close(code=1000))


async def close_with_reason(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(close(code=4007, reason="why é"))


async def close_without_code(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(close())


async def close_with_no_reason(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(close(code=4007, reason=None))


async def close_with_reserved_code(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(close(code=1005))


async def close_with_long_reason(scope: Scope, receive: Receive, send: Send) -> None:
    """One octet more than fits; a cut after 123 octets would cut the last character in two."""
    await opened(receive, send)
    await send(close(code=4007, reason="x" * 122 + "é"))


async def close_twice(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(close(code=4007))
    await send(close(code=4008))


async def send_after_close(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(close(code=4007))
    await send(message(text="late"))


async def receive_after_close(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(close(code=4007))
    await listen(receive)


async def receive_after_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await gone(receive)
    await listen(receive)


async def send_after_disconnect_of_socket(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await gone(receive)
    await send(message(text="late"))


async def raise_unanswered(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    raise Failure("before the answer to the handshake")


async def raise_accepted(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    raise Failure("after the handshake")


async def raise_while_closing(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await send(close(code=4007))
    raise Failure("after the close")


async def return_unanswered(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


async def return_accepted(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)


async def close_after_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    await opened(receive, send)
    await gone(receive)
    await send(close())


async def receive_beside_accept(scope: Scope, receive: Receive, send: Send) -> None:
    """Two tasks, one of which reads from the start: what Channels and others do."""
    await receive()
    reading = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    await send({"type": "websocket.accept"})
    event = await reading
    await send(message(text=event["type"]))
    await gone(receive)
