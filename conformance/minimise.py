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
from .difference import Difference
from .fact import Facts
from .judge import Play, judge
from .reduction import START, Cursor, Opaque, Scripts, exchanges, reductions, scripts, size
from .stage import has_own_start
from .tap import waits

PLAYS = 32  # candidates that are considered for one bucket
PLAYS_WAITING = 8  # the same, of an exchange that waits for silence or an end, which takes seconds each time
WIDTH = 8  # of these at once, each as if those before it were refused
REPLAYS = 3  # of what is left in the end, from fresh state
SECONDS = 900.0  # no new round after that: a safety against servers that hang, which is told

Session = tuple[Exchange, ...]
Plays = Callable[[Sequence[Session], bool], Sequence[Play | None]]  # of each session's last exchange; None where it was not played
Tell = Callable[[str], None]

_CHARACTER = ("response.status", "end", "garbage", "connection", "socket.end")


@dataclass(frozen=True)
class Seen:
    """What some plays of one exchange show."""

    causes: dict[tuple[str, str], Difference]  # by signature and verdict; steady ones only
    signatures: set[str]  # of every difference
    beside: set[str]  # of every cause
    sides: tuple[tuple[bool, set[tuple[str, str]]], ...]  # reference and candidate: whether the app was called, and what became of it

    @classmethod
    def of(cls, exchange: Exchange, plays: Sequence[Play]) -> "Seen":
        finding = judge(plays, Demand.of(exchange.meta))
        steady = finding.confirmed if len(plays) > 1 else finding.differences
        return cls(
            {(d.signature, d.verdict): d for d in reversed(steady) if cause_of(d, finding) is d},
            {d.signature for d in finding.differences},
            {d.signature for d in finding.differences if cause_of(d, finding) is d},
            tuple(_character([side(play) for play in plays]) for side in (lambda play: play.reference, lambda play: play.candidate)),
        )

    def like(self, first: "Seen") -> bool:
        """Whether nothing is here that `first` had not: no other finding, no other status, end or failed step; and the app was called or
        not as there. So a request does not become another one that happens to show the same."""
        return self.beside <= first.signatures and all(
            called == before and became <= might for (called, became), (before, might) in zip(self.sides, first.sides, strict=True)
        )


def _character(plays: Sequence[Facts]) -> tuple[bool, set[tuple[str, str]]]:
    found = {(path, repr(value)) for facts in plays for (_, path), value in facts.items() if path in _CHARACTER}
    found |= {(path, "") for facts in plays for _, path in facts if path.startswith("script[")}
    return all(any(path == "call" for _, path in facts) for facts in plays), found


@dataclass
class Work:
    """The search for one bucket. Begins with the exchange as it was found, which must show the finding alone."""

    bucket: Bucket
    taken: Scripts
    session: Session
    original: Session
    cursor: Cursor = START
    plays: int = 0
    over: bool = False
    changed: bool = False  # since the search last began anew
    first: Seen | None = None  # of the exchange as it was found
    tried: set[tuple[bytes, ...]] = field(default_factory=set)

    def proposals(self) -> list[tuple[Cursor, Scripts, Session]]:
        """The next few candidates, none of them twice; none at all ends the search."""
        if self.first is None:
            return [(START, self.taken, self.session)]
        found: list[tuple[Cursor, Scripts, Session]] = []
        while not self.over and not found:
            for cursor, taken in reductions(self.taken, self.cursor):
                text = tuple(script.text for script in taken)
                if text in self.tried:
                    continue
                self.tried.add(text)
                smaller = exchanges(taken, self.session[0].session)
                if smaller is not None and size(smaller) < size(self.session):
                    found.append((cursor, taken, smaller))
                    if len(found) == min(WIDTH, self.most - self.plays):
                        break
            if not found:
                self.over = not self.changed
                self.cursor, self.changed = START, False
        return found

    @property
    def most(self) -> int:
        return PLAYS_WAITING if any(map(waits, self.original)) else PLAYS

    @property
    def key(self) -> tuple[str, str]:
        return self.bucket.signature, self.bucket.verdict

    def hear(self, proposals: Sequence[tuple[Cursor, Scripts, Session]], played: Sequence[Seen | None]) -> None:
        """Take the first candidate that shows the same."""
        if self.first is None:
            self.first = played[0]
            self.over = self.first is None or self.key not in self.first.causes
            return
        for number, ((cursor, taken, smaller), seen) in enumerate(zip(proposals, played, strict=True)):
            self.plays += 1
            if seen is not None and self.key in seen.causes and seen.like(self.first):
                for _, later, _ in proposals[number + 1 :]:
                    self.tried.discard(tuple(script.text for script in later))
                self.taken, self.session, self.cursor, self.changed = taken, smaller, cursor, True
                break
        else:
            self.cursor = _behind(proposals[-1][0])
        self.over |= self.plays >= self.most


def _behind(cursor: Cursor) -> Cursor:
    kind, run, index = cursor
    return kind, run, index + run


def minimise(found: Sequence[Bucket], plays: Plays, tell: Tell, seconds: float = SECONDS) -> dict[str, int]:
    """Give each bucket its smallest exchange, and say how many candidates were played for each.
    `plays` plays each from fresh state where it is told so, and may let candidates share one otherwise: that only guides the search."""
    works = [work for bucket in found if (work := _work(bucket)) is not None]
    begin = time.monotonic()
    played: dict[tuple[bytes, ...], Seen | None] = {}  # buckets that begin with one exchange share their candidates
    while open_ := [work for work in works if not work.over]:
        if time.monotonic() - begin > seconds:
            tell(f"minimising stopped after {seconds:.0f} s: {len(open_)} exchanges may be larger than they need be")
            break
        rounds = [(work, proposals) for work in open_ if (proposals := work.proposals())]
        new = {_key(session): session for _, proposals in rounds for _, _, session in proposals if _key(session) not in played}
        for session, play in zip(new.values(), plays(list(new.values()), False) if new else (), strict=True):
            played[_key(session)] = None if play is None else Seen.of(session[-1], [play])
        for work, proposals in rounds:
            work.hear(proposals, [played[_key(session)] for _, _, session in proposals])
    _verify([work for work in works if work.first is not None], plays)
    return {work.bucket.name: work.plays for work in works}


def _key(session: Session) -> tuple[bytes, ...]:
    return tuple(exchange.text for exchange in session)


def _work(bucket: Bucket) -> Work | None:
    """None where there is nothing to search: what comes and goes, what ends a server, or has one of its own."""
    session = bucket.shortest.session
    if not bucket.steady or bucket.difference.path == "died" or has_own_start(session):
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
    replays = [dict(zip(distinct, plays(list(distinct.values()), True), strict=True)) for _ in range(REPLAYS)] if distinct else []
    for work, session in smaller:
        again = [play for replay in replays if (play := replay[_key(session)]) is not None]
        if len(again) == REPLAYS and work.first is not None:
            seen = Seen.of(session[-1], again)
            if work.key in seen.causes and seen.like(work.first):
                work.bucket.smallest = Sighting(seen.causes[work.key], session, work.bucket.shortest.tap)
