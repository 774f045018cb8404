"""Facts of a WebSocket: what the server sent over it, and the messages that the app received and sent.

One way only, as fact.py, which calls this. Knows nothing of other observations, of noise or of weights.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .content import Content
from .value import Long, leaf, plain, text, type_name

if TYPE_CHECKING:
    from .fact import Facts

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_TYPES = {1: "text", 2: "binary"}
_CONTINUATION, _CLOSE, _PING, _PONG = 0, 8, 9, 10
_KEYS = {"text": "text", "bytes": "binary"}

Wire = Callable[[bytes], bytes]  # replaces what differs by our own doing


@dataclass(frozen=True)
class Message:
    """What a message says. `data` is None where it was too long to be carried whole."""

    type: str
    data: bytes | None
    length: int
    hash: int = 0

    @classmethod
    def of_event(cls, keys: dict[Any, Any]) -> Message:
        """Of a `websocket.receive` or `websocket.send`, whatever is wrong with it."""
        held = [key for key in _KEYS if keys.get(key) is not None]
        value = plain(keys[held[-1]]) if held else b""
        type_ = _KEYS[held[0]] if len(held) == 1 else "both" if held else "none"
        if isinstance(value, Long):
            return cls(type_, None, value.length, value.hash)
        data = value if isinstance(value, bytes) else (value if isinstance(value, str) else text(value)).encode("utf-8", "surrogatepass")
        return cls(type_, data, len(data))

    @classmethod
    def of_wire(cls, message: dict[str, Any]) -> Message:
        body = message["body"]
        whole = len(body["bytes"]) == body["length"]
        return cls(_TYPES.get(message["opcode"], "none"), body["bytes"] if whole else None, body["length"], body["hash"])

    def says(self, other: Message) -> bool:
        """Whether it is the same; `other` came over the wire."""
        if self.type != other.type or self.length != other.length:
            return False
        if self.data is not None and other.data is not None:
            return self.data == other.data
        return self.data is not None or self.hash == other.hash  # one that only the app's side holds whole is told by its length

    def content(self, wire: Wire) -> Content:
        data, length = self.data, self.length
        if data is not None:
            data = wire(data)
            length = len(data)
        # Nothing says that a text is JSON but the text itself.
        json = self.type == "text" and data is not None and data[:1] in (b"{", b"[")
        return Content.of(data, length, self.hash, "", "application/json" if json else "")


def event_facts(facts: Facts, place: str, side: str, keys: dict[Any, Any], wire: Wire) -> None:
    """A message that passed through receive() or send()."""
    message = Message.of_event(keys)
    facts[place, f"{side}.message"] = True
    facts[place, f"{side}.message.type"] = message.type
    facts[place, f"{side}.message.body"] = message.content(wire)
    for key in _KEYS:
        facts[place, f"{side}.message.key[{key}]"] = type_name(leaf(keys[key])) if key in keys else "absent"


@dataclass
class Said:
    """What the app said over a WebSocket, as far as its send() did not raise."""

    messages: list[Message]
    close: tuple[int, bytes] | None  # code and reason of its close

    @classmethod
    def of(cls, records: Iterable[dict[str, Any]]) -> Said:
        pending: list[dict[Any, Any]] = []
        said: list[dict[Any, Any]] = []
        for record in records:
            if record["kind"] == "send":
                event = plain(record["event"])
                pending.append(event if type(event) is dict else {})
            elif record["kind"] in ("sent", "send raised") and pending:
                event = pending.pop(0)
                said += [event] if record["kind"] == "sent" else []
        said += pending
        messages = [Message.of_event(event) for event in said if event.get("type") == "websocket.send"]
        closes = [event for event in said if event.get("type") == "websocket.close"]
        return cls(messages, _close_of_event(closes[0]) if closes else None)


def _close_of_event(event: dict[Any, Any]) -> tuple[int, bytes] | None:
    code, reason = plain(event.get("code", 1000)), plain(event.get("reason"))
    if not isinstance(code, int) or not isinstance(reason, (str, type(None))):
        return None  # what that should have become, nobody knows
    return code, (reason or "").encode("utf-8", "surrogatepass")


def _close_of_wire(payload: bytes) -> tuple[int | str, bytes]:
    if len(payload) < 2:
        return "malformed" if payload else "none", b""
    return int.from_bytes(payload[:2]), payload[2:]


def accepts(key: bytes, values: tuple[Any, ...]) -> bool:
    """Whether these are the values of Sec-WebSocket-Accept that the key asks for: one, and the right one."""
    return values == (base64.b64encode(hashlib.sha1(key + _GUID).digest()),)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def socket_facts(facts: Facts, place: str, socket: dict[str, Any], end: str, said: Said | None, wire: Wire) -> None:
    """What the server sent. `end` is the connection's, `said` what the app had it send, where that is known."""
    frames: dict[int, list[dict[str, Any]]] = {}
    for message in socket["messages"]:
        frames.setdefault(message["opcode"], []).append(message)
    messages = [message for message in socket["messages"] if message["opcode"] in (*_TYPES, _CONTINUATION)]
    facts[place, "socket"] = True
    facts[place, "socket.ping"] = len(frames.get(_PING, ()))
    facts[place, "socket.pong"] = tuple(frame["body"]["bytes"] for frame in frames.get(_PONG, ()))
    closed = _CLOSE in frames
    facts[place, "socket.close"] = closed
    facts[place, "socket.end"] = "dropped" if end == "closed" and not closed else end
    faults = dict(socket["faults"])
    if socket["error"] and socket["error"] != "LENGTH_TOO_LARGE":  # which is a fault already
        faults[socket["error"].lower().replace("_", "-")] = 1
    for number, message in enumerate(messages, 1):
        own = said.messages[number - 1 : number] if said else None
        faults["utf-8"] = faults.get("utf-8", 0) + _message(facts, f"{place} message {number}", message, own, wire)
    if closed:
        code, reason = _close_of_wire(frames[_CLOSE][0]["body"]["bytes"])
        facts[place, "socket.close.code"] = code
        facts[place, "socket.close.reason"] = reason
        faults["utf-8"] = faults.get("utf-8", 0) + (not _is_text(reason))
        if said and said.close:
            _altered(facts, place, "code", code != said.close[0])
            _altered(facts, place, "reason", reason != said.close[1])
    elif said and said.close:
        _altered(facts, place, "close", True)
    if said:
        _altered(facts, place, "count", len(messages) != len(said.messages))
    for name, count in faults.items():
        if count:
            facts[place, f"socket.fault[{name}]"] = count


def _altered(facts: Facts, place: str, part: str, altered: bool) -> None:
    if altered:
        facts[place, f"socket.altered[{part}]"] = True


def _message(facts: Facts, place: str, message: dict[str, Any], own: list[Message] | None, wire: Wire) -> bool:
    """One message. Gives whether it is a text that is none."""
    came = Message.of_wire(message)
    facts[place, "message"] = True
    facts[place, "message.type"] = came.type
    facts[place, "message.body"] = came.content(wire)
    facts[place, "message.complete"] = message["complete"]
    facts[place, "message.fragments"] = "several" if message["frames"] > 1 else "one"
    facts[place, "message.compressed"] = message["compressed"]
    if own is not None and not (own and own[0].says(came)):
        facts[place, "message.altered"] = True
    return came.type == "text" and not _is_text(came.data or b"")
