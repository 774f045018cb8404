"""Apps made of steps, and a stand-in for a server that plays one call of them under the validator."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bridgecheck.spec.validator import Validator, validator

HTTP = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.5"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "root_path": "",
    "query_string": b"",
    "headers": [(b"host", b"probe.test")],
    "client": ("127.0.0.1", 50000),
    "server": ("127.0.0.1", 8000),
    "state": {},
}
WEBSOCKET = {**HTTP, "type": "websocket", "scheme": "ws", "subprotocols": ["chat"]}
LIFESPAN = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}

REQUEST = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}
CONNECT = {"type": "websocket.connect"}
LEFT = {"type": "websocket.disconnect", "code": 1001, "reason": ""}
STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}

RECEIVE = "await receive()"


@dataclass(frozen=True)
class Return:
    value: Any


Step = dict[str, Any] | str | BaseException | Return | Callable[..., Any]  # an event to send, RECEIVE, an end, or steps as code


async def perform(steps: Sequence[Step], scope: dict[str, Any], receive: Any, send: Any) -> Any:
    for step in steps:
        if step is RECEIVE:
            await receive()
        elif isinstance(step, Return):
            return step.value
        elif isinstance(step, BaseException):
            raise step
        elif callable(step):
            await step(scope, receive, send)
        else:
            await send(step)


def application(*steps: Step) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> Any:
        return await perform(steps, scope, receive, send)

    return app


def serve(app: Validator, scope: dict[str, Any], gives: Sequence[Any], refuses: BaseException | None = None) -> list[Any]:
    """One call: receive() gives these events, the last one again and again (None: it waits); send() raises what it refuses with. Gives
    what was sent. An exception of the app's own steps ends the call and no more; a Violation comes through."""
    sent: list[Any] = []

    async def call() -> None:
        left = list(gives)

        async def receive() -> Any:
            await asyncio.sleep(0)
            event = left.pop(0) if len(left) > 1 else (left[0] if left else None)
            if event is None:
                await asyncio.sleep(3600)
            return event

        async def send(message: Any) -> None:
            sent.append(message)
            await asyncio.sleep(0)
            if refuses is not None:
                raise refuses

        await app(dict(scope), receive, send)

    asyncio.run(asyncio.wait_for(call(), 5))
    return sent


def rules_of(steps: Sequence[Step], scope: dict[str, Any], gives: Sequence[Any], refuses: BaseException | None = None) -> set[str]:
    """The rules that an app of these steps breaks."""
    app = validator(application(*steps), on_violation="collect")
    try:
        serve(app, scope, gives, refuses)
    except Exception as error:
        if not any(error is step for step in steps) and error is not refuses and not isinstance(error, LookupError):
            raise
    return {violation.rule for violation in app.violations}
