"""The app's lifespan: one call of the app, as long as the server. Knows ASGI's lifespan events and what uvicorn logs of them; no more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .logs import logger

_TRANSITION = "Got invalid state transition on lifespan protocol."


class Lifespan:
    """`mode`: "off" never calls the app, "on" ends the server where the app raises, "auto" takes that for an app that has no lifespan.

    After startup() or shutdown() `should_exit` says whether the app has failed in it.
    """

    def __init__(self, app: Callable[..., Awaitable[Any]], asgi_version: str, mode: str = "auto") -> None:
        self.state: dict[str, Any] = {}
        self.should_exit = False
        self._app = app
        self._asgi_version = asgi_version
        self._mode = mode
        self._events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._started = asyncio.Event()
        self._ended = asyncio.Event()
        self._raised = False
        self._startup_failed = False
        self._shutdown_failed = False

    async def startup(self) -> None:
        if self._mode == "off":
            return
        logger.info("Waiting for application startup.")
        self._task = asyncio.get_running_loop().create_task(self._run())  # kept: the loop itself holds tasks weakly
        await self._events.put({"type": "lifespan.startup"})
        await self._started.wait()
        self._conclude("startup", self._startup_failed)

    async def shutdown(self) -> None:
        if self._mode == "off" or self._raised:
            return
        logger.info("Waiting for application shutdown.")
        await self._events.put({"type": "lifespan.shutdown"})
        await self._ended.wait()
        self._conclude("shutdown", self._shutdown_failed)

    def _conclude(self, phase: str, failed: bool) -> None:
        if failed or (self._raised and self._mode == "on"):
            logger.error(f"Application {phase} failed. Exiting.")
            self.should_exit = True
        else:
            logger.info(f"Application {phase} complete.")

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": self._asgi_version, "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self.receive, self.send)
        except BaseException as error:
            self._raised = True
            if self._startup_failed or self._shutdown_failed:
                return  # it has said so itself
            if self._mode == "auto":
                logger.info("ASGI 'lifespan' protocol appears unsupported.")
            else:
                logger.error("Exception in 'lifespan' protocol\n", exc_info=error)
        finally:
            self._started.set()  # an app that returns without a word has started, and ended
            self._ended.set()

    async def receive(self) -> dict[str, str]:
        return await self._events.get()

    async def send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        # AssertionError is what uvicorn raises. No assert statement, since pytest puts words of its own into those.
        if kind not in ("lifespan.startup.complete", "lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            raise AssertionError
        in_startup = kind.startswith("lifespan.startup")
        if self._started.is_set() is in_startup or self._ended.is_set():
            raise AssertionError(_TRANSITION)
        (self._started if in_startup else self._ended).set()
        if kind.endswith("failed"):
            if in_startup:
                self._startup_failed = True
            else:
                self._shutdown_failed = True
            if text := message.get("message"):
                logger.error(text)
