"""Facts: an observation as a flat mapping from place and path to value, as docs/observation.md names them.

One way only: observation in, facts out. Knows nothing of other observations, of noise or of weights.
"""

import marshal
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from ..autobahn import case
from .content import Content
from .value import SIMPLE, Container, Length, Port, leaf, pairs, plain, same, text, type_name
from .websocket import Said, accepts, event_facts, socket_facts

Key = tuple[str, str]  # place ("main response 1", "main call 1", "" for the whole exchange), path
Facts = dict[Key, Any]
Named = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Address:
    """Where a target listens: what is replaced by a placeholder, since it differs by our own doing."""

    host: str
    port: int

    @cached_property
    def octets(self) -> bytes:
        return f"{self.host}:{self.port}".encode()

    def wire(self, value: bytes) -> bytes:
        """The port where it follows the host in a field or in content."""
        if self.octets not in value:
            return value
        return re.sub(re.escape(self.octets) + rb"(?![0-9])", self.host.encode() + b":{port}", value)


def _chosen(value: Any, port: int) -> Any:
    """A placeholder for a port that we chose, as int, text or octets; anything else as it is."""
    held = plain(value)
    ours = type(held) in (int, str, bytes) and port and held in (port, str(port), str(port).encode())
    return Port(type_name(value)) if ours else value


def _strip(value: bytes) -> bytes:
    return value.strip(b" \t")


def _by_name(fields: Iterable[tuple[Any, Any]], clean: Callable[[Any], Any]) -> Named:
    """Values by name, whatever its case."""
    named: Named = {}
    for name, value in fields:
        key = text(name).lower()
        named[key] = (*named.get(key, ()), clean(value))
    return named


def _first(named: Named, name: str) -> str:
    value = named.get(name, (b"",))[0]
    return value.decode("latin-1").lower().partition(";")[0].strip() if isinstance(value, bytes) else ""


def _with_length(named: Named, length: int | None) -> Named:
    """Mark the content-length that is that of the content."""
    if "content-length" in named:
        values = named["content-length"]
        named["content-length"] = tuple(
            Length(value, value == str(length).encode()) if isinstance(value, bytes) else value for value in values
        )
    return named


def _folded(values: Iterable[Any]) -> tuple[Any, ...]:
    folded: list[Any] = []
    for value in values:
        if not folded or not same(folded[-1], value):
            folded.append(value)
    return tuple(folded)


def _response(facts: Facts, place: str, response: dict[str, Any], address: Address) -> None:
    body = response["body"]
    framing, complete = response["framing"], response["complete"]
    names = [name.decode("latin-1") for name, _ in response["fields"]]
    named = _by_name(response["fields"], lambda value: address.wire(_strip(value)))
    coding, media_type = _first(named, "content-encoding"), _first(named, "content-type")
    facts[place, "response"] = True
    facts[place, "response.status"] = response["status"]
    facts[place, "response.reason"] = response["reason"]
    facts[place, "response.version"] = response["version"]
    for name, values in _with_length(named, body["length"] if complete and framing == "content-length" else None).items():
        facts[place, f"response.field[{name}]"] = values
    facts[place, "response.field-order"] = tuple(map(str.lower, names))
    facts[place, "response.field-case"] = tuple(sorted(names, key=str.lower))
    facts[place, "response.framing"] = framing
    facts[place, "response.complete"] = complete
    if framing == "chunked":  # elsewhere a piece is what one read happened to bring
        facts[place, "response.pieces"] = "several" if response["pieces"] > 1 else "one"
    facts[place, "response.interim"] = tuple(interim["status"] for interim in response["interim"])
    if response["interim"]:
        facts[place, "response.interim.reason"] = tuple(interim["reason"] for interim in response["interim"])
    for name, values in _by_name((field for interim in response["interim"] for field in interim["fields"]), _strip).items():
        facts[place, f"response.interim.field[{name}]"] = values
    for name, values in _by_name(response["trailers"], _strip).items():
        facts[place, f"response.trailer[{name}]"] = values
    data, length = body["bytes"], body["length"]
    if len(data) == length:
        data = address.wire(data)
        length = len(data)
    facts[place, "response.body"] = Content.of(data, length, body["hash"], coding, media_type)


@dataclass(frozen=True)
class _Sent:
    """What the app sent as its response, as it sent it."""

    status: Any
    fields: Named
    told: bool  # all its content is in these events
    data: bytes | None  # None where it was too long to be carried whole
    length: int
    hash: int


