"""An ASGI app that is none: what it is called with goes to the real app as bytes, over a socket, through a server.

It stands in the app's place in Starlette's TestClient and in httpx's ASGITransport, so that these behave in all else as they always do.
What the wire has no place for (an exception of the app, the end of its background tasks, the code of a WebSocket that was never accepted,
debug events) is taken from the app, which is in this process. Knows hosts and the journal; nothing of pytest or of comparison.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import h11

from ..adapters import Adapter, App
from .host import Call, Host, ServerEnded
from .journal import Exchange, Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE = 30.0  # seconds without a byte
_READ = 65536
_HEAD_MAX = 1 << 20


class NotCarried(Exception):
    """What was asked for has no way over a socket."""


class Hosts:
    """The servers that run, one for each app in each loop, and the journal of what goes to them."""

    def __init__(self, adapter: Adapter, options: list[str], journal: Journal) -> None:
        self.journal = journal
        self._adapter = adapter
        self._options = options
        self._hosts: dict[tuple[int, int], Host] = {}

    @staticmethod
    def _key(app: App) -> tuple[int, int]:
        return id(asyncio.get_running_loop()), id(app)

    def start(self, app: App, lifespan: bool) -> Host:
        host = Host(self._adapter, self._options, app, lifespan)
        self._hosts[self._key(app)] = host
        return host

    def of(self, app: App) -> Host:
        return self._hosts.get(self._key(app)) or self.start(app, lifespan=False)

    def release(self, app: App) -> Host | None:
        """The host of this app in this loop, which is nobody's from now on."""
        return self._hosts.pop(self._key(app), None)

    def release_all(self) -> list[Host]:
        """Those of this loop."""
        loop = id(asyncio.get_running_loop())
        return [self._hosts.pop(key) for key in list(self._hosts) if key[0] == loop]


def name_of(app: Any, modules: Mapping[str, Any] = sys.modules) -> str:
    """module:attribute of an app, where a module holds it: the shortest, of no test module if there is another."""
    found = [
        f"{module_name}:{name}"
        for module_name, module in list(modules.items())
        for name, value in list(getattr(module, "__dict__", {}).items())
        if value is app and not name.startswith("_")
    ]
    return min(found, key=lambda name: ("test" in name, len(name)), default="")


class Carrier:
    """Takes the place of `app`."""

    def __init__(self, app: App, hosts: Hosts, notes: tuple[str, ...] = ()) -> None:
        self.app = app
        self.hosts = hosts
        self._notes = notes
        self._name: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._refuse("an event loop that is not asyncio's")
        for note in self._notes:
            self.hosts.journal.note(note)
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope.get("scheme") in ("https", "wss"):
            self.hosts.journal.note(f"the client says {scope['scheme']}, and no TLS is spoken here: scope['scheme'] is another")
        from .websocket import carry_websocket

        carry = carry_http if scope["type"] == "http" else carry_websocket
        await carry(self, scope, receive, send)

    def _refuse(self, what: str) -> None:
        self.hosts.journal.note(what)
        raise NotCarried(what)

    async def _lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        """The server runs it; the client is told what the app said, and raised what the app raised."""
        await receive()
        host = self.hosts.start(self.app, lifespan=True)
        try:
            await host.witness.started.wait()
            await self._said(host, "startup", send)
            await receive()
        finally:
            self.hosts.release(self.app)
            await host.stop()
        await self._said(host, "shutdown", send)

    async def _said(self, host: Host, phase: str, send: Any) -> None:
        if host.witness.failure is not None:
            await send(host.witness.failure)
        if host.witness.failed is not None:
            raise host.witness.failed
        if host.witness.failure is None:
            await send({"type": f"lifespan.{phase}.complete"})

    def begin(self, scope: Any, host: Host) -> Exchange:
        if self._name is None:
            self._name = name_of(self.app)
        exchange = Exchange(scope.get("method", "GET"), target_of(scope).decode("latin-1"), self._name, host.port)
        self.hosts.journal.test.exchanges.append(exchange)
        return exchange


def target_of(scope: Any) -> bytes:
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string") or b""
    return path.partition(b"?")[0] + (b"?" + query if query else b"")


def connection_of(exchange: Exchange, client_port: int) -> dict[str, Any]:
    """A connection of an observation, to be filled; the client closes it as soon as it has what it came for."""
    exchange.connection = {
        "name": "main",
        "opened": True,
        "responses": [],
        "error": "",
        "rest": b"",
        "websocket": None,
        "stray": 0,
        "client_port": client_port,
        "end": "ours",
    }
    return exchange.connection


