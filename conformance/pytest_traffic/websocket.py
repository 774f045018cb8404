"""A WebSocket of a test, carried as the handshake and the frames that a client sends.

Knows what carrier.py does with HTTP, and goes on from there; the frames are the websockets package's.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import h11
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side, State

from .carrier import Carrier, NotCarried, Wire, ended, fields_of, opened, target_of
from .host import Call
from .journal import Exchange

_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # the same every time, so that what is recorded is
_OWN_FIELDS = {b"connection", b"upgrade", b"date", b"server"} | {
    b"sec-websocket-" + name for name in (b"accept", b"protocol", b"extensions")
}
_READ = 65536
_CLOSING = 2.0  # seconds for the closing handshake, and then for the app
_GONE = (anyio.ClosedResourceError, anyio.BrokenResourceError)  # the test's session has been left


def _handshake(scope: Any) -> list[tuple[bytes, bytes]]:
    """The client's fields, with what TestClient leaves out, or says as no client would."""
    fields = [(name, _KEY if name.lower() == b"sec-websocket-key" else value) for name, value in fields_of(scope)]
    names = {name.lower() for name, _ in fields}
    needed = [(b"connection", b"upgrade"), (b"upgrade", b"websocket"), (b"sec-websocket-key", _KEY), (b"sec-websocket-version", b"13")]
    return fields + [(name, value) for name, value in needed if name not in names]


async def carry_websocket(carrier: Carrier, scope: Any, receive: Any, send: Any) -> None:
    await receive()  # websocket.connect
    host = carrier.hosts.of(carrier.app)
    exchange = carrier.begin(scope, host)
    wire = await opened(host, exchange)
    call = Call(exchange.connection["client_port"], "websocket", scope["path"])
    host.witness.expect(call)
    try:
        try:
            await wire.write(wire.request("GET", target_of(scope), _handshake(scope)) + wire.written(h11.EndOfMessage()))
        except NotCarried as error:
            carrier.hosts.journal.note(str(error))
            raise
        answer = await wire.event()
        while isinstance(answer, h11.InformationalResponse) and answer.status_code != 101:
            answer = await wire.event()
        if isinstance(answer, h11.InformationalResponse):
            await _talk(wire, exchange, call, answer, receive, send)
        else:
            await _refused(wire, exchange, call, answer, send)
        await ended(call)
        if isinstance(call.raised, Exception):
            raise call.raised
    finally:
        host.witness.forget(call)
        await wire.close()