def _altered(facts: Facts, place: str, response: dict[str, Any], sent: _Sent) -> None:
    """What came over the wire and is not what the app sent: a fact for each such part, none where the server passed all on."""
    if response["status"] != plain(sent.status):
        facts[place, "response.altered[status]"] = True  # and so it is another response
        return
    came = _by_name(response["fields"], _strip)
    parts = [f"field[{name}]" for name, values in sent.fields.items() if came.get(name) != values]
    body = response["body"]
    if response["framing"] == "none" or not sent.told:  # to HEAD, or a status without content; or nobody knows
        whole = True
    elif response["complete"]:
        whole = (body["length"], body["hash"]) == (sent.length, sent.hash)
    else:
        whole = sent.data is None or sent.data.startswith(body["bytes"])
    for part in parts if whole else [*parts, "body"]:
        facts[place, f"response.altered[{part}]"] = True


_PLAIN_KEY = re.compile(r"[\w-]+")


@lru_cache(4096)
def _named_part(path: str, key: str) -> str:
    return f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{text(repr(key))}]"


def _part(path: str, key: Any) -> str:
    return _named_part(path, key) if type(key) is str else f"{path}[{text(key)}]"


def _flatten(facts: Facts, place: str, path: str, value: Any) -> None:
    """A value of a scope or event: containers by their parts and their exact type, leaves as they are."""
    if type(value) in SIMPLE:
        facts[place, path] = value
        return
    held = plain(value)
    if type(held) is dict:
        facts[place, path] = Container(type_name(value))  # a fact of its own: an empty one is not a missing one
        for key, item in held.items():
            _flatten(facts, place, _part(path, key), item)
    elif type(held) in (list, tuple):
        facts[place, path] = Container(type_name(value))
        for index, item in enumerate(held):
            _flatten(facts, place, f"{path}[{index}]", item)
    else:
        facts[place, path] = leaf(value)


def _headers(facts: Facts, place: str, value: Any) -> None:
    fields = pairs(value)
    if fields is None:
        _flatten(facts, place, "scope.headers", value)
        return
    facts[place, "scope.headers"] = Container(type_name(value))
    if fields:
        shapes = {f"{kind} of {type_name(name)}, {type_name(item)}" for kind, name, item in fields}
        facts[place, "scope.headers-shape"] = " or ".join(sorted(shapes))
    facts[place, "scope.headers-order"] = tuple(text(name) for _, name, _ in fields)
    named: Named = {}
    for _, name, item in fields:
        named[text(name)] = (*named.get(text(name), ()), item)
    for name, values in named.items():
        facts[place, f"scope.headers[{name}]"] = values


def _scope(facts: Facts, place: str, scope: Any, ports: dict[str, int]) -> None:
    """`ports`: those that we chose, by the key that holds them."""
    held = plain(scope)
    if type(held) is not dict:
        _flatten(facts, place, "scope", scope)
        return
    facts[place, "scope"] = Container(type_name(scope))
    for key, value in held.items():
        if key == "headers":
            _headers(facts, place, value)
            continue
        path = _part("scope", key)
        _flatten(facts, place, path, value)
        if key in ports and (place, f"{path}[1]") in facts:
            facts[place, f"{path}[1]"] = _chosen(facts[place, f"{path}[1]"], ports[key])


_DENIAL = ("websocket.http.response.start", "websocket.http.response.body")
_ACCEPT = "websocket.accept"
_STARTS = ("http.response.start", _DENIAL[0], _ACCEPT)
_BODIES = ("http.response.body", _DENIAL[1])
_MESSAGES = ("websocket.receive", "websocket.send")
_CONNECT, _DISCONNECT = "websocket.connect", "websocket.disconnect"
# Others may be content: a file's path, say.
RESPONSE = ("http.response.start", "http.response.body", "http.response.trailers", *_DENIAL, _ACCEPT, "websocket.send", "websocket.close")
_PIECES = ("http.request", *_BODIES)  # in how many of these content comes is not what it means
_OWN = {  # the keys that have facts of their own, beside `type`
    "http.request": ("body", "more_body"),
    **dict.fromkeys(_BODIES, ("body", "more_body")),
    **dict.fromkeys(_MESSAGES, ("text", "bytes")),
}


@dataclass(slots=True)
class _Event:
    """What passed through receive() or send()."""

    kind: str  # "received" or "send"
    type: str
    keys: dict[Any, Any]
    rest: dict[Any, Any]  # the keys that have no fact of their own
    container: str  # its own Python type
    total: int
    hash: int

    @classmethod
    def of(cls, record: dict[str, Any]) -> "_Event":
        container = type_name(record["event"])
        keys = plain(record["event"])
        if type(keys) is not dict:
            keys = {"type": container, "value": keys}
        type_ = text(plain(keys.get("type")))
        own = ("type", *_OWN.get(type_, ()))
        rest = {key: value for key, value in keys.items() if key not in own}
        return cls(record["kind"], type_, keys, rest, container, record["total"], record["hash"])

    @property
    def final(self) -> bool:
        return not plain(self.keys.get("more_body", False))