class Wire:
    """One connection to a server, read as HTTP/1.1, all that comes over it kept as an observation."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, exchange: Exchange) -> None:
        self.reader, self.writer, self._exchange = reader, writer, exchange
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_MAX)
        self._seen = connection_of(exchange, writer.get_extra_info("sockname")[1])
        self._interim: list[dict[str, Any]] = []
        self._body = bytearray()
        self._asked = b""

    def request(self, method: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Raises NotCarried for what h11 does not write."""
        self._asked = method.encode()
        return self.written(h11.Request(method=method, target=target, headers=headers))

    def written(self, event: Any) -> bytes:
        try:
            data = self.http.send(event)
        except h11.LocalProtocolError as error:
            raise NotCarried(f"the request is none that an HTTP client would send: {error}") from None
        return data or b""

    async def write(self, data: bytes) -> None:
        if data:
            self._sent(data)
            self.writer.write(data)
            await self.writer.drain()

    def _sent(self, data: bytes) -> None:
        steps = self._exchange.steps
        if steps and steps[-1][0] == "send":
            steps[-1] = ("send", steps[-1][1] + data)
        else:
            steps.append(("send", data))

    async def event(self) -> Any:
        """The next event; h11.PAUSED after a 101, h11.ConnectionClosed where it ended. Raises ConnectionError for what is no HTTP."""
        while True:
            try:
                event = self.http.next_event()
            except h11.RemoteProtocolError as error:
                self._seen["error"] = str(error)
                self._exchange.connection["end"] = "closed" if self.reader.at_eof() else "ours"
                raise ConnectionError(f"what the server sent is no HTTP response: {error}") from None
            if event is not h11.NEED_DATA:
                self._keep(event)
                return event
            try:
                data = await asyncio.wait_for(self.reader.read(_READ), PATIENCE)
            except TimeoutError:
                self._seen["end"] = "silent"
                raise ConnectionError(f"the server sends nothing for {PATIENCE:.0f} s") from None
            except ConnectionResetError:
                self._seen["end"] = "reset"
                raise
            self.http.receive_data(data)

    def _keep(self, event: Any) -> None:
        responses = self._seen["responses"]
        if isinstance(event, h11.InformationalResponse) and event.status_code != 101:
            self._interim.append({"status": event.status_code, "reason": bytes(event.reason), "fields": event.headers.raw_items()})
        elif isinstance(event, (h11.Response, h11.InformationalResponse)):
            self._exchange.time = time.time()
            responses.append(self._head(event))
        elif isinstance(event, h11.Data):
            self._body += event.data
            responses[-1]["pieces"] += event.chunk_start
            responses[-1]["body"] = {"length": len(self._body), "hash": 0, "bytes": bytes(self._body)}
        elif isinstance(event, h11.EndOfMessage) and responses:
            responses[-1]["complete"] = True
            responses[-1]["trailers"] = event.headers.raw_items()
        elif isinstance(event, h11.ConnectionClosed):
            self._seen["end"] = "closed"

    def _head(self, event: Any) -> dict[str, Any]:
        names = {bytes(name) for name, _ in event.headers}
        framing = "close"
        if self._asked == b"HEAD" or event.status_code in (101, 204, 304):
            framing = "none"
        elif b"transfer-encoding" in names:
            framing = "chunked"
        elif b"content-length" in names:
            framing = "content-length"
        return {
            "version": event.http_version.decode(),
            "status": event.status_code,
            "reason": bytes(event.reason),
            "fields": [(bytes(name), bytes(value)) for name, value in event.headers.raw_items()],
            "interim": self._interim,
            "framing": framing,
            "pieces": 0,
            "body": {"length": 0, "hash": 0, "bytes": b""},
            "complete": event.status_code == 101,
            "trailers": [],
        }

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass  # it was gone


def fields_of(scope: Any) -> list[tuple[bytes, bytes]]:
    headers = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
    return headers if any(name.lower() == b"host" for name, _ in headers) else [(b"host", b"testserver"), *headers]


async def ended(call: Call) -> None:
    """In memory the app's call, background tasks and all, is over when the client has its answer, and tests count on that."""
    if call.begun:
        try:
            await asyncio.wait_for(call.ended.wait(), PATIENCE)
        except TimeoutError:
            raise ConnectionError(f"the app's call goes on for {PATIENCE:.0f} s after its response") from None


async def opened(host: Host, exchange: Exchange) -> Wire:
    try:
        return Wire(*await host.connect(), exchange)
    except ServerEnded as error:
        exchange.connection = {"opened": False, "why": str(error)}
        raise


async def carry_http(carrier: Carrier, scope: Any, receive: Any, send: Any) -> None:
    host = carrier.hosts.of(carrier.app)
    exchange = carrier.begin(scope, host)
    wire = await opened(host, exchange)
    debug = "http.response.debug" in (scope.get("extensions") or {})
    call = Call(exchange.connection["client_port"], "http", scope["path"], debug)
    host.witness.expect(call)
    sending: asyncio.Task[None] | None = None
    try:
        try:
            head = wire.request(scope["method"], target_of(scope), fields_of(scope))
            sending = asyncio.create_task(_send_body(wire, head, receive))
            await _relay(wire, call, send, sending)
        except NotCarried as error:
            carrier.hosts.journal.note(str(error))
            raise
        except ConnectionError:
            if call.begun and call.ended.is_set() and isinstance(call.raised, Exception):
                raise call.raised from None
            raise
        exchange.steps.append(("wait response", None))
        await ended(call)
        if isinstance(call.raised, Exception):
            raise call.raised
    finally:
        host.witness.forget(call)
        if sending is not None:
            sending.cancel()
        await wire.close()


async def _send_body(wire: Wire, head: bytes, receive: Any) -> None:
    """The content, as the client hands it out. The first write has the head and what follows at once, as a client's has."""
    data = head
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return
        if event.get("body"):
            data += wire.written(h11.Data(data=bytes(event["body"])))
        if not event.get("more_body", False):
            break
        await wire.write(data)
        data = b""
    await wire.write(data + wire.written(h11.EndOfMessage()))


async def _relay(wire: Wire, call: Call, send: Any, sending: asyncio.Task[None]) -> None:
    reading = asyncio.create_task(_receive_response(wire, call, send))
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and isinstance(sending.exception(), NotCarried):
            await sending
        await reading
    finally:
        reading.cancel()


async def _receive_response(wire: Wire, call: Call, send: Any) -> None:
    while True:
        event = await wire.event()
        if isinstance(event, h11.Response):
            for info in call.info:
                await send(info)
            headers = [(bytes(name), bytes(value)) for name, value in event.headers]
            await send({"type": "http.response.start", "status": event.status_code, "headers": headers})
        elif isinstance(event, h11.Data):
            await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
        elif isinstance(event, h11.EndOfMessage):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise ConnectionError("the server closed the connection without a response")
