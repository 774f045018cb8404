"""Facts: an observation as a flat mapping from place and path to value, as docs/observation.md names them.

One way only: observation in, facts out. Knows nothing of other observations, of noise or of weights.
"""

import marshal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .content import Content

Key = tuple[str, str]  # place ("main response 1", "main call 1", "" for the whole exchange), path
Facts = dict[Key, Any]


@dataclass(frozen=True)
class Address:
    """Where a target listens: what is replaced by a placeholder, since it differs by our own doing."""

    host: str
    port: int

    def wire(self, value: bytes) -> bytes:
        """The port where it follows the host in a field or in content."""
        own = f"{self.host}:{self.port}".encode()
        return value.replace(own, self.host.encode() + b":{port}") if own in value else value


@dataclass(frozen=True)
class Port:
    """A port that we chose, the target's or the player's: another in each replay. The type it had is the fact."""

    type: str


def _chosen(value: Any, port: int) -> Any:
    """A placeholder for a port that we chose, as int, text or octets; anything else as it is."""
    return Port(type(value).__qualname__) if port and value in (port, str(port), str(port).encode()) else value


def _word(name: bytes | str) -> str:
    return name.decode("latin-1").lower() if isinstance(name, bytes) else str(name).lower()


def _by_name(fields: Iterable[tuple[Any, Any]], clean: Callable[[Any], Any]) -> dict[str, tuple[Any, ...]]:
    named: dict[str, tuple[Any, ...]] = {}
    for name, value in fields:
        key = _word(name)
        named[key] = (*named.get(key, ()), clean(value))
    return named


def _first(named: dict[str, tuple[Any, ...]], name: str) -> str:
    values = named.get(name)
    return values[0].decode("latin-1").lower().partition(";")[0].strip() if values and isinstance(values[0], bytes) else ""


def _response(facts: Facts, place: str, response: dict[str, Any], address: Address) -> None:
    named = _by_name(response["fields"], lambda value: address.wire(value.strip(b" \t")))
    facts[place, "response"] = True
    facts[place, "response.status"] = response["status"]
    facts[place, "response.reason"] = response["reason"]
    facts[place, "response.version"] = response["version"]
    for name, values in named.items():
        facts[place, f"response.field[{name}]"] = values
    facts[place, "response.field-order"] = tuple(named)
    facts[place, "response.field-case"] = tuple(sorted({name.decode("latin-1") for name, _ in response["fields"]}, key=str.lower))
    facts[place, "response.framing"] = response["framing"]
    facts[place, "response.complete"] = response["complete"]
    facts[place, "response.interim"] = tuple(interim["status"] for interim in response["interim"])
    if response["framing"] == "chunked":  # elsewhere a piece is what one read happened to bring
        facts[place, "response.pieces"] = "several" if response["pieces"] > 1 else "one"
    for name, values in _by_name(response["trailers"], lambda value: value.strip(b" \t")).items():
        facts[place, f"response.trailer[{name}]"] = values
    body = response["body"]
    whole = len(body["bytes"]) == body["length"]
    facts[place, "response.body"] = Content.of(
        address.wire(body["bytes"]) if whole else None,
        body["length"],
        body["hash"],
        _first(named, "content-encoding"),
        _first(named, "content-type"),
    )


def _flatten(facts: Facts, place: str, path: str, value: Any) -> None:
    """A value of a scope or event: containers by their parts and their exact type, leaves as they are."""
    if type(value) is dict:
        facts[place, path] = dict  # the container itself is a fact: an empty one is not a missing one
        for key, item in value.items():
            _flatten(facts, place, f"{path}.{key}", item)
    elif type(value) in (list, tuple):
        facts[place, path] = type(value)
        for index, item in enumerate(value):
            _flatten(facts, place, f"{path}[{index}]", item)
    else:
        facts[place, path] = value


def _shape(value: Any) -> str:
    """A container of pairs by the types it is made of: "list of tuple of bytes, bytes"."""
    if type(value) not in (list, tuple):
        return type(value).__qualname__
    shapes = sorted(
        {f"{type(pair).__qualname__} of {', '.join(type(item).__qualname__ for item in pair)}" for pair in value if _is_pair(pair)}
    )
    return f"{type(value).__qualname__} of {' or '.join(shapes)}" if shapes else type(value).__qualname__


def _is_pair(value: Any) -> bool:
    return type(value) in (list, tuple) and len(value) == 2


