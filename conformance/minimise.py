"""Minimising: each bucket's exchange made as small as it can be while the same is found in it.

Owns what counts as the same finding, the search and its bounds. What can be left out stands in reduction.py; who plays is a function
that is handed in. What is found depends on what was played and on nothing else: the bound is one of plays.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ._player import Exchange
from .bucket import Bucket, Sighting, cause_of
from .demand import Demand
from .fact import Facts
from .judge import Play, judge
from .reduction import START, Opaque, Scripts, exchanges, reductions, scripts, size

PLAYS = 64  # candidates of one bucket that are played
WIDTH = 8  # of these at once, each as if those before it were refused
REPLAYS = 3  # of what is left in the end
SECONDS = 240.0  # no new round after that: a safety, which is told

Session = tuple[Exchange, ...]
Plays = Callable[[Sequence[Session]], Sequence[Play | None]]  # the facts of each session's last exchange; None where it was not played
Tell = Callable[[str], None]


@dataclass
class Work:
    """The search for one bucket. Begins with the exchange as it was found, which must show the finding alone."""

    bucket: Bucket
    taken: Scripts
    session: Session
    original: Session
    cursor: tuple[int, int, int] = START
    plays: int = 0
    over: bool = False
    changed: bool = False  # since the search last began anew
    first: Play | None = None  # of the exchange as it was found
    tried: set[tuple[bytes, ...]] = field(default_factory=set)

    def proposals(self) -> list[tuple[tuple[int, int, int], Scripts, Session]]:
        """The next few candidates, none of them twice; none at all ends the search."""
        if self.first is None:
            return [(START, self.taken, self.session)]
        found: list[tuple[tuple[int, int, int], Scripts, Session]] = []
        while not self.over and not found:
            for cursor, taken in reductions(self.taken, self.cursor):
                text = tuple(script.text for script in taken)
                if text in self.tried:
                    continue
                self.tried.add(text)
                smaller = exchanges(taken, self.session[0].session)
                if smaller is not None and size(smaller) < size(self.session):
                    found.append((cursor, taken, smaller))
                    if len(found) == min(WIDTH, PLAYS - self.plays):
                        break
            if not found:
                self.over = not self.changed
                self.cursor, self.changed = START, False
        return found

    def hear(self, proposals: Sequence[tuple[tuple[int, int, int], Scripts, Session]], played: Sequence[Play | None]) -> None:
        """Take the first candidate that shows the same."""
        self.plays += len(proposals)
        if self.first is None:
            self.first = played[0]
            self.over = self.first is None or not shows(self.bucket, self.session[-1], [self.first], self.first)
            return
        for number, ((cursor, taken, smaller), play) in enumerate(zip(proposals, played, strict=True)):
            if play is not None and shows(self.bucket, smaller[-1], [play], self.first):
                for _, later, _ in proposals[number + 1 :]:
                    self.tried.discard(tuple(script.text for script in later))
                self.taken, self.session, self.cursor, self.changed = taken, smaller, cursor, True
                break
        else:
            self.cursor = _behind(proposals[-1][0])
        self.over |= self.plays >= PLAYS


def _behind(cursor: tuple[int, int, int]) -> tuple[int, int, int]:
    kind, run, index = cursor
    return kind, run, index + run


def minimise(found: Sequence[Bucket], plays: Plays, tell: Tell, seconds: float = SECONDS) -> dict[str, int]:
    """Give each bucket its smallest exchange, and say how many candidates were played for each. `plays` plays from fresh state."""
    works = [work for bucket in found if (work := _work(bucket)) is not None]
    begin = time.monotonic()
    played: dict[tuple[bytes, ...], Play | None] = {}  # buckets that begin with one exchange share their candidates
    while open_ := [work for work in works if not work.over]:
        if time.monotonic() - begin > seconds:
            tell(f"minimising stopped after {seconds:.0f} s: {len(open_)} exchanges may be larger than they need be")
            break
        rounds = [(work, proposals) for work in open_ if (proposals := work.proposals())]
        new = {_key(session): session for _, proposals in rounds for _, _, session in proposals if _key(session) not in played}
        if new:
            played.update(zip(new, plays(list(new.values())), strict=True))
        for work, proposals in rounds:
            work.hear(proposals, [played[_key(session)] for _, _, session in proposals])
    _verify([work for work in works if work.first is not None], plays)
    return {work.bucket.name: work.plays for work in works}


def _key(session: Session) -> tuple[bytes, ...]:
    return tuple(exchange.text for exchange in session)


def _work(bucket: Bucket) -> Work | None:
    """None where there is nothing to search: what comes and goes, what ends a server, or has one of its own."""
    session = bucket.shortest.session
    if not bucket.steady or bucket.difference.path == "died" or any(exchange.process for exchange in session):
        return None
    try:
        taken = scripts(session)
    except Opaque:
        return None
    whole = exchanges(taken, session[0].session)
    return Work(bucket, taken, whole, whole) if whole is not None else None


def _verify(works: Sequence[Work], plays: Plays) -> None:
    """What was found smaller has to show it in each of some replays, as any finding has."""
    smaller = []
    for work in works:
        derived = exchanges(tuple(script.derived() for script in work.taken), work.session[0].session)
        if derived is not None and size(work.session) < size(work.original):
            smaller.append((work, derived))
    distinct = {_key(session): session for _, session in smaller}
    replays = [dict(zip(distinct, plays(list(distinct.values())), strict=True)) for _ in range(REPLAYS)] if distinct else []
    for work, session in smaller:
        again = [play for replay in replays if (play := replay[_key(session)]) is not None]
        assert work.first is not None
        if len(again) == REPLAYS and (sighting := shows(work.bucket, session[-1], again, work.first, session)):
            work.bucket.smallest = sighting


def shows(bucket: Bucket, exchange: Exchange, plays: Sequence[Play], first: Play, session: Session = ()) -> Sighting | None:
    """The bucket's finding in these plays of an exchange, if it is there in all of them, and nothing is that `first` had not: no other
    finding, no status, end or failed step. So a request does not become another one that happens to show the same."""
    demand = Demand.of(exchange.meta)
    finding = judge(plays, demand)
    sides = [side for play in plays for side in _sides(play)]
    if any(not _alike(side, before) for side, before in zip(sides, _sides(first) * len(plays), strict=True)):
        return None
    known = {difference.signature for difference in judge([first], demand).differences}
    causes = [difference for difference in finding.differences if cause_of(difference, finding) is difference]
    if any(difference.signature not in known for difference in causes):
        return None
    steady = finding.confirmed if len(plays) > 1 else finding.differences
    for difference in causes:
        if difference in steady and (difference.signature, difference.verdict) == (bucket.signature, bucket.verdict):
            return Sighting(difference, session or (exchange,), bucket.shortest.tap)
    return None


def _sides(play: Play) -> list[Facts]:
    return [play.reference, play.candidate]


_CHARACTER = ("response.status", "end", "garbage", "connection", "socket.end")


def _character(facts: Facts) -> set[tuple[str, str]]:
    """What became of an exchange, wherever in it."""
    found = {(path, repr(value)) for (_, path), value in facts.items() if path in _CHARACTER}
    return found | {(path, "") for _, path in facts if path.startswith("script[")}


def _alike(smaller: Facts, first: Facts) -> bool:
    called = [any(path == "call" for _, path in facts) for facts in (smaller, first)]
    return called[0] == called[1] and _character(smaller) <= _character(first)
