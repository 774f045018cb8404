"""What the user's own app does that the specification does not allow, or does not promise: the validator on what was observed.

Takes the calls of the reference and, where there is one, its twin; what only one of them shows is chance and is not told. Decides
nothing: a verdict is about servers. Knows the form of an observation and the validator; nothing of targets, facts or reports.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bridgecheck.spec.validator import LEVELS, UNKNOWN, Raised, Traced, Violation, call_for

from .._player import Exchange, Instance
from .value import Long, leaf, text

Calls = Sequence[dict[str, Any]]


def _value(traced: Any) -> Any:
    """A value of a trace as the validator takes it."""
    held = leaf(traced)
    if isinstance(held, Long):
        return Traced(held.type, None, None, held.length)
    if isinstance(held, Instance):
        return _instance(held)
    if type(held) is dict:
        return {_value(key): _value(item) for key, item in held.items()}
    if type(held) in (list, tuple):
        return type(held)(map(_value, held))
    return held


def _instance(traced: Instance) -> Any:
    if traced.type == "(cut)":
        return UNKNOWN
    inside = leaf(traced.value)
    if type(inside) in (dict, list, tuple):
        return _value(inside)  # what a container is made of is what counts
    if traced.type in ("bytearray", "memoryview"):
        length = inside.length if isinstance(inside, Long) else len(inside or b"")
        return Traced(traced.type, None, None, length)
    if isinstance(inside, Long):
        return Traced(traced.type, bytes if inside.type == "bytes" else str, None, inside.length)
    return Traced(traced.type) if inside is None else Traced(traced.type, type(inside), inside)


def _raised(traced: Any) -> Raised:
    return Raised(text(traced["type"]), text(traced["message"]) if traced["message"] is not None else "")


def violations(call: dict[str, Any]) -> list[Violation]:
    """All that one observed call broke or relied on."""
    scope = _value(call["scope"])
    if type(scope) is not dict:
        return []
    judged, found = call_for(scope), []
    for event in call["events"]:
        match event["kind"]:
            case "received":
                found += judged.received(_value(event["event"]))
            case "receive raised":
                found += judged.receive_raised(_raised(event["raised"]))
            case "send":
                found += judged.sending(_value(event["event"]))
            case "sent":
                found += judged.sent(_value(event["result"]))
            case "send raised":
                found += judged.send_raised(_raised(event["raised"]))
    if call["end"] == "returned":
        found += judged.returned(_value(call["result"]))
    elif call["end"] == "raised" and call["raised"] is not None:
        found += judged.raised(_raised(call["raised"]))
    return found


def _route(call: dict[str, Any]) -> str:
    """`GET /items`, or the protocol where it has no method."""
    scope = _value(call["scope"])
    if type(scope) is not dict:
        return ""
    return " ".join(text(word) for word in (scope.get("method") or scope.get("type"), scope.get("path")) if word is not None)


Seen = dict[tuple[str, str, str], Violation]  # by rule, what was done, and route


def _seen(calls: Calls) -> Seen:
    found: Seen = {}
    for call in calls:
        for violation in violations(call):
            found.setdefault((violation.rule, violation.what, _route(call)), violation)
    return found


@dataclass
class Breach:
    """One thing that the app does, wherever it does it."""

    rule: str
    what: str
    level: str
    shown: dict[tuple[Exchange, ...], str] = field(default_factory=dict)  # the value and the place, by what must be played to see it
    routes: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """As a file may be called."""
        return f"{self.rule}-{hashlib.sha256(self.what.encode()).hexdigest()[:6]}"

    @property
    def session(self) -> tuple[Exchange, ...]:
        """The least that shows it."""
        return min(self.shown, key=lambda session: (len(session), sum(exchange.sends for exchange in session), session[-1].name))

    @property
    def detail(self) -> str:
        return self.shown[self.session]

    @property
    def exchanges(self) -> list[str]:
        return sorted({session[-1].name for session in self.shown})


class ApplicationRules:
    """Collects over a run."""

    def __init__(self) -> None:
        self._breaches: dict[tuple[str, str], Breach] = {}

    def see(self, session: tuple[Exchange, ...], sides: Sequence[Calls]) -> None:
        """What the app did when the last exchange of `session` was played: its calls under the reference, and under its twin."""
        reference, *twins = map(_seen, sides)
        for (rule, what, route), violation in reference.items():
            if all((rule, what, route) in twin for twin in twins):
                breach = self._breaches.setdefault((rule, what), Breach(rule, what, violation.level))
                breach.shown.setdefault(session, " ".join(filter(None, (violation.detail, f"({violation.where})"))))
                breach.routes.add(route)

    def breaches(self) -> list[Breach]:
        """The heaviest first."""
        return sorted(self._breaches.values(), key=lambda breach: (-LEVELS.index(breach.level), breach.rule, breach.what))
