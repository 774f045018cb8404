"""As events.py, for the calls of WebSockets: each function is a mutation, wrong (or, where it says so, right) in the way its name says.

Knows ASGI; nothing of servers or cases.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from . import events
from .events import App, Event, Mutation, Receive, Scope, Send

LONG = 1 << 16  # octets


def _receives(change: Callable[[Event], Event]) -> Mutation:
    """Each event that the app receives is another one."""

    async def mutation(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
        async def mutated() -> Event:
            return change(await receive())

        await inner(scope, mutated, send)

    return mutation


def _sends(change: Callable[[Event], Event]) -> Mutation:
    """Each event that the app sends is another one."""

    async def mutation(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
        async def mutated(event: Event) -> None:
            await send(change(event))

        await inner(scope, receive, mutated)

    return mutation


def _of_type(type_: str, change: Callable[[Event], dict[str, Any]]) -> Callable[[Event], Event]:
    return lambda event: {**event, **change(event)} if event["type"] == type_ else event


# --- the scope, and what the app receives -----------------------------------------------------------------------------------------------

opens_with_joined_fields = events.joins_fields
opens_without_origin = events._fields(lambda fields: [field for field in fields if field[0] != b"origin"])
opens_with_undecoded_paths = events.does_not_decode
opens_with_the_scheme_of_http = events._scope(lambda scope: {"scheme": "https"})
reads_one_line_of_subprotocols = events._scope(lambda scope: {"subprotocols": list(scope["subprotocols"])[:2]})

hands_texts_on_as_bytes = _receives(
    lambda event: {"type": event["type"], "bytes": event["text"].encode()} if event.get("text") is not None else event
)
reports_any_close_as_1000 = _receives(_of_type("websocket.disconnect", lambda event: {"code": 1000}))


opens_without_server = events._scope(lambda scope: {"server": None})  # right; behind a proxy the port is another one than the target's


async def never_says_connect(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated() -> Event:
        event = await receive()
        return await receive() if event["type"] == "websocket.connect" else event

    await inner(scope, mutated, send)


def _makes_up_the_second(event: Event) -> Mutation:
    """What the app receives second is this, whatever came."""

    async def mutation(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def mutated() -> Event:
            nonlocal received
            received += 1
            return event if received == 2 else await receive()

        await inner(scope, mutated, send)

    return mutation


says_connect_twice = _makes_up_the_second({"type": "websocket.connect"})
never_tells_that_a_socket_ended = events._never_tells("websocket.disconnect")
reads_early_octets_as_a_message = _makes_up_the_second({"type": "websocket.receive", "text": "hi"})


def _empty(event: Event) -> bool:
    return event["type"] in ("websocket.receive", "websocket.send") and not (event.get("text") or event.get("bytes"))


async def drops_empty_messages(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated_receive() -> Event:
        while _empty(event := await receive()):
            pass
        return event

    async def mutated_send(event: Event) -> None:
        if not _empty(event):
            await send(event)

    await inner(scope, mutated_receive, mutated_send)


async def cuts_long_messages(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    def cut(event: Event) -> Event:
        return {**event, "bytes": event["bytes"][:LONG]} if event.get("bytes") else event

    async def mutated_receive() -> Event:
        return cut(await receive())

    async def mutated_send(event: Event) -> None:
        await send(cut(event))

    await inner(scope, mutated_receive, mutated_send)


# --- what the app sends ----------------------------------------------------------------------------------------------------------------

accepts_any_event_of_a_socket = events.accepts_anything


async def chooses_a_subprotocol_itself(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    change = _of_type("websocket.accept", lambda event: {"subprotocol": event.get("subprotocol") or scope["subprotocols"][0]})
    await _sends(change)(inner, scope, receive, send)


accepts_with_each_field_once = _sends(_of_type("websocket.accept", lambda event: {"headers": list(dict(event["headers"]).items())}))
lets_fields_name_the_subprotocol = _sends(
    _of_type("websocket.accept", lambda event: {"headers": [], "subprotocol": dict(event["headers"])[b"sec-websocket-protocol"].decode()})
)
takes_no_fields_but_a_list = _sends(
    _of_type("websocket.accept", lambda event: {"headers": event["headers"] if isinstance(event["headers"], list) else []})
)
prefers_bytes_that_are_none = _sends(lambda event: {"type": event["type"], "bytes": event["bytes"] or b""} if "bytes" in event else event)
loses_the_reason_of_a_close = _sends(_of_type("websocket.close", lambda event: {"reason": ""}))
writes_none_for_no_reason = _sends(_of_type("websocket.close", lambda event: {"reason": str(event.get("reason"))}))
closes_with_1001 = _sends(_of_type("websocket.close", lambda event: {"code": 1001}))


async def accepts_before_the_app(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated(event: Event) -> None:
        if event["type"] != "websocket.accept":
            await send(event)

    connect: list[Event] = [await receive()]

    async def mutated_receive() -> Event:
        return connect.pop() if connect else await receive()

    await send({"type": "websocket.accept"})
    await inner(scope, mutated_receive, mutated)


async def takes_denials_for_rejections(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated(event: Event) -> None:
        if event["type"] == "websocket.http.response.start":
            await send({"type": "websocket.close"})
        elif event["type"] != "websocket.http.response.body":
            await send(event)

    await inner(scope, receive, mutated)


async def _closes(inner: App, scope: Scope, receive: Receive, send: Send, *, refuses: bool) -> None:
    closed = False

    async def mutated(event: Event) -> None:
        nonlocal closed
        if closed and refuses:
            raise OSError("the WebSocket is closed")
        if not closed:
            closed = event["type"] == "websocket.close"
            await send(event)

    try:
        await inner(scope, receive, mutated)
    except OSError:  # as such a server has to
        pass


async def refuses_a_second_close(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Right."""
    await _closes(inner, scope, receive, send, refuses=True)


async def takes_a_second_close(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    await _closes(inner, scope, receive, send, refuses=False)


# --- how the app's call ends ------------------------------------------------------------------------------------------------------------


async def closes_with_1000_for_errors(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await inner(scope, receive, send)
    except Exception:
        await send({"type": "websocket.close", "code": 1000})


async def leaves_sockets_open(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    await inner(scope, receive, send)
    await asyncio.sleep(3600)
