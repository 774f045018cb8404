"""The faces of a request's cycle: `run`, which is the task, and `receive` and `send`, which the app is given.

They are plain coroutine functions of a few lines, since apps and libraries ask whether they are (`inspect.iscoroutinefunction`,
`asyncio.create_task(receive())`, anyio's `start_soon`), and so is what the task runs. All that they do is the cycle's, in C; here stands
only what has to wait. Each `finally` gives back a future that nobody waits for any more.
"""

from typing import TYPE_CHECKING, Any

from .logs import logger

if TYPE_CHECKING:
    from ._bridge import Cycle

_PLAIN = (b"content-type", b"text/plain; charset=utf-8")
_CLOSE = (b"connection", b"close")


async def run(cycle: "Cycle") -> None:
    """Call the app, and see that its request does not stay without an end."""
    try:
        result = await cycle.call()
    except BaseException as error:
        logger.error("Exception in ASGI application\n", exc_info=error)
        await _fail(cycle)
    else:
        if result is not None:
            logger.error("ASGI callable should return None, but returned '%s'.", result)
            cycle.close()
        elif not cycle.over:
            part = "completing" if cycle.started else "starting"
            logger.error(f"ASGI callable returned without {part} response.")
            await _fail(cycle)
    finally:
        cycle.finish()


async def receive(cycle: "Cycle") -> dict[str, Any]:
    event = cycle.receive()
    if event is None:
        future = cycle.receiver()
        try:
            await future
        finally:
            cycle.forget(future)
        event = cycle.received()
    return event


async def send(cycle: "Cycle", message: dict[str, Any]) -> None:
    future = cycle.send(message)
    if future is not None:
        try:
            await future
        finally:
            cycle.forget(future)
        cycle.sent(message)


async def unavailable(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The app of a request that is beyond the concurrency limit."""
    headers = [_PLAIN, (b"content-length", b"19"), _CLOSE]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"Service Unavailable", "more_body": False})


async def _fail(cycle: "Cycle") -> None:
    if cycle.started:
        cycle.close()
        return
    headers = [_PLAIN, (b"content-length", b"21"), _CLOSE]
    await send(cycle, {"type": "http.response.start", "status": 500, "headers": headers})
    await send(cycle, {"type": "http.response.body", "body": b"Internal Server Error", "more_body": False})
