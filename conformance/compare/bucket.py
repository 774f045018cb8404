"""Buckets: differences with one cause and one verdict, as one finding.

Takes findings with the exchanges they were found in, gives buckets. Knows nothing of files, targets or of how a report looks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .._player import Exchange
from .demand import Demand
from .difference import Difference
from .fact import LIFESPAN
from .judge import Finding
from .rule import binding
from .verdict import REFERENCE, UNDEFINED
from .weight import SEVERITIES, weight


@dataclass(frozen=True)
class Sighting:
    """A difference in an exchange. `session` holds what must be played to see it: the exchange and what goes before it."""

    difference: Difference
    session: tuple[Exchange, ...]
    tap: str
    steady: bool = True  # confirmed there, not intermittent

    @property
    def exchange(self) -> Exchange:
        return self.session[-1]

    @property
    def playable(self) -> bool:
        """Whether playing it can show it again: the lifespan calls of a whole stage are no exchange's."""
        return bool(self.session[0].process) or not self.difference.path.startswith(LIFESPAN)


@dataclass(frozen=True)
class Reproduced:
    """In how many of how many further plays of its exchange a finding came back."""

    times: int
    of: int

    @property
    def always(self) -> bool:
        return self.times == self.of

    @property
    def share(self) -> float:
        return self.times / self.of


@dataclass
class Bucket:
    """All sightings with one signature and one verdict, and the consequences that go with them."""

    signature: str
    verdict: str = UNDEFINED
    sightings: list[Sighting] = field(default_factory=list)
    consequences: set[str] = field(default_factory=set)
    smallest: Sighting | None = None  # in an exchange that was made smaller
    reproduced: Reproduced | None = None  # by the shortest exchange; None where it was not played again

    @property
    def key(self) -> tuple[str, str]:
        return self.signature, self.verdict

    @property
    def name(self) -> str:
        """The signature, and the verdict where there is one: as a file may be called."""
        return self.signature if self.verdict == UNDEFINED else f"{self.signature}-{self.verdict.replace(' ', '-')}"

    @property
    def rules(self) -> list[str]:
        """The rules that the verdict speaks of: those of its exchanges that bind."""
        if self.verdict == UNDEFINED:
            return []
        return sorted({rule for sighting in self.sightings for rule in binding(Demand.of(sighting.exchange.meta).rules)})

    @property
    def excused(self) -> bool:
        """Whether it is the reference that is wrong."""
        return self.verdict == REFERENCE

    @property
    def steady(self) -> bool:
        """Whether it came back each time it was looked for."""
        return any(sighting.steady for sighting in self.sightings) and (self.reproduced is None or self.reproduced.always)

    @property
    def deadly(self) -> bool:
        """Whether it is that a target ended."""
        return self.difference.path == "died"

    @property
    def shortest(self) -> Sighting:
        """The smallest thing that shows it, and shows it every time if there is one."""
        return self.smallest or self.found

    @property
    def found(self) -> Sighting:
        """The smallest of those that were played, before any was made smaller."""
        return min(
            self.sightings, key=lambda s: (not s.steady, not s.playable, len(s.session), sum(e.sends for e in s.session), s.exchange.name)
        )

    @property
    def difference(self) -> Difference:
        return self.shortest.difference

    @property
    def severity(self) -> str:
        return self.difference.severity

    @property
    def why(self) -> str:
        return weight(self.difference.path, self.difference.kind).why

    @property
    def title(self) -> str:
        return title(self.difference)

    @property
    def exchanges(self) -> list[str]:
        return sorted({sighting.exchange.name for sighting in self.sightings})

    @property
    def routes(self) -> list[str]:
        return sorted({route for sighting in self.sightings for route in routes(sighting.exchange)})


def routes(exchange: Exchange) -> list[str]:
    """`GET /items` for each request of the exchange, without its query."""
    return [f"{method.decode('latin-1')} {target.decode('latin-1').partition('?')[0]}" for method, target in exchange.requests]


_WORDS = {
    "missing": "missing under the candidate",
    "added": "only under the candidate",
    "value": "another value under the candidate",
    "count": "more or fewer values under the candidate",
    "layout": "the same values, written differently under the candidate",
    "time": "no date, or another time, under the candidate",
}