def _scope(facts: Facts, place: str, scope: Any, address: Address, client_port: int) -> None:
    if type(scope) is not dict:
        facts[place, "scope"] = type(scope).__qualname__
        return
    facts[place, "scope"] = dict
    for key, value in scope.items():
        path = f"scope.{key}"
        if key == "headers" and type(value) in (list, tuple) and all(_is_pair(pair) for pair in value):
            facts[place, path] = type(value)
            if value:
                facts[place, "scope.headers-shape"] = _shape(value)
            named: dict[str, tuple[Any, ...]] = {}
            for name, item in value:
                text = name.decode("latin-1") if isinstance(name, bytes) else str(name)
                named[text] = (*named.get(text, ()), item)
            for name, values in named.items():
                facts[place, f"{path}[{name}]"] = values
            facts[place, "scope.headers-order"] = tuple(named)
        elif key in ("server", "client") and _is_pair(value):
            facts[place, path] = type(value)
            facts[place, f"{path}[0]"] = value[0]
            facts[place, f"{path}[1]"] = _chosen(value[1], address.port if key == "server" else client_port)
        else:
            _flatten(facts, place, path, value)


def _inline(events: list[dict[str, Any]], address: Address) -> bytes | None:
    """The content of a stream, where every piece of it was short enough to be carried whole."""
    pieces = []
    for event in events:
        body = event["event"].get("body", b"")
        if isinstance(body, dict):
            return None
        if isinstance(body, bytes):
            pieces.append(body)
    return address.wire(b"".join(pieces))


def _stream(facts: Facts, place: str, side: str, events: list[dict[str, Any]], address: Address, coding: str, media_type: str) -> None:
    if not events:
        return
    last = events[-1]
    facts[place, f"{side}.body"] = Content.of(_inline(events, address), last["total"], last["hash"], coding, media_type)
    facts[place, f"{side}.body-end"] = not last["event"].get("more_body", False)
    facts[place, f"{side}.pieces"] = "several" if len(events) > 1 else "one"


def _dicts(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == kind and type(event["event"]) is dict]


def _receive(facts: Facts, place: str, events: list[dict[str, Any]], address: Address) -> None:
    received = _dicts(events, "received")
    content = [event for event in received if event["event"].get("type") == "http.request"]
    _stream(facts, place, "receive", content, address, "", "")
    keys = tuple(
        sorted({f"{key} {type(value).__qualname__ if key != 'body' else 'bytes'}" for e in content for key, value in e["event"].items()})
    )
    if keys:
        facts[place, "receive.keys"] = keys
    sends = [index for index, event in enumerate(events) if event["kind"] == "send"]
    disconnects = [
        index
        for index, event in enumerate(events)
        if event["kind"] == "received" and _type(event) in ("http.disconnect", "websocket.disconnect")
    ]
    facts[place, "receive.disconnect"] = any(not sends or index < sends[-1] for index in disconnects) and not _finished(events, disconnects)
    facts[place, "receive.disconnect-late"] = bool(disconnects) and not facts[place, "receive.disconnect"]
    known = ("http.request", "http.disconnect")
    facts[place, "receive.types"] = _folded(kind for kind in map(_type, received) if kind not in known)
    facts[place, "receive.raised"] = _folded(
        event["raised"]["type"] for event in events if event["kind"] == "receive raised" and "Cancelled" not in event["raised"]["type"]
    )


def _finished(events: list[dict[str, Any]], disconnects: list[int]) -> bool:
    """Whether the response had been sent whole before the first disconnect."""
    return any(
        event["kind"] == "send" and _type(event) == "http.response.body" and not event["event"].get("more_body", False)
        for event in events[: disconnects[0]]
    )


def _type(event: dict[str, Any]) -> str:
    return str(event["event"].get("type")) if type(event["event"]) is dict else type(event["event"]).__qualname__


def _folded(words: Iterable[str]) -> tuple[str, ...]:
    folded: list[str] = []
    for word in words:
        if not folded or folded[-1] != word:
            folded.append(word)
    return tuple(folded)


