"""Differences between the facts of two observations of one exchange, and which of them follow from others.

Two sets of facts in, differences out. Knows nothing of replays, noise, taps or reports.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .content import MISSING, Content, json_changes
from .fact import Facts, Port
from .weight import SEVERITIES, weight

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

    @property
    def side(self) -> str:
        """wire, scope, events or process."""
        head = re.split(r"[.\[-]", self.path, maxsplit=1)[0]
        return _SIDES.get(self.path, _SIDES.get(head, "process" if head in ("lifespan", "died") else "wire"))

    @property
    def severity(self) -> str:
        return weight(self.path, self.kind).severity

    @property
    def signature(self) -> str:
        """Stable over routes, values, versions and runs: a hash of side, path and kind alone."""
        return hashlib.sha256("\0".join((self.side, self.path, self.kind)).encode()).hexdigest()[:12]

    @property
    def structural(self) -> bool:
        """Missing, added or of another type: more than a value that moved."""
        return self.kind != "value" and not _worded(self.path)

    @property
    def key(self) -> tuple[str, str, str]:
        """What must come back in a replay for the difference to be confirmed."""
        return self.place, self.path, self.kind


def _type_name(value: Any) -> str:
    if isinstance(value, Port):
        return value.type
    if isinstance(value, type):
        return value.__qualname__
    return type(value).__qualname__


def same(reference: Any, candidate: Any) -> bool:
    """Equal in value and in exact type, all the way down: 1, True and 1.0 are three values."""
    if type(reference) is not type(candidate):
        return False
    if isinstance(reference, (tuple, list)):
        return len(reference) == len(candidate) and all(map(same, reference, candidate))
    return bool(reference == candidate)


_WORDS = {  # facts with few values, whose change says more than "value"
    "connection",
    "end",
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
    "call.raised",
    "call.result",
    "script",
    "garbage",
}


def _worded(path: str) -> bool:
    return path in _WORDS or path.startswith("face.") or path == "scope.headers-shape"


def _kind(path: str, reference: Any, candidate: Any) -> str:
    if reference is MISSING:
        return "added"
    if candidate is MISSING:
        return "missing"
    if _worded(path):
        return f"{_word(reference)}→{_word(candidate)}"
    if isinstance(reference, type) and isinstance(candidate, type) or _type_name(reference) != _type_name(candidate):
        return f"{_type_name(reference)}→{_type_name(candidate)}"
    if (
        isinstance(reference, tuple)
        and tuple(map(_type_name, reference)) != tuple(map(_type_name, candidate))
        and len(reference) == len(candidate)
    ):
        return f"{_types(reference)}→{_types(candidate)}"
    return "value"


def _types(values: tuple[Any, ...]) -> str:
    return "|".join(sorted(set(map(_type_name, values))))


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


_NAME_LISTS = ("response.field-order", "response.field-case", "scope.headers-order")


def _shared(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """The names that both sides have: one that only one side has is a difference of its own, not one of order or case too."""
    known = {name.lower() for name in others}
    return tuple(name for name in names if name.lower() in known)


def _changes(reference: Facts, candidate: Facts) -> Iterator[Difference]:
    for place, path in sorted(reference.keys() | candidate.keys()):
        left, right = reference.get((place, path), MISSING), candidate.get((place, path), MISSING)
        if isinstance(left, Content) and isinstance(right, Content):
            if left != right:
                yield from _content_changes(place, path, left, right)
            continue
        if path in _NAME_LISTS and isinstance(left, tuple) and isinstance(right, tuple):
            left, right = _shared(left, right), _shared(right, left)
        if not same(left, right):
            yield Difference(place, path, _kind(path, left, right), left, right)


def _content_changes(place: str, path: str, left: Content, right: Content) -> Iterator[Difference]:
    if left.json and right.json and left.data is not None and right.data is not None:
        try:
            changes = [
                Difference(f"{place} at {inside}", f"{path}.{general}", _kind("", old, new), old, new)
                for general, inside, old, new in json_changes(left.parsed(), right.parsed())
            ]
        except (ValueError, RecursionError):
            pass
        else:
            # The same values in other bytes: order of keys or white space, which a client that hashes the body sees.
            yield from changes or [Difference(place, path, "value", left, right)]
            return
    yield Difference(place, path, "value", left, right)


_PARTS = ("response", "call")


def _prune(differences: list[Difference]) -> Iterator[Difference]:
    """A part that is there on one side only is one difference, not one for each of its facts."""
    gone = {(d.place, d.path) for d in differences if d.path in (*_PARTS, "scope") and d.kind in ("missing", "added")}
    for difference in differences:
        whole = "response" if " response " in difference.place else "call"
        if (difference.place, whole) in gone and difference.path != whole:
            continue
        if not any(d.place == difference.place and _holds(d, difference) for d in differences):
            yield difference


def _holds(container: Difference, part: Difference) -> bool:
    """Whether a container that is missing, added or of another type accounts for the part."""
    if container.path == part.path or container.kind == "value" or not part.path.startswith("scope."):
        return False
    return container.kind in ("missing", "added") and part.path.startswith((f"{container.path}.", f"{container.path}["))


def _connections(facts: Facts) -> dict[str, tuple[int, int]]:
    """Per connection: how many responses and calls it had."""
    counts: dict[str, tuple[int, int]] = {}
    for place, path in facts:
        if path == "connection":
            counts.setdefault(place, (0, 0))
        elif path in _PARTS:
            name = place.split(" ")[0]
            responses, calls = counts.get(name, (0, 0))
            counts[name] = (responses + (path == "response"), calls + (path == "call"))
    return counts


def _refusals(differences: list[Difference], reference: Facts, candidate: Facts, rule: str) -> list[Difference]:
    """One side called the app and the other did not: one difference, `request`, with everything from that request on as its consequence."""
    before, after = _connections(reference), _connections(candidate)
    result = differences
    for name in sorted(before.keys() & after.keys()):
        served, now = before[name][1], after[name][1]
        if served == now:
            continue
        path = f"request[{rule}]" if rule else "request"
        cause = Difference(name, path, "served→refused" if served > now else "refused→served", f"{served} calls", f"{now} calls")
        first = min(served, now) + 1
        result = [cause] + [
            Difference(d.place, d.path, d.kind, d.reference, d.candidate, cause) if _from(d, name, first) else d for d in result
        ]
    return result


def _from(difference: Difference, connection: str, number: int) -> bool:
    """Whether the difference lies in or behind the NUMBERth request of the connection."""
    words = difference.place.split(" ")
    if words[0] == "line":
        return True
    if words[0] != connection:
        return False
    return len(words) == 1 or int(words[2]) >= number


_APP_ACTS = re.compile(r"send\.(types|status|field\[.*\]|body.*|body-end|pieces)|call\..*|answer-before-body-end")
_APP_INPUT = re.compile(r"scope.*|receive\.(body|body-end|disconnect|types|raised)|send\.(raised|result)")
_PASSED_ON = (
    (re.compile(r"response\.status"), r"send.status"),
    (re.compile(r"response\.field\[(.*)\]"), r"send.field[\1]"),
    (re.compile(r"response\.(field-order|field-case)"), r"send.field"),
    (re.compile(r"response\.(body|pieces).*"), r"send.body"),
    (re.compile(r"response\.(framing|complete|field\[content-length\]|field\[transfer-encoding\])"), r"send.body"),
)


def _heavy_enough(cause: Difference, difference: Difference) -> bool:
    return SEVERITIES.index(cause.severity) >= SEVERITIES.index(difference.severity)


def _cause(difference: Difference, differences: list[Difference], aligned: set[str]) -> Difference | None:
    """The difference that this one follows from. A lighter one is never taken for a cause: it would hide the heavier one."""
    words = difference.place.split(" ")
    if len(words) < 3 or words[0] not in aligned:
        return None
    call = f"{words[0]} call {words[2]}"
    if words[1] == "response":
        for pattern, sent in _PASSED_ON:
            match = pattern.fullmatch(difference.path)
            if match:
                wanted = match.expand(sent)
                for other in differences:
                    if other.place.partition(" at ")[0] == call and other.path.startswith(wanted) and _heavy_enough(other, difference):
                        return other
        return None
    if not _APP_ACTS.fullmatch(difference.path):
        return None
    inputs = [d for d in differences if d.place == difference.place and _APP_INPUT.fullmatch(d.path)]
    heaviest = max(inputs, key=lambda d: SEVERITIES.index(d.severity), default=None)
    return heaviest if heaviest and _heavy_enough(heaviest, difference) else None


def differences(reference: Facts, candidate: Facts, rule: str = "") -> list[Difference]:
    """All differences of the candidate from the reference, causes and consequences. `rule`: the exchange's first, to name a refusal."""
    found = [] if reference is candidate else list(_prune(list(_changes(reference, candidate))))
    if not found:
        return []
    found = _refusals(found, reference, candidate, rule)
    before, after = _connections(reference), _connections(candidate)
    aligned = {name for name in before.keys() & after.keys() if before[name] == after[name] and before[name][0] == before[name][1]}
    calls_aligned = {name for name in before.keys() & after.keys() if before[name][1] == after[name][1]}
    because = {d.key: d.because or _cause(d, found, aligned if " response " in d.place else calls_aligned) for d in found}
    return [replace(d, because=_root(d, because)) for d in found]


def _root(difference: Difference, because: dict[tuple[str, str, str], Difference | None]) -> Difference | None:
    """The cause of the cause: what the app was handed explains what it sent, which explains what stood on the wire."""
    cause = because[difference.key]
    while cause is not None and because.get(cause.key) is not None:
        cause = because[cause.key]
    return cause