_NAMES = {  # what is not plain from a path; the longer first
    "socket.close.reason": "reason in the server's close frame",
    "socket.close.code": "code in the server's close frame",
    "receive.message": "WebSocket message that the app received",
    "socket.accept": "Sec-WebSocket-Accept that fits the key",
    "socket.close": "close frame of the server over the WebSocket",
    "send.message": "WebSocket message that the app sent",
    "socket.ping": "pings of the server over the WebSocket",
    "socket.pong": "pongs of the server over the WebSocket",
    "socket.end": "end of the WebSocket",
    "message": "WebSocket message of the server",
    "socket": "WebSocket",
}
_AUTOBAHN = {
    "behavior": "Autobahn's verdict",
    "close": "Autobahn's verdict on the closing handshake",
    "close.code": "code in the server's close frame",
    "server": "the server after a case of Autobahn's",
}
_SOCKET_PARTS = {
    "message.altered": "a message",
    "socket.altered[count]": "the number of messages",
    "socket.altered[close]": "the close",
    "socket.altered[code]": "the code of the close",
    "socket.altered[reason]": "the reason of the close",
}


def _named(path: str) -> str:
    """A path, or what stands for it in words, with its part in parentheses."""
    for name, words in _NAMES.items():
        if path == name:
            return words
        if path.startswith(f"{name}."):
            return f"{words} ({path.removeprefix(f'{name}.')})"
    return path


def title(difference: Difference) -> str:
    """One line that a person reads: what, under the reference, and under the candidate."""
    path, kind = difference.path, difference.kind
    if path.startswith("request"):
        served = kind == "served→refused"
        about = path.removeprefix("request").strip("[]")
        sentence = (
            "the reference serves this request, the candidate does not"
            if served
            else "the candidate serves a request that the reference does not"
        )
        return f"{sentence} ({about})" if about else sentence
    if path == "died":
        return "the candidate ends while it serves this" if kind == "running→died" else "the reference ends while it serves this"
    if path.startswith("response.altered["):
        side = "candidate" if kind == "added" else "reference"
        return f"{path.removeprefix('response.altered[')[:-1]} of the response: not what the app sent, under the {side}"
    side = {"added": "candidate", "missing": "reference"}.get(kind)
    if side and path.startswith(("socket.altered[", "message.altered")):
        return f"{_SOCKET_PARTS.get(path, path)} over the WebSocket: not what the app sent, under the {side}"
    if path.startswith("socket.fault[") and side:
        return f"a frame that no server may send ({path.removeprefix('socket.fault[')[:-1]}), under the {side}"
    if path.startswith("autobahn["):
        subject, _, part = path.removeprefix("autobahn[").partition("].")
        return f"{_AUTOBAHN[part]}, {subject}: {_WORDS.get(kind) or kind.replace('→', ' → ')}"
    words = _WORDS
    if path in ("response", "call", "connection", "socket", "message", "receive.message", "send.message"):
        words = {"missing": "missing under the candidate", "added": "one more under the candidate"}
    return f"{_named(path)}: {words.get(kind) or kind.replace('→', ' → ')}"


def cause_of(difference: Difference, finding: Finding) -> Difference:
    """What it follows from, if that was found there; else itself."""
    known = {other.key: other for other in finding.differences}
    return known.get(difference.because.key, difference) if difference.because is not None else difference


def buckets(found: Iterable[tuple[tuple[Exchange, ...], str, Finding]]) -> list[Bucket]:
    """Group what was found, per exchange (with what goes before it in its session) and tap; heaviest first."""
    grouped: dict[tuple[str, str], Bucket] = {}
    for session, tap, finding in found:
        for differences, steady in ((finding.confirmed, True), (finding.intermittent, False)):
            for difference in differences:
                shown = cause_of(difference, finding)
                bucket = grouped.setdefault((shown.signature, shown.verdict), Bucket(shown.signature, shown.verdict))
                if shown is difference:
                    bucket.sightings.append(Sighting(difference, session, tap, steady))
                else:
                    bucket.consequences.add(title(difference))

    def order(bucket: Bucket) -> tuple[object, ...]:
        difference = bucket.difference
        return -SEVERITIES.index(bucket.severity), difference.side, difference.path, difference.kind, bucket.verdict

    return sorted(grouped.values(), key=order)