def _inline(events: list[_Event]) -> bytes | None:
    """The content of a stream, where every piece of it was short enough to be carried whole."""
    pieces = [plain(event.keys.get("body", b"")) for event in events]
    data = b"".join(piece for piece in pieces if type(piece) is bytes)
    return data if len(data) == (events[-1].total if events else 0) else None


def _stream(facts: Facts, place: str, side: str, events: list[_Event], address: Address, coding: str, media_type: str) -> None:
    """The events that carry content."""
    if not events:
        return
    last = events[-1]
    data, length = _inline(events), last.total
    if data is not None:
        data = address.wire(data)
        length = len(data)
    facts[place, f"{side}.body"] = Content.of(data, length, last.hash, coding, media_type)
    facts[place, f"{side}.body-end"] = "early" if any(event.final for event in events[:-1]) else last.final
    facts[place, f"{side}.pieces"] = "several" if len(events) > 1 else "one"
    for key in ("body", "more_body"):
        types = {type_name(leaf(event.keys[key])) for event in events if key in event.keys}
        if types:
            facts[place, f"{side}.key[{key}]"] = "|".join(sorted(types))
            facts[place, f"{side}.key-absent[{key}]"] = not all(key in event.keys for event in events)


_ABSENT = Container("absent")


def _others(facts: Facts, place: str, side: str, events: list[_Event]) -> None:
    """What events hold beside the keys that have facts of their own: each key's values, in order; and types that are not the usual."""
    for path, usual, types in (
        (f"{side}.key[type]", "str", {type_name(event.keys["type"]) for event in events if "type" in event.keys}),
        (f"{side}.containers", "dict", {event.container for event in events}),
    ):
        if types - {usual}:
            facts[place, path] = "|".join(sorted(types))
    for event in events:
        if event.type == _DISCONNECT and isinstance(plain(event.rest.get("code")), int):  # such as an enumeration's
            event.rest["code"] = int(plain(event.rest["code"]))
    for kind in dict.fromkeys(event.type for event in events if event.rest):
        group = [event.rest for event in events if event.type == kind]
        for key in dict.fromkeys(key for rest in group for key in rest):
            values = [leaf(rest.get(key, _ABSENT)) for rest in group]
            facts[place, _part(f"{side}.event[{kind}]", key)] = tuple(_folded(values) if kind in _PIECES else values)


def _raised(record: dict[str, Any]) -> tuple[str, str]:
    raised = record["raised"]
    return text(raised["type"]), text(raised["message"])


def _known_as(record: dict[str, Any]) -> str:
    """The exception as an app can name it: one that is a server's own by the class of Python's that it derives from."""
    kind = text(record["raised"]["type"])
    package, dot, _ = kind.partition(".")
    return kind if not dot or package in sys.stdlib_module_names else text(record["raised"]["base"])


def _receive(facts: Facts, place: str, events: list[_Event], address: Address, socket: bool) -> None:
    received = [event for event in events if event.kind == "received"]
    content = [event for event in received if event.type == "http.request"]
    _stream(facts, place, "receive", content, address, "", "")
    _others(facts, place, "receive", received)
    apart = ("http.request", "http.disconnect", _MESSAGES[0])
    facts[place, "receive.types"] = tuple(event.type for event in received if event.type not in apart)
    _messages(facts, place, "receive", received, address)
    if socket:
        _message_order(facts, place, [event.type for event in received])
        return  # its disconnect stands among the types
    complete = early = late = False
    for event in events:
        complete |= event.kind == "send" and event.type == "http.response.body" and event.final
        if event.kind == "received" and event.type == "http.disconnect":
            late |= complete
            early |= not complete
    facts[place, "receive.disconnect"] = early
    facts[place, "receive.disconnect-late"] = late and not early


def _message_order(facts: Facts, place: str, types: list[str]) -> None:
    """Messages stand apart from the other types: where one is not between connect and disconnect, that has to be told."""
    messages = [index for index, type_ in enumerate(types) if type_ == _MESSAGES[0]]
    before = _CONNECT in types and any(index < types.index(_CONNECT) for index in messages)
    after = _DISCONNECT in types and any(index > types.index(_DISCONNECT) for index in messages)
    if before or after:
        facts[place, "receive.message-order"] = " and ".join(["before connect"] * before + ["after disconnect"] * after)


