"""Differences between the facts of two observations of one exchange, which side is right, and which of them follow from others.

Two sets of facts and a demand in, differences out. Knows nothing of replays, noise, taps or reports.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

from .content import MISSING, Content, json_changes
from .demand import NOTHING, Demand
from .fact import LIFESPAN, RESPONSE, Facts, Key
from .value import Container, same, text, type_name
from .verdict import CANDIDATE, REFERENCE, UNDEFINED, Verdicts
from .weight import SEVERITIES, heavier, weight

_SIDES = {"scope": "scope", "receive": "events", "send": "events", "call": "events", "face": "events", "answer-before-body-end": "events"}


@dataclass(frozen=True)
class Difference:
    """A fact of the candidate that is not the reference's."""

    place: str  # where in the exchange: "main response 1"
    path: str
    kind: str
    reference: Any
    candidate: Any
    because: "Difference | None" = None  # the cause that this one follows from
    verdict: str = UNDEFINED

    @property
    def spot(self) -> Key:
        """The fact it is in: of a value inside a content, that content."""
        place, inside, _ = self.place.partition(" at ")
        path = self.path.removeprefix(f"{LIFESPAN}.")
        return place, path.partition(".$")[0] if inside else path

    @property
    def side(self) -> str:
        """wire, scope, events or process."""
        head = re.split(r"[.\[-]", self.path, maxsplit=1)[0]
        return _SIDES.get(self.path, _SIDES.get(head, "process" if head in (LIFESPAN, "process", "died") else "wire"))

    @property
    def severity(self) -> str:
        own = weight(self.path, self.kind).severity
        return heavier(own, "rule") if self.verdict == CANDIDATE else own

    @property
    def signature(self) -> str:
        """Stable over routes, values, versions and runs: a hash of side, path and kind alone."""
        return hashlib.sha256("\0".join((self.side, self.path, self.kind)).encode()).hexdigest()[:12]

    @property
    def key(self) -> tuple[str, str, str]:
        """What must come back in a replay for the difference to be confirmed."""
        return self.place, self.path, self.kind


_WORDS = {  # facts with few values, whose change says more than "value"
    "connection",
    "end",
    "garbage",
    "response.framing",
    "response.complete",
    "response.pieces",
    "receive.body-end",
    "receive.pieces",
    "receive.disconnect",
    "receive.disconnect-late",
    "send.body-end",
    "send.pieces",
    "answer-before-body-end",
    "call.end",
    "call.result",
    "scope.headers-shape",
    "process.ready",
    "process.exit",
    "socket.accept",
    "socket.close",
    "socket.end",
    "message.type",
    "message.complete",
    "message.fragments",
    "message.compressed",
    "receive.message.type",
    "send.message.type",
}
_WORDED = ("face.", "receive.key", "send.key", "receive.message.key", "send.message.key", "autobahn[")


def _worded(path: str) -> bool:
    return path in _WORDS or (path.startswith(_WORDED) and not path.endswith(".code"))


def _word(value: Any) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else text(value)


def _kind(path: str, reference: Any, candidate: Any) -> str:
    if path == "receive.body" and MISSING in (reference, candidate):
        content, side = (candidate, "unread→{}") if reference is MISSING else (reference, "{}→unread")
        if isinstance(content, Content) and content.length == 0:
            return side.format("empty")
    if reference is MISSING:
        return "added"
    if candidate is MISSING:
        return "missing"
    if path == "process.exit" and _failed(reference) and _failed(candidate):
        return "value"
    if _worded(path):
        return f"{_word(reference)}→{_word(candidate)}"
    if type_name(reference) != type_name(candidate) and not path.endswith("close.code"):  # a number, or a word for what is none
        return f"{type_name(reference)}→{type_name(candidate)}"
    if isinstance(reference, tuple) and len(reference) != len(candidate):
        return "count"
    if isinstance(reference, tuple) and _types(reference) != _types(candidate):
        return f"{_types(reference)}→{_types(candidate)}"
    if path.startswith("response.") and path.endswith(".field[date]") and not all(map(near, reference, candidate)):
        return "time"
    return "value"


