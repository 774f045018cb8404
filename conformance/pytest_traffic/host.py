"""A server inside the tests' own process, and what is seen there of the app that it serves.

The app of a test lives in the test's process: fixtures, overrides and patches reach into it. So the server runs there too, in the event
loop that the app is called in, and only bytes between client and server take the way of production. Knows adapters; nothing of what is
sent, of pytest or of comparison.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
from dataclasses import dataclass, field
from typing import Any

from ..adapters import Adapter, App

START_PATIENCE = 10.0  # seconds
STOP_PATIENCE = 10.0
_POLL = 0.002


class ServerEnded(ConnectionError):
    """The server is not there any more, or never was."""


@dataclass
class Call:
    """A request that was sent, and the call of the app that came of it, if one did."""

    port: int  # the client's
    type: str
    path: str
    debug: bool = False  # the client takes debug events
    begun: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    raised: BaseException | None = None
    refused: dict[str, Any] | None = None  # websocket.close before accept: HTTP has no place for its code and reason
    info: list[dict[str, Any]] = field(default_factory=list)  # debug events


class Witness:
    """Stands between server and app, passes all on, and keeps what the wire has no place for."""

    def __init__(self, app: App, lifespan: bool) -> None:
        self._app = app
        self._lifespan = lifespan
        self._waiting: list[Call] = []
        self.started = asyncio.Event()  # the app's lifespan has begun, or could not
        self.failed: BaseException | None = None  # what the lifespan raised
        self.failure: dict[str, Any] | None = None  # lifespan.startup.failed or lifespan.shutdown.failed

    def expect(self, call: Call) -> None:
        self._waiting.append(call)

    def forget(self, call: Call) -> None:
        if call in self._waiting:
            self._waiting.remove(call)

    def _claim(self, scope: dict[str, Any]) -> Call | None:
        client = scope.get("client")
        port = str(client[1]) if client else ""  # some servers give it as a text
        for same in (lambda call: str(call.port) == port, lambda call: (call.type, call.path) == (scope["type"], scope["path"])):
            found = next(filter(same, self._waiting), None)
            if found:
                self._waiting.remove(found)
                return found
        return None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._span(scope, receive, send)
            return
        call = self._claim(scope)
        if call is None:
            await self._app(scope, receive, send)
            return
        call.begun = True
        accepted = False
        if call.debug:
            scope["extensions"] = {**(scope.get("extensions") or {}), "http.response.debug": {}}

        async def seen(event: Any) -> None:
            nonlocal accepted
            if event["type"] == "http.response.debug" and call.debug:
                call.info.append(event)
                return
            if event["type"] == "websocket.close" and not accepted:
                call.refused = dict(event)
            accepted = accepted or event["type"] == "websocket.accept"
            await send(event)

        try:
            await self._app(scope, receive, seen)
        except BaseException as error:
            call.raised = error
            raise
        finally:
            call.ended.set()

    async def _span(self, scope: Any, receive: Any, send: Any) -> None:
        if not self._lifespan:
            raise NotImplementedError("lifespan")  # the test did not ask for one; to a server this is an app that has none

        async def seen(event: Any) -> None:
            if event["type"].endswith(".failed"):
                self.failure = dict(event)
            await send(event)
            if event["type"].startswith("lifespan.startup."):
                self.started.set()

        try:
            await self._app(scope, receive, seen)
        except BaseException as error:
            self.failed = error
            raise
        finally:
            self.started.set()


class Host:
    """One server with one app, in the running loop."""

    def __init__(self, adapter: Adapter, options: list[str], app: App, lifespan: bool) -> None:
        self.witness = Witness(app, lifespan)
        self._stop = asyncio.Event()
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # for a server that binds for itself
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        serving = adapter.serve(self.witness, self._socket, options, lifespan, self._stop)
        # A server does not run in the context of its client.
        self._task = asyncio.create_task(self._run(serving), context=contextvars.Context())

    async def _run(self, serving: Any) -> str:
        try:
            await serving
            return "the server ended"
        except SystemExit as error:  # would end the loop
            return f"the server exited with {error.code}"
        except Exception as error:
            return f"the server ended: {type(error).__name__}: {error}"
        finally:
            self.witness.started.set()
            self._socket.close()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = asyncio.get_running_loop().time() + START_PATIENCE
        while True:
            if self._task.done():
                raise ServerEnded("cancelled" if self._task.cancelled() else self._task.result())
            try:
                return await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise ServerEnded(f"the server does not listen after {START_PATIENCE:.0f} s") from None
            await asyncio.sleep(_POLL)

    def end(self) -> None:
        """Begin to stop."""
        self._stop.set()

    async def stop(self) -> None:
        self.end()
        _, late = await asyncio.wait({self._task}, timeout=STOP_PATIENCE)
        if late:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=STOP_PATIENCE)
