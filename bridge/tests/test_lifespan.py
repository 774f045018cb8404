"""The lifespan, held against uvicorn's: the same apps are driven by both, and lines, order and outcome must be the same."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn

from bridgecheck.bridge.application import load
from bridgecheck.bridge.lifespan import Lifespan

from .lines import recorded

Seen = list[Any]
App = Callable[[Any, Any, Any, Seen], Any]


async def proper(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    seen.append(await receive())
    scope["state"]["key"] = "value"
    await send({"type": "lifespan.startup.complete"})
    seen.append(await receive())
    await send({"type": "lifespan.shutdown.complete"})


async def raises(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    raise ValueError("no lifespan")


async def raises_after_startup_event(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    seen.append(await receive())
    await asyncio.sleep(0)
    raise ValueError("late")


async def raises_after_startup(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    await send({"type": "lifespan.startup.complete"})
    raise ValueError("after startup")


async def raises_between(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    await send({"type": "lifespan.startup.complete"})
    await asyncio.sleep(0.01)
    raise ValueError("between")


async def raises_in_shutdown(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    seen.append(await receive())
    raise ValueError("in shutdown")


async def returns(scope: Any, receive: Any, send: Any, seen: Seen) -> str:
    return "result"


async def returns_after_startup(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    await send({"type": "lifespan.startup.complete"})


async def returns_in_shutdown(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    await send({"type": "lifespan.startup.complete"})
    await receive()
    seen.append(await receive())


async def cancelled(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    raise asyncio.CancelledError("self")


async def state_replaced(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
    scope["state"] = {"other": 1}
    await send({"type": "lifespan.startup.complete"})


def fails(phase: str, **fields: Any) -> App:
    async def app(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
        await receive()
        if phase == "shutdown":
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": f"lifespan.{phase}.failed", **fields})
        seen.append("goes on")

    return app


def fails_and_raises(phase: str) -> App:
    async def app(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
        await fails(phase, message="said")(scope, receive, send, seen)
        raise ValueError("and raised")

    return app


def sends(*types: Any, after_events: int = 0) -> App:
    """Sends these one after the other, and notes what each of them raises."""

    async def app(scope: Any, receive: Any, send: Any, seen: Seen) -> None:
        for number, kind in enumerate(types):
            if number < after_events:
                await receive()
            try:
                await send({"type": kind} if isinstance(kind, str) else kind)
            except Exception as error:
                seen.append((kind, type(error), error.args))

    return app


S, F, C, G = "lifespan.startup.complete", "lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"
APPS: dict[str, App] = {
    one.__name__: one
    for one in (
    proper, raises, raises_after_startup_event, raises_after_startup, raises_between, raises_in_shutdown, returns,
    returns_after_startup,
        returns_in_shutdown, cancelled, state_replaced,
    )
} | {
    "startup failed": fails("startup"),
    "startup failed with message": fails("startup", message="no database"),
    "startup failed with empty message": fails("startup", message=""),
    "startup failed with a percent sign": fails("startup", message="100 %s"),
    "startup failed and raises": fails_and_raises("startup"),
    "shutdown failed": fails("shutdown"),
    "shutdown failed with message": fails("shutdown", message="no end"),
    "shutdown failed and raises": fails_and_raises("shutdown"),
    "startup twice": sends(S, S),
    "failed twice": sends(F, F),
    "failed after complete": sends(S, F),
    "complete after failed": sends(F, S),
    "shutdown first": sends(C, S),
    "shutdown failed first": sends(G, S),
    "shutdown before it is asked": sends(S, C, S, C, G),
    "all at their time, twice": sends(S, C, C, G, S, F, after_events=2),
    "unknown": sends("lifespan.startup.other", "http.response.start", "", S),
    "no type": sends({}, S),
    "type of another type": sends({"type": None}, {"type": 5}, S),
}  # fmt: skip


async def driven(app: App, make: Callable[[Any], Any]) -> Any:
    seen: Seen = []
    scopes: list[Any] = []

    async def call(scope: Any, receive: Any, send: Any) -> Any:
        scopes.append({name: value.copy() if isinstance(value, dict) else value for name, value in scope.items()})
        seen.append((scope["state"] is lifespan.state, inspect.iscoroutinefunction(receive), inspect.iscoroutinefunction(send)))
        seen.append((inspect.ismethod(receive), inspect.ismethod(send)))
        return await app(scope, receive, send, seen)

    lifespan = make(call)
    await asyncio.wait_for(lifespan.startup(), 5)
    after_startup = lifespan.should_exit
    await asyncio.sleep(0.02)
    seen.append("shutdown")
    await asyncio.wait_for(lifespan.shutdown(), 5)
    await asyncio.sleep(0)
    return scopes, seen, after_startup, lifespan.should_exit, lifespan.state


def outcome(app: App, make: Callable[[Any], Any]) -> Any:
    with recorded() as lines:
        return asyncio.run(driven(app, make)), lines


@pytest.mark.parametrize("mode", ["auto", "on", "off"])
@pytest.mark.parametrize("name", APPS)
def test_apps(name: str, mode: Any) -> None:
    def theirs(call: Any) -> Any:
        config = uvicorn.Config(call, lifespan=mode, log_config=None, proxy_headers=False)
        config.load()
        return config.lifespan_class(config)

    found = outcome(APPS[name], lambda call: Lifespan(*load(call), mode))
    assert found == outcome(APPS[name], theirs)
    (scopes, *_), lines = found
    assert bool(scopes) is bool(lines) is (mode != "off")


def test_the_lines_of_a_proper_app() -> None:
    _, lines = outcome(proper, lambda call: Lifespan(call, "3.0", "on"))
    assert [message for _, message, _ in lines] == [
        "Waiting for application startup.",
        "Application startup complete.",
        "Waiting for application shutdown.",
        "Application shutdown complete.",
    ]


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_the_scope(version: str) -> None:
    (scopes, *_), _ = outcome(proper, lambda call: Lifespan(call, version))
    assert scopes == [{"type": "lifespan", "asgi": {"version": version, "spec_version": "2.0"}, "state": {}}]
    assert list(scopes[0]) == ["type", "asgi", "state"]


def test_a_loop_that_ends_first_cancels_the_app() -> None:
    async def main() -> None:
        lifespan = Lifespan(app, "3.0")
        await lifespan.startup()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()

    with recorded() as lines:
        asyncio.run(main())
    assert lines[-1] == ("INFO", "ASGI 'lifespan' protocol appears unsupported.", None)  # as under uvicorn