def _failed(fate: Any) -> bool:
    return isinstance(fate, str) and fate.startswith("exit code ") and fate != "exit code 0"


def _types(values: tuple[Any, ...]) -> str:
    return "|".join(sorted(set(map(type_name, values))))


_DATE = re.compile(rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
_CLOCKS_APART = 60.0  # seconds; beyond that one of them is wrong


def near(reference: bytes, candidate: bytes) -> bool:
    """Whether both are dates as they should be, of about the same time."""
    if not _DATE.fullmatch(reference) or not _DATE.fullmatch(candidate):
        return False
    try:
        one, other = (parsedate_to_datetime(value.decode()) for value in (reference, candidate))
    except ValueError:
        return False
    return abs((one - other).total_seconds()) <= _CLOCKS_APART


_NAME_LISTS = ("response.field-order", "response.field-case", "scope.headers-order")


def _shared(path: str, names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """The names that stand as often on the other side: the others are differences of their own, not of order or case too."""
    spelt = str.lower if path == "response.field-case" else str
    left, right = Counter(map(spelt, names)), Counter(map(spelt, others))
    return tuple(name for name in names if left[spelt(name)] == right[spelt(name)])


# Facts that say that a part is there at all.
_WHOLE = ("connection", "response", "call", "socket", "message", "receive.message", "send.message")
_PRESENCE = ("missing", "added")


def _all_changes(reference: Facts, candidate: Facts) -> Iterator[Difference]:
    for place, path in sorted(reference.keys() | candidate.keys()):
        left, right = reference.get((place, path), MISSING), candidate.get((place, path), MISSING)
        if isinstance(left, Content) and isinstance(right, Content):
            if left != right:
                yield from _content_changes(place, path, left, right)
            continue
        if path in _NAME_LISTS and isinstance(left, tuple) and isinstance(right, tuple):
            left, right = _shared(path, left, right), _shared(path, right, left)
        if path == "scope.headers-shape" and (left is MISSING or right is MISSING):
            continue  # there are none on one side, which each of them tells
        if not same(left, right):
            yield Difference(place, path, _kind(path, left, right), left, right)


def _content_changes(place: str, path: str, left: Content, right: Content) -> Iterator[Difference]:
    try:
        changes, rewritten = json_changes(left.text(), right.text()) if left.json and right.json else ([], False)
    except (ValueError, RecursionError):
        changes, rewritten = [], False
    for general, inside, old, new in changes:
        general = f"{path}.{general}"
        yield Difference(f"{place} at {inside}", general, _kind(general, old, new), old, new)
    if rewritten:
        yield Difference(place, path, "layout", left, right)
    elif not changes:
        yield Difference(place, path, "value", left, right)


def changes(reference: Facts, candidate: Facts) -> list[Difference]:
    """All differences, a part that is there on one side only as one, not one for each of its facts. Nothing is said of causes."""
    found = [] if reference is candidate else list(_all_changes(reference, candidate))
    gone = {d.place for d in found if d.path in _WHOLE and d.kind in _PRESENCE}
    emptied = {(d.place, d.path) for d in found if isinstance(d.reference, Container) != isinstance(d.candidate, Container)}

    def told(d: Difference) -> bool:
        place = d.place.partition(" at ")[0]
        if _around(place) in gone - {place}:
            return False
        if place in gone:
            return d.path in _WHOLE
        inside = (d.path[: mark.start()] for mark in re.finditer(r"[.\[]", d.path)) if emptied and d.kind in _PRESENCE else ()
        return not any((d.place, container) in emptied for container in inside)

    return [d for d in found if told(d)]


def _around(place: str) -> str:
    """The response, call or WebSocket of a place, which may be one message in it."""
    return " ".join(place.split(" ")[:3])


def _calls(facts: Facts, connection: str) -> int:
    return sum(path == "call" and place.startswith(f"{connection} call ") for place, path in facts)


@dataclass(frozen=True)
class _Refusal:
    """One side called the app and the other did not."""

    difference: Difference
    number: int  # of the first request that this is true of
    alone: bool  # the exchange has no other connection

    def covers(self, difference: Difference) -> bool:
        """Whether this is how the request was refused or served, or what followed on its connection. That a client is left waiting, or
        gets what is no response, is not; nor, where the reference is wrong, what became of later requests."""
        excused = self.difference.verdict == REFERENCE
        connection, _, part = difference.place.partition(" at ")[0].partition(" ")
        if connection == "line":
            return self.alone and not excused
        if connection != self.difference.place:
            return False
        if not part:
            return difference.path == "end" and "silent" not in difference.kind
        number = int(part.split(" ")[1])
        return number == self.number if excused else number >= self.number


def _refusals(found: Sequence[Difference], reference: Facts, candidate: Facts, rule: str, verdicts: Verdicts) -> list[_Refusal]:
    connections = {place for place, path in reference.keys() & candidate.keys() if path == "connection"}
    result = []
    for name in sorted({d.place.partition(" ")[0] for d in found if d.path == "call"} & connections):
        served, now = _calls(reference, name), _calls(candidate, name)
        path = f"request[{rule}]" if rule else "request"
        number = min(served, now) + 1
        kind = "served→refused" if served > now else "refused→served"
        verdict = verdicts.on((f"{name} call {number}", "call"))
        cause = Difference(name, path, kind, f"{served} calls", f"{now} calls", verdict=verdict)
        result.append(_Refusal(cause, number, len(connections) == 1))
    return result


# Facts that are told twice: path, kinds, and the fact in the same place that tells the same.
_TOLD = tuple(
    (re.compile(path), re.compile(kind), cause)
    for path, kind, cause in (
        (r"response\.reason", ".*", "response.status"),
        (r"response\.pieces", ".*", "response.framing"),
        (r"response\.interim\..*", "missing|added|count", "response.interim"),
        (r"response\.altered\[(.*)\]", ".*", r"response.\1"),
        (r"rest", ".*", "garbage"),
        (r"receive\.(body-end|pieces|key(-absent)?\[(body|more_body)\])", "missing|added", "receive.body"),
        (r"(receive|send)\.event\[.*", "missing|added|count", r"\1.types"),
        (r"send\.(status|field\[.*|body|body-end|pieces|key(-absent)?\[(body|more_body)\])", "missing|added", "send.types"),
        (r"send\.raised-(text|type)", ".*", "send.raised"),
        (r"call\.(raised-text|result)", ".*", "call.end"),
        (r"call\.end", ".*still running.*", "send.pending"),
        (r"(receive|send)\.message\.(key\[.*|body)", ".*", r"\1.message.type"),
        (r"scope\.(method|scheme|subprotocols|extensions.*|asgi\.spec_version)", ".*", "scope.type"),
        (r"receive\.(types|disconnect|disconnect-late|body)|answer-before-body-end", ".*", "scope.type"),
        (r"message\.body", ".*", "message.type"),
        (r"message\.altered", ".*", "message.type"),
        (r"message\.altered", ".*", "message.body"),
        (r"socket\.close\..*", "missing|added", "socket.close"),
        (r"socket\.end", "closed→dropped|dropped→closed", "socket.close"),
        (r"socket\.altered\[close\]", ".*", "socket.close"),
        (r"socket\.altered\[code\]", ".*", "socket.close.code"),
    )
)
# What steps wait for, or what kept it from coming.
_BROUGHT = ("socket", "socket.close", "message", "socket.pong", "socket.end", "response.status", "response", "send.raised")
_HANDSHAKE_FIELDS = ("upgrade", "connection", "sec-websocket-extensions", "content-length", "transfer-encoding")
_HANDSHAKE = tuple(
    f"response.{part}" for part in ("framing", "field-order", "field-case", *(f"field[{name}]" for name in _HANDSHAKE_FIELDS))
)
_FRAMING = {"content-length": (True, False), "chunked": (False, True), "close": (False, False)}  # which of the two fields tells it
_SERVER_MADE = re.compile(r"response\.(?!complete|interim|trailer).*")
_APP_ACTS = re.compile(r"send\.(?!raised|result|pending).*|call\..*|answer-before-body-end")
# An app seldom answers by its client's or server's address, while some servers hand out another kind of it in every call: to take that for
# the cause would hide whatever else happened there. What an extension offers is used in few calls, too.
_APP_INPUT = re.compile(r"scope(?!\.(client|server|extensions)).*|receive\..*|send\.(raised|result)")


def _excused_with(d: Difference, cause: Difference) -> bool:
    """Where the reference is wrong, what others did by that follows from it only if the demand names it, too: else a fault of the candidate
    that nothing shows would be excused with it."""
    return cause.verdict != REFERENCE or d.verdict == REFERENCE


class _Explainer:
    """Finds the cause of each difference among the others."""

    def __init__(self, found: Sequence[Difference], reference: Facts, candidate: Facts, refusals: Sequence[_Refusal]) -> None:
        self.reference, self.candidate, self.refusals = reference, candidate, refusals
        self.exact = {(d.place, d.path): d for d in found}
        self.at: dict[tuple[str, str], Difference] = {}  # content is one fact here, wherever inside it they differ
        self.inputs: dict[str, list[Difference]] = {}
        for d in found:
            self.at.setdefault(d.spot, d)
        self.ready = self.at.get(("process", "process.ready"))
        for d in found:
            place = d.place.partition(" at ")[0]
            # What is only told twice, or was not fetched, made no app act otherwise.
            if _APP_INPUT.fullmatch(d.path) and "unread" not in d.kind and self._told(d, place) is None:
                self.inputs.setdefault(_around(place), []).append(d)

    def cause(self, d: Difference) -> Difference | None:
        cause = self._cause(d)
        if cause is not None and d.verdict == CANDIDATE != cause.verdict:
            return None  # a broken rule is never hidden under something else
        return cause

    def _cause(self, d: Difference) -> Difference | None:
        process = self._process(d)
        if process is not None:
            return process
        for refusal in self.refusals:
            if refusal.covers(d):
                return refusal.difference
        place = d.place.partition(" at ")[0]
        told = self._told(d, place) or self._told_elsewhere(d, place)
        if told is not None:
            return told
        if " socket " in place:
            sent = self._conveyed(d, place)
        elif d.path.startswith("autobahn["):
            sent = self._autobahns(d)
        else:
            sent = self._passed_on(d, place) if " response " in place else self._acted(d, place)
        # A lighter one is never taken for a cause: it would hide the heavier one.
        return sent if sent and SEVERITIES.index(sent.severity) >= SEVERITIES.index(d.severity) else None

    def _process(self, d: Difference) -> Difference | None:
        """That a server was never ready, or does not end, is why everything else is as it is."""
        if self.ready is not None and d.side != "process" and not d.place.startswith(f"{LIFESPAN} call "):
            return self.ready
        fate = self.at.get(("process", "process.exit"))
        return fate if fate is not None and "running" in fate.kind and d.path == "script[timed out]" else None

    def _told(self, d: Difference, place: str) -> Difference | None:
        if d.path in ("response.field[content-length]", "response.field[transfer-encoding]") and d.kind in _PRESENCE:
            return self.at.get((place, "response.framing")) if self._plainly_framed(place) else None
        for path, kind, cause in _TOLD:
            match = path.fullmatch(d.path)
            told = self.at.get((place, match.expand(cause))) if match and kind.fullmatch(d.kind) else None
            if told is not None and not (told.kind in _PRESENCE and d.kind not in _PRESENCE):  # what is gone tells of no other value
                return told
        return None

    def _told_elsewhere(self, d: Difference, place: str) -> Difference | None:
        """The same fact told twice of a WebSocket: by the answer to its handshake, by how it ended, by what the server altered."""
        if place.startswith("line "):
            return self._not_come()
        if d.path == "socket":
            answer = place.replace(" socket ", " response ")
            return self.at.get((answer, "response.status")) or self.at.get((answer, "response"))
        if d.path == "end" and "silent" not in d.kind:
            return self._within(f"{place} socket ", "socket.end") or self._within(f"{place} socket ", "socket")
        if d.path == "receive.types" and self._stopped_earlier(d, place):
            return self.at.get((place, "send.raised"))
        if d.path == "socket.close.reason":
            return self.at.get((place, "socket.altered[reason]"))
        if d.path == "socket.altered[count]":
            return self._within(f"{place} message ", "message") or self.at.get((place.replace(" socket ", " call "), "send.raised"))
        if d.path in _HANDSHAKE:
            return self.at.get((place.replace(" response ", " call "), "scope.type"))
        return None

    def _stopped_earlier(self, d: Difference, place: str) -> bool:
        """Whether the app of one side received no more where send() raised, so that nobody knows what it would have been given."""
        raised = self.at.get((place, "send.raised"))
        sides = (d.reference, d.candidate)
        if raised is None or not all(isinstance(side, tuple) for side in (*sides, raised.reference, raised.candidate)):
            return False
        short, long = sorted(sides, key=len)
        more = raised.reference if short is d.reference else raised.candidate
        return len(more) == max(len(raised.reference), len(raised.candidate)) > 0 and short == long[: len(short)] and len(short) < len(long)

    def _not_come(self) -> Difference | None:
        """What a step waited for on one side, and what no frame could be sent over: something that a WebSocket did not bring there, or
        that there is none, in an exchange with one connection."""
        if len({place for place, path in self.reference if path == "connection"}) != 1:
            return None
        if not any(path in ("socket", "script[not a WebSocket]") for facts in (self.reference, self.candidate) for _, path in facts):
            return None
        told = (next((d for (_, name), d in self.at.items() if name == path), None) for path in _BROUGHT)
        return next((d for d in told if d is not None), None)

    def _within(self, places: str, path: str) -> Difference | None:
        return next((d for (place, name), d in self.at.items() if name == path and place.startswith(places)), None)

    def _plainly_framed(self, place: str) -> bool:
        """Whether on both sides the fields say what the framing is, and no more."""
        return all(
            _FRAMING.get(facts[place, "response.framing"])
            == tuple((place, f"response.field[{name}]") in facts for name in ("content-length", "transfer-encoding"))
            for facts in (self.reference, self.candidate)
        )

    def _passed_on(self, d: Difference, place: str) -> Difference | None:
        """What the app itself sent otherwise, where both servers passed it on as it was."""
        call = place.replace(" response ", " call ")
        sides = (self.reference, self.candidate)
        if (call, "call") not in self.reference or (call, "call") not in self.candidate:
            return None
        if ((call, "send.status") in self.reference) != ((call, "send.status") in self.candidate):
            cause = self.at.get((call, "send.types"))  # one of them is the server's own answer
            return cause if cause and _SERVER_MADE.fullmatch(d.path) and _excused_with(d, cause) else None
        if d.path == "response.complete":
            passed = all(facts[place, d.path] == facts.get((call, "send.body-end")) for facts in sides)
            return self.at.get((call, "send.body-end")) if passed else None
        part = d.path.removeprefix("response.").partition(".$" if " at " in d.place else "\0")[0]
        if any((place, f"response.altered[{what}]") in facts for facts in sides for what in (part, "status")):
            return None
        if part == "body" and not all(set(facts[call, "send.types"]) <= set(RESPONSE) for facts in sides):
            return None
        inside = self.exact.get((d.place.replace(" response ", " call ", 1), d.path.replace("response.", "send.", 1)))
        return inside or self.at.get((call, f"send.{part}"))

    def _conveyed(self, d: Difference, place: str) -> Difference | None:
        """What the app itself said otherwise over a WebSocket, or how it ended, where both servers did what that asks."""
        around = _around(place)
        call = around.replace(" socket ", " call ")
        if (call, "call") not in self.reference or (call, "call") not in self.candidate:
            return None

        def altered(where: str, path: str) -> bool:
            return any((where, path) in facts for facts in (self.reference, self.candidate))

        if place != around:
            sent = place.replace(around, call, 1).replace(" message ", " send ")
            if altered(around, "socket.altered[count]") if d.path == "message" else altered(place, "message.altered"):
                return None
            inside = self.exact.get((d.place.replace(place, sent, 1), f"send.{d.path}"))
            said = inside or self.at.get((sent, f"send.{d.path.partition('.$')[0]}"))
            return said or (self.at.get((call, "send.raised")) if d.path == "message" else None)
        part = d.path.removeprefix("socket.close.")
        if part in ("code", "reason") and altered(around, f"socket.altered[{part}]"):
            return None
        if part in ("code", "reason") and (call, f"send.event[websocket.close].{part}") in self.at:
            return self.at[call, f"send.event[websocket.close].{part}"]
        if d.path in ("socket.close", "socket.close.code", "socket.close.reason", "socket.end"):
            return self.at.get((call, "send.types")) or self.at.get((call, "call.end"))
        return None

    def _autobahns(self, d: Difference) -> Difference | None:
        """That the server ended, or what Autobahn found, tells of the closing handshake, too."""
        start, _, part = d.path.partition("].")
        before = ("server", "behavior", "close")
        causes = before[: before.index(part)] if part in before else before
        return next((self.at[d.place, f"{start}].{name}"] for name in causes if (d.place, f"{start}].{name}") in self.at), None)

    def _acted(self, d: Difference, place: str) -> Difference | None:
        """What the app of that call was handed otherwise. That it waits, or was cancelled, is the server's doing until shown otherwise."""
        if not _APP_ACTS.fullmatch(d.path):
            return None
        inputs = [other for other in self.inputs.get(_around(place), []) if _excused_with(d, other)]
        if d.path == "call.end" and ("still running" in d.kind or "CancelledError" in d.kind):
            inputs = [other for other in inputs if other.path.startswith("receive.")]
        return max(inputs, key=lambda other: SEVERITIES.index(other.severity), default=None)


def explained(found: Sequence[Difference], reference: Facts, candidate: Facts, demand: Demand = NOTHING) -> list[Difference]:
    """The same differences, each with its verdict and its root cause among them, and one more for each refusal, named with its rule."""
    verdicts = Verdicts(demand, reference, candidate)
    found = [replace(d, verdict=verdicts.on(d.spot)) for d in found] if demand.ways else found
    refusals = _refusals(found, reference, candidate, demand.rule, verdicts)
    explainer = _Explainer(found, reference, candidate, refusals)
    because = {d.key: explainer.cause(d) for d in found}
    wrong = next((explainer.at[spot] for spot in verdicts.broken if spot in explainer.at), None)
    if wrong is not None:  # what the demand merely lets a server do that does right goes with what the reference does wrong
        heart = _root(wrong, because) or wrong
        beside = [d for d in found if d.verdict == REFERENCE and d.spot not in verdicts.broken and d is not heart]
        because |= {d.key: heart for d in beside if because[d.key] is None}
    asked = [replace(refusal.difference, because=explainer.ready) for refusal in refusals]
    return asked + [_named(replace(d, because=_root(d, because))) for d in found]


def _named(difference: Difference) -> Difference:
    """The same; in a lifespan call, named as a fact of the process, and so its cause."""
    if not difference.place.startswith(f"{LIFESPAN} call "):
        return difference
    because = difference.because and _named(difference.because)
    return replace(difference, path=f"{LIFESPAN}.{difference.path}", because=because)


def differences(reference: Facts, candidate: Facts, demand: Demand = NOTHING) -> list[Difference]:
    """All differences of the candidate from the reference, causes and consequences."""
    return explained(changes(reference, candidate), reference, candidate, demand)


def _root(difference: Difference, because: dict[tuple[str, str, str], Difference | None]) -> Difference | None:
    """The cause of the cause: what the app was handed explains what it sent, which explains what stood on the wire."""
    cause = because[difference.key]
    while cause is not None and because.get(cause.key) is not None:
        cause = because[cause.key]
    return cause