def _send(facts: Facts, place: str, events: list[dict[str, Any]], address: Address) -> None:
    sent = _dicts(events, "send")
    starts = [event["event"] for event in sent if _type(event) == "http.response.start"]
    named: dict[str, tuple[Any, ...]] = {}
    if starts:
        facts[place, "send.status"] = starts[0].get("status")
        fields = starts[0].get("headers", ())
        if type(fields) in (list, tuple) and all(_is_pair(pair) for pair in fields):
            named = _by_name(fields, lambda value: address.wire(value) if isinstance(value, bytes) else value)
        for name, values in named.items():
            facts[place, f"send.field[{name}]"] = values
    facts[place, "send.types"] = _folded(_type(event) for event in events if event["kind"] == "send")
    content = [event for event in sent if _type(event) == "http.response.body"]
    _stream(facts, place, "send", content, address, _first(named, "content-encoding"), _first(named, "content-type"))
    raised = [event["raised"] for event in events if event["kind"] == "send raised"]
    facts[place, "send.raised"] = tuple(item["type"] for item in raised)
    facts[place, "send.raised-text"] = tuple(item["message"] for item in raised)
    facts[place, "send.result"] = _folded(
        type(event["result"]).__qualname__ for event in events if event["kind"] == "sent" and event["result"] is not None
    )


def _answered_early(events: list[dict[str, Any]]) -> bool:
    for event in events:
        if event["kind"] == "send":
            return True
        if event["kind"] == "received" and _type(event) == "http.request" and not event["event"].get("more_body", False):
            return False
    return False


def call_facts(facts: Facts, place: str, call: dict[str, Any], address: Address, client_port: int = 0) -> None:
    """All facts of one call of the app, under `place`. `client_port` is the one that the player sent from."""
    events = call["events"]
    facts[place, "call"] = True
    _scope(facts, place, call["scope"], address, client_port)
    _receive(facts, place, events, address)
    _send(facts, place, events, address)
    facts[place, "answer-before-body-end"] = _answered_early(events)
    facts[place, "call.end"] = call["end"]
    raised = call["raised"]
    if raised:
        facts[place, "call.raised"] = raised["type"]
        facts[place, "call.raised-text"] = raised["message"]
    if call["end"] == "returned" and call["result"] is not None:
        facts[place, "call.result"] = type(call["result"]).__qualname__
    for name, value in call["properties"].items():
        if name != "recorder":
            facts[place, f"face.{name}"] = value


def facts_of(observation: dict[str, Any], address: Address) -> Facts:
    """The facts of one observation, as docs/observation.md lists them."""
    facts: Facts = {}
    for connection in observation["connections"]:
        name = connection["name"]
        facts[name, "connection"] = connection["opened"]
        facts[name, "end"] = connection["end"]
        facts[name, "stray"] = connection["stray"]
        if connection["error"]:
            facts[name, "garbage"] = connection["error"]
        for number, response in enumerate(connection["responses"], 1):
            _response(facts, f"{name} response {number}", response, address)
    counts: dict[str, int] = {}
    ports = {connection["name"]: connection["client_port"] for connection in observation["connections"]}
    for call in observation["calls"]:
        counts[call["connection"]] = number = counts.get(call["connection"], 0) + 1
        call_facts(facts, f"{call['connection']} call {number}", call, address, ports.get(call["connection"], 0))
    for line, fault in observation["steps"]:
        facts[f"line {line}", "script"] = fault
    return facts


def _image(observation: dict[str, Any], address: Address) -> bytes | None:
    """Bytes that are equal only where every value and every exact type is, order included; None where something has no such image. What is
    no fact, and the target's own port in its scopes, is left out."""
    calls = []
    for call in observation["calls"]:
        scope = call["scope"]
        port = None
        if type(scope) is dict and type(scope.get("server")) is tuple and len(scope["server"]) == 2:
            own = _chosen(scope["server"][1], address.port)
            if isinstance(own, Port):
                port = own.type
                scope = scope | {"server": (scope["server"][0], None)}
        calls.append(call | {"scope": scope, "pid": 0, "before_last_byte": False, "port": port})
    try:
        return marshal.dumps((observation["connections"], calls, observation["steps"]), 2)
    except ValueError:
        return None


def facts_of_all(observations: Sequence[dict[str, Any]], addresses: Sequence[Address]) -> tuple[Facts, ...]:
    """The facts of one exchange under each target. Observations that are the same to the last byte share one
    mapping: most are, and making facts is the dear part."""
    made: dict[bytes, Facts] = {}
    result = []
    for observation, address in zip(observations, addresses, strict=True):
        image = _image(observation, address)
        facts = made.get(image) if image is not None else None
        if facts is None:
            facts = facts_of(observation, address)
            if image is not None:
                made[image] = facts
        result.append(facts)
    return tuple(result)