async def _refused(wire: Wire, exchange: Exchange, call: Call, answer: Any, send: Any) -> None:
    """No 101. Where the app closed, the test is told as it said; else it is told what came, a denial response."""
    body = b""
    while isinstance(event := await wire.event(), h11.Data):
        body += bytes(event.data)
    exchange.steps.append(("wait response", None))
    await ended(call)
    if isinstance(call.raised, Exception):
        return
    if call.refused is not None:
        await send(call.refused)
        return
    if not isinstance(answer, h11.Response):
        raise ConnectionError("the server closed the connection without a response")
    headers = [(bytes(name), bytes(value)) for name, value in answer.headers]
    await send({"type": "websocket.http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})


class _Frames:
    """What is said over an open WebSocket."""

    def __init__(self, wire: Wire, exchange: Exchange) -> None:
        self._wire = wire
        self._exchange = exchange
        self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
        self._socket = {"key": _KEY, "messages": [], "faults": {}, "error": ""}
        exchange.connection["websocket"] = self._socket
        self._open: dict[str, Any] | None = None  # a message that goes on
        self.closed = asyncio.Event()  # by us

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._wire.writer.write(data)
        await self._wire.writer.drain()

    async def say(self, event: Any) -> None:
        if event.get("text") is not None:
            self._protocol.send_text(event["text"].encode("utf-8", "surrogatepass"))
            self._exchange.steps.append(("frame text", event["text"]))
        else:
            self._protocol.send_binary(event.get("bytes") or b"")
            self._exchange.steps.append(("frame binary", event.get("bytes") or b""))
        await self._flush()

    async def close(self, code: int | None, reason: str) -> None:
        if not self.closed.is_set() and self._protocol.state is State.OPEN:
            self._protocol.send_close(None if code in (None, 1005, 1006) else code, reason if code not in (None, 1005, 1006) else "")
            self._exchange.steps.append(("frame close", (code, reason)))
            await self._flush()
        self.closed.set()

    async def events(self, first: bytes) -> Any:
        """Messages as ASGI events, the last one a close."""
        data = first
        while True:
            if data:
                self._protocol.receive_data(data)
            for frame in self._protocol.events_received():
                event = self._frame(frame)
                if event is not None:
                    yield event
                    if event["type"] == "websocket.close":
                        await self._flush()
                        return
            await self._flush()
            if self._protocol.parser_exc is not None:
                self._socket["error"] = str(self._protocol.parser_exc)
                return
            try:
                data = await self._wire.reader.read(_READ)
            except ConnectionResetError:
                data = b""
                self._exchange.connection["end"] = "reset"
            if not data:
                if self._exchange.connection["end"] != "reset":
                    self._exchange.connection["end"] = "closed"
                yield {"type": "websocket.close", "code": 1006, "reason": ""}
                return

    def _frame(self, frame: Any) -> dict[str, Any] | None:
        data = bytes(frame.data)
        if frame.opcode is Opcode.CONT and self._open is not None:
            message = self._open
            message["frames"] += 1
            data = message["body"]["bytes"] + data
        else:
            message = {"opcode": int(frame.opcode), "frames": 1, "compressed": frame.rsv1, "complete": False}
            self._socket["messages"].append(message)
        message["body"] = {"length": len(data), "hash": 0, "bytes": data}
        message["complete"] = frame.fin
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._open = None if frame.fin else message
            if not frame.fin:
                return None
            self._exchange.steps.append(("wait message", None))
            if message["opcode"] == Opcode.TEXT:
                return {"type": "websocket.send", "text": data.decode("utf-8", "surrogateescape")}
            return {"type": "websocket.send", "bytes": data}
        if frame.opcode is Opcode.CLOSE:
            self._exchange.steps.append(("wait frame close", None))
            code = int.from_bytes(data[:2], "big") if len(data) >= 2 else 1005
            return {"type": "websocket.close", "code": code, "reason": data[2:].decode("utf-8", "replace")}
        return None


async def _talk(wire: Wire, exchange: Exchange, call: Call, answer: Any, receive: Any, send: Any) -> None:
    first, _ = wire.http.trailing_data
    frames = _Frames(wire, exchange)
    named = {bytes(name): bytes(value) for name, value in answer.headers}
    subprotocol = named.get(b"sec-websocket-protocol")
    headers = [(bytes(name), bytes(value)) for name, value in answer.headers if bytes(name) not in _OWN_FIELDS]
    await send({"type": "websocket.accept", "subprotocol": subprotocol.decode() if subprotocol else None, "headers": headers})

    async def up() -> None:
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                await frames.close(event.get("code", 1000), event.get("reason") or "")
                return
            if event["type"] == "websocket.receive":
                await frames.say(event)

    async def down() -> None:
        async for event in frames.events(bytes(first)):
            if event["type"] == "websocket.close" and not frames.closed.is_set():
                if call.begun and not call.ended.is_set():
                    await asyncio.wait({asyncio.ensure_future(call.ended.wait())}, timeout=_CLOSING)
                if isinstance(call.raised, Exception):
                    return  # the test is to see that
            try:
                await send(event)
            except _GONE:
                pass

    # Tasks of asyncio's own, which a session that is left does not cancel: the WebSocket is closed first, as a client would.
    upward, downward = asyncio.create_task(up()), asyncio.create_task(down())
    try:
        await asyncio.wait({downward})
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await asyncio.wait({upward}, timeout=_CLOSING)
            await asyncio.wait({downward}, timeout=_CLOSING)
            if call.begun and not call.ended.is_set():
                await asyncio.wait({asyncio.ensure_future(call.ended.wait())}, timeout=_CLOSING)
        raise
    finally:
        for task in (upward, downward):
            task.cancel()
        await asyncio.gather(upward, downward, return_exceptions=True)
    if not downward.cancelled() and (error := downward.exception()) is not None:
        raise error
