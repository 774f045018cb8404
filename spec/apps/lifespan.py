"""The probe's lifespan. It does what the environment variable PROBE_LIFESPAN names, each of which does one thing; without that it starts,
puts two things into the state, if there is one, and ends when it is told to. A small app tells how far it is."""

import asyncio
import os
from collections.abc import Awaitable, Callable

from .message import Receive, Scope, Send, answer_json, read

__all__ = ["tell_phase"]

SHELF: list[str] = ["a value that every request shares"]

COMPLETE = {"type": "lifespan.startup.complete"}
FAILED = {"type": "lifespan.startup.failed"}
SHUTDOWN_COMPLETE = {"type": "lifespan.shutdown.complete"}
SHUTDOWN_FAILED = {"type": "lifespan.shutdown.failed"}
SLOW = 0.5  # seconds

_phase = "nothing"  # of this process


class Failure(Exception):
    """What these raise; no server can know it."""


async def tell_phase(scope: Scope, receive: Receive, send: Send) -> None:
    """Once it has all content, says what the lifespan has come to by then."""
    if await read(receive) is not None:
        await answer_json(send, {"lifespan": _phase})


def _enter(phase: str) -> None:
    global _phase
    _phase = phase


async def _start(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    _enter("starting")
    if "state" in scope:
        scope["state"].update(started=True, shelf=SHELF)
    _enter("started")
    await send(COMPLETE)


async def usual(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)
    await receive()
    _enter("shutting down")
    await send(SHUTDOWN_COMPLETE)


async def slow_startup(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    _enter("starting")
    await asyncio.sleep(SLOW)
    _enter("started")
    await send(COMPLETE)
    await receive()
    await send(SHUTDOWN_COMPLETE)


async def startup_failed(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({**FAILED, "message": "the probe does not want to start"})


async def startup_failed_without_message(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(FAILED)


async def startup_failed_and_waits(scope: Scope, receive: Receive, send: Send) -> None:
    """Does not return of itself, as an app with a loop around receive() does not."""
    await startup_failed(scope, receive, send)
    await receive()


async def raise_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    """What an app does that knows no lifespan."""
    raise Failure("no lifespan here")


async def raise_in_startup(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    raise Failure("in startup")


async def raise_after_startup(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)
    raise Failure("after startup")


async def raise_in_shutdown(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)
    await receive()
    raise Failure("in shutdown")


async def return_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    pass


async def return_after_startup(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)


async def return_in_shutdown(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)
    await receive()


async def complete_twice(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)
    await send(COMPLETE)


async def complete_unasked(scope: Scope, receive: Receive, send: Send) -> None:
    """Before it has received the event that asks for it."""
    await send(COMPLETE)
    await receive()
    await receive()
    await send(SHUTDOWN_COMPLETE)


async def shutdown_complete_in_startup(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(SHUTDOWN_COMPLETE)


async def unknown_event(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.nonsense"})


async def shutdown_failed(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)
    await receive()
    await send({**SHUTDOWN_FAILED, "message": "the probe does not want to end"})


async def shutdown_failed_without_message(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)
    await receive()
    await send(SHUTDOWN_FAILED)


async def slow_shutdown(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)
    await receive()
    await asyncio.sleep(SLOW)
    await send(SHUTDOWN_COMPLETE)


async def ignore_shutdown(scope: Scope, receive: Receive, send: Send) -> None:
    await _start(scope, receive, send)
    await receive()
    await asyncio.sleep(3600)


LIFESPANS: dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        usual,
        slow_startup,
        startup_failed,
        startup_failed_without_message,
        startup_failed_and_waits,
        raise_at_once,
        raise_in_startup,
        raise_after_startup,
        raise_in_shutdown,
        return_at_once,
        return_after_startup,
        return_in_shutdown,
        complete_twice,
        complete_unasked,
        shutdown_complete_in_startup,
        unknown_event,
        shutdown_failed,
        shutdown_failed_without_message,
        slow_shutdown,
        ignore_shutdown,
    )
}


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    await LIFESPANS[os.environ.get("PROBE_LIFESPAN", "usual")](scope, receive, send)