def _messages(facts: Facts, place: str, side: str, events: list[_Event], address: Address) -> None:
    """Each in a place of its own, as what comes over the wire has."""
    for number, event in enumerate((event for event in events if event.type in _MESSAGES), 1):
        event_facts(facts, f"{place} {side} {number}", side, event.keys, address.wire)


def _start(event: _Event) -> tuple[Any, list[tuple[Any, Any]]]:
    """Status and fields of the response that an event begins. What is told by them is taken out of its rest; an accept begins a 101, its
    subprotocol a field of it."""
    given = pairs(event.keys.get("headers", ()))
    fields = [(name, item) for _, name, item in given or ()]
    told = {"status"} | ({"headers"} if given is not None else set())
    status = event.keys.get("status", _ABSENT)
    subprotocol = event.keys.get("subprotocol")
    if event.type == _ACCEPT:
        status = 101
        if type(subprotocol) is str:
            told.add("subprotocol")
            fields.append((b"sec-websocket-protocol", subprotocol.encode("utf-8", "surrogatepass")))
    event.rest = {key: value for key, value in event.rest.items() if key not in told}
    return status, fields


def _send(facts: Facts, place: str, events: list[_Event], address: Address) -> _Sent | None:
    sent = [event for event in events if event.kind == "send"]
    content = [event for event in sent if event.type in _BODIES]
    start = next((event for event in sent if event.type in _STARTS), None)
    status, fields = _start(start) if start else (_ABSENT, [])
    _others(facts, place, "send", sent)
    facts[place, "send.types"] = _folded(event.type for event in sent)
    raw = _by_name(fields, lambda item: _strip(item) if isinstance(item, bytes) else item)
    _stream(facts, place, "send", content, address, _first(raw, "content-encoding"), _first(raw, "content-type"))
    _messages(facts, place, "send", sent, address)
    if start is None:
        return None
    if status is not _ABSENT:
        facts[place, "send.status"] = status
    length, digest = (content[-1].total, content[-1].hash) if content else (0, _NOTHING)
    named = {name: tuple(address.wire(item) if isinstance(item, bytes) else item for item in items) for name, items in raw.items()}
    for name, values in _with_length(named, length).items():
        facts[place, f"send.field[{name}]"] = values
    told = all(event.type in RESPONSE for event in sent)
    return _Sent(None if status is _ABSENT else status, raw, told, _inline(content), length, digest)


_NOTHING = 0xCBF29CE484222325  # the trace's hash (FNV-1a, 64 bit) of no content
_CANCELLED = "asyncio.exceptions.CancelledError"


def _answered_early(events: list[_Event]) -> bool:
    for event in events:
        if event.kind == "send":
            return True
        if event.type == "http.request" and event.final:
            return False
    return False


def _is_socket(call: dict[str, Any]) -> bool:
    scope = plain(call["scope"])
    return type(scope) is dict and plain(scope.get("type")) == "websocket"


def call_facts(facts: Facts, place: str, call: dict[str, Any], address: Address, client_port: int = 0) -> _Sent | None:
    """All facts of one call of the app, under `place`. `client_port` is the one that the player sent from. Gives what the app sent as its
    response, if it began one."""
    records = call["events"]
    events = [_Event.of(record) for record in records if record["kind"] in ("received", "send")]
    socket = _is_socket(call)
    facts[place, "call"] = True
    _scope(facts, place, call["scope"], {"server": address.port, "client": client_port})
    _receive(facts, place, events, address, socket)
    sent = _send(facts, place, events, address)
    if not socket:
        facts[place, "answer-before-body-end"] = _answered_early(events)
    left = [_raised(record)[0] for record in records if record["kind"] == "receive raised"]
    facts[place, "receive.raised"] = _folded(kind for kind in left if kind != _CANCELLED)
    refused = [_raised(record) for record in records if record["kind"] == "send raised"]
    known = {_raised(record)[0]: _known_as(record) for record in records if record["kind"] == "send raised"}
    facts[place, "send.raised"] = tuple(known[kind] for kind, _ in refused)
    if any(known[kind] != kind for kind, _ in refused):
        facts[place, "send.raised-type"] = tuple(kind for kind, _ in refused)
    facts[place, "send.raised-text"] = tuple(message for _, message in refused)
    results = [record["result"] for record in records if record["kind"] == "sent"]
    facts[place, "send.result"] = _folded(type_name(result) for result in results if result is not None)
    facts[place, "send.pending"] = sum(event.kind == "send" for event in events) - len(results) - len(refused)
    facts[place, "call.end"] = call["end"]
    if call["raised"] is not None:
        kind, facts[place, "call.raised-text"] = _raised(call)
        facts[place, "call.end"] = f"{call['end']} {known.get(kind, kind)}"
    elif call["result"] is not None:
        facts[place, "call.result"] = type_name(call["result"])
    properties = plain(call["properties"])
    for name, value in properties.items() if type(properties) is dict else [("", properties)]:
        if name != "recorder":
            facts[place, f"face.{text(name).replace(' ', '-')}"] = value
    return sent


