"""Calls of HTTP and of the lifespan that are altered between server and app: what the app is handed, and what becomes of its events.

Each function is a mutation, wrong (or, where it says so, right) in the way that its name says. Knows ASGI; nothing of servers or cases.
"""

import asyncio
import os
import posixpath
import re
import signal
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

Scope = dict[str, Any]
Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[Any]]
Mutation = Callable[[App, Scope, Receive, Send], Awaitable[Any]]


LIFESPAN: list[Mutation] = []  # those that are about the lifespan call, and leave requests alone


def _lifespan(mutation: Mutation) -> Mutation:
    LIFESPAN.append(mutation)
    return mutation


async def passes_events_on(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    await inner(scope, receive, send)


class Refused(Exception):
    """What these servers raise at an app that does nothing wrong."""


# --- the scope ------------------------------------------------------------------------------------------------------------------------


def _scope(change: Callable[[Scope], dict[str, Any]]) -> Mutation:
    async def mutation(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, **change(scope)}, receive, send)

    return mutation


def _fields(change: Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]) -> Mutation:
    return _scope(lambda scope: {"headers": change([(bytes(name), bytes(value)) for name, value in scope["headers"]])})


def _joined(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = dict.fromkeys(name for name, _ in fields)
    return [(name, b", ".join(value for other, value in fields if other == name)) for name in names]


SHARED: dict[str, Any] = {}

ports_as_text = _scope(lambda scope: {key: (scope[key][0], str(scope[key][1])) for key in ("client", "server")})
drops_the_query = _scope(lambda scope: {"query_string": b""})
does_not_decode = _scope(lambda scope: {"path": scope["raw_path"].decode("latin-1")})
decodes_twice = _scope(lambda scope: {"path": unquote(scope["path"])})
normalises_paths = _scope(lambda scope: {"path": posixpath.normpath(scope["path"])})
drops_bad_escapes = _scope(lambda scope: {"path": re.sub("%(?![0-9a-f]{2})", "", scope["path"])})
raw_path_with_query = _scope(lambda scope: {"raw_path": scope["raw_path"] + b"?" + scope["query_string"]})
whole_target_as_path = _scope(lambda scope: {"path": f"http://other.test{scope['path']}"})
claims_spec_2_4 = _scope(lambda scope: {"asgi": {**scope["asgi"], "spec_version": "2.4"}})
root_path_of_a_slash = _scope(lambda scope: {"root_path": "/"})
believes_any_proxy = _scope(lambda scope: {"client": ("", 0)})
shares_state = _scope(lambda scope: {"state": SHARED})
joins_fields = _fields(_joined)
drops_underscores = _fields(lambda fields: [field for field in fields if b"_" not in field[0]])
drops_empty_fields = _fields(lambda fields: [field for field in fields if field[1]])
decodes_fields = _fields(lambda fields: [(name, value.decode("latin-1").encode()) for name, value in fields])
adds_a_length = _fields(lambda fields: [*fields, (b"content-length", b"5")])
keeps_white_space = _fields(lambda fields: [(name, value + b" ") for name, value in fields])


# --- what the app receives ------------------------------------------------------------------------------------------------------------


async def loses_an_octet_of_content(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    lost = False

    async def mutated() -> Event:
        nonlocal lost
        event = await receive()
        if event.get("body") and not lost:
            lost = True
            event = {**event, "body": event["body"][1:]}
        return event

    await inner(scope, mutated, send)


async def no_event_without_content(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated() -> Event:
        event = await receive()
        return event if event.get("body") else {"type": "http.disconnect"}

    await inner(scope, mutated, send)


async def repeats_the_last_event(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    ended = False

    async def mutated() -> Event:
        nonlocal ended
        if ended:
            return {"type": "http.request", "body": b"", "more_body": False}
        event = await receive()
        ended = event["type"] == "http.request" and not event.get("more_body")
        return event

    await inner(scope, mutated, send)


async def disconnects_behind_content(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    ended = False

    async def mutated() -> Event:
        nonlocal ended
        event = {"type": "http.disconnect"} if ended else await receive()
        ended = not event.get("more_body")
        return event

    await inner(scope, mutated, send)


async def takes_a_cut_for_the_end(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated() -> Event:
        event = await receive()
        return {"type": "http.request", "body": b"", "more_body": False} if event["type"] == "http.disconnect" else event

    await inner(scope, mutated, send)


def _never_tells(type_: str) -> Mutation:
    """An event of this type is never handed on."""

    async def mutation(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
        async def mutated() -> Event:
            event = await receive()
            if event["type"] == type_:
                await asyncio.sleep(3600)
            return event

        await inner(scope, mutated, send)

    return mutation


never_tells_of_a_disconnect = _never_tells("http.disconnect")


# --- what the app sends ---------------------------------------------------------------------------------------------------------------


def _final(event: Event) -> bool:
    return event["type"] == "http.response.body" and not event.get("more_body")


async def completes_what_was_cut(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    left, open_ = 0, False

    async def mutated(event: Event) -> None:
        nonlocal left, open_
        open_ = not _final(event)
        left += sum(int(value) for name, value in event.get("headers", ()) if name == b"content-length") - len(event.get("body", b""))
        await send(event)

    try:
        await inner(scope, receive, mutated)
    except Exception:
        pass
    if open_:
        await send({"type": "http.response.body", "body": b"0" * max(0, left)})


async def answers_when_the_app_is_done(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    held: list[Event] = []

    async def mutated(event: Event) -> None:
        held.append(event)

    result = await inner(scope, receive, mutated)
    if result is not None:
        raise Refused("a value was returned")
    for event in held:
        await send(event)


async def accepts_anything(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated(event: Event) -> None:
        try:
            await send(event)
        except Exception:
            pass

    await inner(scope, receive, mutated)


async def refuses_all_but_plain_events(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    keys = {"http.response.start": {"type", "status", "headers"}, "http.response.body": {"type", "body", "more_body"}}

    async def mutated(event: Event) -> None:
        if event.keys() != keys[event["type"]] or not isinstance(event.get("headers", []), list):
            raise Refused("not the usual keys and types")
        await send(event)

    await inner(scope, receive, mutated)


async def raises_after_the_end(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    ended = False

    async def mutated(event: Event) -> None:
        nonlocal ended
        if ended:
            raise Refused("the response is complete")
        ended = _final(event)
        await send(event)

    await inner(scope, receive, mutated)


async def loses_an_octet_of_the_answer(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated(event: Event) -> None:
        await send({**event, "body": event["body"][1:]} if event.get("body") else event)

    await inner(scope, receive, mutated)


async def turns_the_answer_round(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated(event: Event) -> None:
        await send({**event, "body": event["body"][::-1]} if "body" in event else event)

    await inner(scope, receive, mutated)


async def ends_at_an_empty_piece(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    ended = False

    async def mutated(event: Event) -> None:
        nonlocal ended
        if not ended:
            ended = event["type"] == "http.response.body" and not event.get("body")
            await send({**event, "more_body": False} if ended else event)

    await inner(scope, receive, mutated)


async def makes_every_status_200(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated(event: Event) -> None:
        await send({**event, "status": 200} if "status" in event else event)

    await inner(scope, receive, mutated)


HINT = b"x-hint"


async def offers_early_hints(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Takes a hint and hands it on in a field of the response, by which a proxy that knows of it is right."""
    held: list[Event] = []  # a hint may come behind the start of the response

    async def mutated(event: Event) -> None:
        if event["type"] == "http.response.start":
            held.append(event)
        elif event["type"] == "http.response.early_hint" and held:
            held[0] = {**held[0], "headers": [*((HINT, link) for link in event["links"]), *held[0]["headers"]]}
        else:
            while held:
                await send(held.pop())
            await send(event)

    await inner({**scope, "extensions": {**(scope.get("extensions") or {}), "http.response.early_hint": {}}}, receive, mutated)


def _response_fields(change: Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]) -> Mutation:
    async def mutation(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
        async def mutated(event: Event) -> None:
            await send({**event, "headers": change(list(event["headers"]))} if "headers" in event else event)

        await inner(scope, receive, mutated)

    return mutation


groups_fields = _response_fields(lambda fields: sorted(fields, key=lambda field: field[0]))
encodes_fields = _response_fields(lambda fields: [(name, value.decode("latin-1").encode()) for name, value in fields])
splits_fields = _response_fields(
    lambda fields: [
        tuple(part.partition(b": ")[::2]) if index else (name, part)  # type: ignore[misc]
        for name, value in fields
        for index, part in enumerate(value.split(b"\r\n"))
    ]
)


async def send_never_returns(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated(event: Event) -> None:
        await send(event)
        if event.get("more_body"):
            await asyncio.sleep(3600)

    await inner(scope, receive, mutated)


# --- the lifespan call, and the process behind it -------------------------------------------------------------------------------------


@_lifespan
async def never_shuts_the_app_down(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated() -> Event:
        event = await receive()
        if event["type"] == "lifespan.shutdown":
            await asyncio.sleep(3600)
        return event

    await inner(scope, mutated, send)


@_lifespan
async def starts_before_the_app(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    told = False

    async def mutated_receive() -> Event:
        nonlocal told
        event = await receive()
        if not told:
            told = True
            await send({"type": "lifespan.startup.complete"})
        return event

    async def mutated_send(event: Event) -> None:
        if not event["type"].startswith("lifespan.startup"):
            await send(event)

    await inner(scope, mutated_receive, mutated_send)


@_lifespan
async def wants_a_message(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    async def mutated(event: Event) -> None:
        await send(event)
        if event["type"].endswith(".failed") and "message" not in event:
            raise Refused("no message")

    await inner(scope, receive, mutated)


@_lifespan
async def insists_on_lifespan(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await inner(scope, receive, send)
    except Exception:
        await send({"type": "lifespan.startup.failed"})


@_lifespan
async def accepts_any_lifespan_event(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
    await accepts_anything(inner, scope, receive, send)


def _on_sigterm(action: Any) -> Mutation:
    async def mutation(inner: App, scope: Scope, receive: Receive, send: Send) -> None:
        signal.signal(signal.SIGTERM, action)  # the server has set its own by now
        await inner(scope, receive, send)

    return _lifespan(mutation)


ends_at_once = _on_sigterm(lambda *_: os._exit(0))
ignores_sigterm = _on_sigterm(signal.SIG_IGN)