def facts_of(observation: dict[str, Any], address: Address) -> Facts:
    """The facts of one observation, as docs/observation.md lists them."""
    if case.KEY in observation:
        return case.facts(observation[case.KEY])
    facts: Facts = {}
    ports = {connection["name"]: connection["client_port"] for connection in observation["connections"]}
    counts: dict[str, int] = {}
    sent: dict[tuple[str, int], _Sent] = {}
    said: dict[tuple[str, int], Said] = {}
    for call in observation["calls"]:
        name = call["connection"]
        counts[name] = number = counts.get(name, 0) + 1
        response = call_facts(facts, f"{name} call {number}", call, address, ports.get(name, 0))
        if response is not None:
            sent[name, number] = response
        if _is_socket(call):
            said[name, number] = Said.of(call["events"])
    for connection in observation["connections"]:
        name = connection["name"]
        facts[name, "connection"] = connection["opened"]
        facts[name, "end"] = connection["end"]
        facts[name, "stray"] = connection["stray"]
        if connection["error"]:
            facts[name, "garbage"] = connection["error"]
        if connection["rest"]:
            head = connection["rest"].find(b"HTTP/1.", 1)  # from there on it is the next answer, as a rule our own marked request's
            rest = connection["rest"][: head if head > 0 else None]
            facts[name, "rest"] = _DATE.sub(rb"\1", address.wire(rest))
        for number, response in enumerate(connection["responses"], 1):
            place = f"{name} response {number}"
            _response(facts, place, response, address)
            if (name, number) in sent:
                _altered(facts, place, response, sent[name, number])
        if connection["websocket"] is not None:
            _socket(facts, connection, said.get((name, len(connection["responses"]))), address)
    for line, fault in observation["steps"]:
        key = f"line {line}", f"script[{fault}]"
        facts[key] = facts.get(key, 0) + 1
    if "process" in observation:
        process = observation["process"]
        facts["process", "process.ready"] = process["ready"]
        facts["process", "process.exit"] = process["exit"]
        lifespan_facts(facts, process["lifespans"], address)
    return facts


def _socket(facts: Facts, connection: dict[str, Any], said: Said | None, address: Address) -> None:
    """The WebSocket that the connection's last response opened."""
    socket, number = connection["websocket"], len(connection["responses"])
    place = f"{connection['name']} socket {number}"
    answer = facts.pop((f"{connection['name']} response {number}", "response.field[sec-websocket-accept]"), ())
    facts[place, "socket.accept"] = accepts(socket["key"], answer)
    socket_facts(facts, place, socket, connection["end"], said, address.wire)


LIFESPAN = "lifespan"  # in place of a connection's name


def lifespan_facts(facts: Facts, calls: Sequence[dict[str, Any]], address: Address) -> None:
    """The calls that no exchange makes."""
    for number, call in enumerate(calls, 1):
        call_facts(facts, f"{LIFESPAN} call {number}", call, address)


_DATE = re.compile(rb"(?i)(\ndate:)[^\r\n]*")  # says when it was made, wherever it stands


def _image(observation: dict[str, Any], addresses: Sequence[Address], address: Address) -> bytes | None:
    """Bytes that are equal only where every value and every exact type is, order included; None where something has no such image. What is
    no fact, and the target's own port in its scopes, is left out."""
    if case.KEY in observation:
        return None
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
        image = None if "process" in observation else marshal.dumps((observation["connections"], calls, observation["steps"]), 2)
    except ValueError:
        return None
    # The same bytes mean something else to the target whose address they hold.
    return None if image is None or any(other.octets in image for other in addresses) else image


def facts_of_all(observations: Sequence[dict[str, Any]], addresses: Sequence[Address]) -> tuple[Facts, ...]:
    """The facts of one exchange under each target. Observations that are the same to the last byte share one
    mapping: most are, and making facts is the dear part."""
    made: dict[bytes, Facts] = {}
    result = []
    for observation, address in zip(observations, addresses, strict=True):
        image = _image(observation, addresses, address)
        facts = made.get(image) if image is not None else None
        if facts is None:
            facts = facts_of(observation, address)
            if image is not None:
                made[image] = facts
        result.append(facts)
    return tuple(result)
