"""Minimising: each bucket's exchange made as small as it can be while the same is found in it.

Owns what counts as the same finding, the search and its bounds. What can be left out stands in reduction.py; who plays is a function
that is handed in. What is found depends on what was played and on nothing else: the bounds are of plays and rounds.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from .._player import Exchange
from ..compare.bucket import Bucket, Sighting, cause_of
from ..compare.demand import Demand
from ..compare.difference import Difference
from ..compare.fact import Facts
from ..compare.judge import Play, judge
from ..taps.tap import waits
from ..targets.stage import has_own_start
from .reduction import START, Cursor, reductions, together
from .script import Opaque, Scripts, exchanges, scripts, size

PLAYS = 64  # candidates that are considered for one bucket
WIDTH = 8  # of these at once, each as if those before it were refused
WIDTH_WAITING = 32  # the same, of an exchange that waits, where a round takes seconds whatever is in it
ROUND_WAITING = 16  # so many of PLAYS such a round costs at least
REPLAYS = 3  # of what is left in the end, from fresh state
SECONDS = 900.0  # no new round after that: a safety against servers that hang, which is told

Session = tuple[Exchange, ...]
Plays = Callable[[Sequence[Session], bool], Sequence[Play | None]]  # of each session's last exchange; None where it was not played
Tell = Callable[[str], None]

_CHARACTER = ("response.status", "end", "garbage", "connection", "socket.end")
_SILENT = (("end", "silent"), ("socket.end", "silent"), ("call.end", "still running"))


@dataclass(frozen=True)
class Seen:
    """What some plays of one exchange show."""

    causes: dict[tuple[str, str], Difference]  # by signature and verdict; steady ones only
    signatures: set[str]  # of every difference
    beside: set[str]  # of every cause
    sides: tuple[tuple[bool, set[tuple[str, str]]], ...]  # reference and candidate: whether the app was called, and what became of it
    waited: bool  # for what did not come

    @classmethod
    def of(cls, exchange: Exchange, plays: Sequence[Play]) -> "Seen":
        finding = judge(plays, Demand.of(exchange.meta))
        steady = finding.confirmed if len(plays) > 1 else finding.differences
        sides = tuple([side(play) for play in plays] for side in (lambda play: play.reference, lambda play: play.candidate))
        return cls(
            {(d.signature, d.verdict): d for d in reversed(steady) if cause_of(d, finding) is d},
            {d.signature for d in finding.differences},
            {d.signature for d in finding.differences if cause_of(d, finding) is d},
            tuple(map(_character, sides)),
            any(map(_waited, chain(*sides))),
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


def _waited(facts: Facts) -> bool:
    return any(path == "script[timed out]" or (path, value) in _SILENT for (_, path), value in facts.items())


@dataclass(frozen=True)
class Candidate:
    cursor: Cursor  # leads on from it
    taken: Scripts
    session: Session
    alone: bool = True  # one reduction of what was there, not several together

    @property
    def text(self) -> tuple[bytes, ...]:
        return tuple(script.text for script in self.taken)


@dataclass
class Work:
    """The search for one bucket. Begins with the exchange as it was found, which must show the finding alone."""

    bucket: Bucket
    taken: Scripts
    session: Session
    original: Session
    most: int
    slow: bool  # it waits
    cursor: Cursor = START
    plays: int = 0
    rounds: int = 0
    over: bool = False
    changed: bool = False  # since the search last began anew
    first: Seen | None = None  # of the exchange as it was found
    tried: set[tuple[bytes, ...]] = field(default_factory=set)
    joint: list[tuple[Cursor, Scripts]] = field(default_factory=list)  # what showed it one by one, together

    def proposals(self) -> list[Candidate]:
        """The next few candidates, none of them twice; none at all ends the search. What waits is played beside its first ones."""
        if self.first is None:
            return [Candidate(START, self.taken, self.session), *(self._next() if self.slow else ())]
        found: list[Candidate] = []
        while not self.over and not found:
            found = self._next()
            if not found:
                self.over = not self.changed
                self.cursor, self.changed = START, False
        return found

    def _next(self) -> list[Candidate]:
        many = min(WIDTH_WAITING if self.slow else WIDTH, self.most - self.plays)
        found: dict[tuple[bytes, ...], Candidate] = {}
        for candidate in self._candidates():
            if len(found) == many:
                break
            if candidate.text not in self.tried and size(candidate.session) < size(self.session):
                found.setdefault(candidate.text, candidate)
        self.joint = []
        return list(found.values())

    def _candidates(self) -> Iterator[Candidate]:
        joint = ((cursor, taken, False) for cursor, taken in self.joint)
        for cursor, taken, alone in chain(joint, ((*single, True) for single in reductions(self.taken, self.cursor))):
            smaller = exchanges(taken, self.session[0].session)
            if smaller is not None:
                yield Candidate(cursor, taken, smaller, alone)

    def hear(self, proposals: Sequence[Candidate], played: Sequence[Seen | None]) -> None:
        """Take the first candidate that shows the same. Others of its kind that do may do so together: that is tried next."""
        if self.first is None:
            self.first, *played = played
            proposals = proposals[1:]
            self.over = self.first is None or self.bucket.key not in self.first.causes
            if self.over or self.first is None:
                return
            self.slow |= self.first.waited
            if not proposals:
                return
        self.rounds += 1
        self.slow |= any(seen is not None and seen.waited for seen in played)
        first = self.first
        pairs = zip(proposals, played, strict=True)
        showing = [one for one, seen in pairs if seen is not None and self.bucket.key in seen.causes and seen.like(first)]
        considered = proposals[: proposals.index(showing[0]) + 1] if showing else proposals
        self.plays += len(considered)
        self.tried.update(candidate.text for candidate in considered)
        if showing:
            one = showing[0]
            singles = [candidate.cursor for candidate in showing if candidate.alone] if one.alone else []
            self.joint = [together(self.taken, singles[:many]) for many in _halves(len(singles))]
            self.taken, self.session, self.cursor, self.changed = one.taken, one.session, one.cursor, True
        elif proposals[-1].alone:
            kind, run, index = proposals[-1].cursor
            self.cursor = kind, run, index + run
        self.over |= self.plays >= self.most or (self.slow and self.rounds * ROUND_WAITING >= self.most)


def _halves(many: int) -> Iterator[int]:
    while many > 1:
        yield many
        many //= 2


def minimise(found: Sequence[Bucket], plays: Plays, tell: Tell, most: int = PLAYS, seconds: float = SECONDS) -> dict[str, int]:
    """Give each bucket its smallest exchange, and say how many candidates were played for each, of `most`.
    `plays` plays each from fresh state where it is told so, and may let candidates share one otherwise: that only guides the search."""
    works = [work for bucket in found if (work := _work(bucket, most)) is not None]
    begin = time.monotonic()
    played: dict[tuple[bytes, ...], Seen | None] = {}  # buckets that begin with one exchange share their candidates
    while open_ := [work for work in works if not work.over]:
        if time.monotonic() - begin > seconds:
            tell(f"minimising stopped after {seconds:.0f} s: {len(open_)} exchanges may be larger than they need be")
            break
        # A round takes as long as the slowest play in it: what does not wait comes first.
        now = [work for work in open_ if work.first is None] or [work for work in open_ if not work.slow] or open_
        rounds = [(work, proposals) for work in now if (proposals := work.proposals())]
        new = {texts(one.session): one.session for _, proposals in rounds for one in proposals if texts(one.session) not in played}
        for session, play in zip(new.values(), plays(list(new.values()), False) if new else (), strict=True):
            played[texts(session)] = None if play is None else Seen.of(session[-1], [play])
        for work, proposals in rounds:
            work.hear(proposals, [played[texts(one.session)] for one in proposals])
    _verify([work for work in works if work.first is not None], plays)
    return {work.bucket.name: work.plays for work in works}


def texts(session: Session) -> tuple[bytes, ...]:
    """The same for sessions that play the same."""
    return tuple(exchange.text for exchange in session)


def _work(bucket: Bucket, most: int) -> Work | None:
    """None where there is nothing to search: what comes and goes, what ends a server, or has one of its own."""
    session = bucket.shortest.session
    if not bucket.steady or bucket.deadly or has_own_start(session):
        return None
    try:
        taken = scripts(session)
    except Opaque:
        return None
    whole = exchanges(taken, session[0].session)
    return Work(bucket, taken, whole, whole, most, any(map(waits, whole))) if whole is not None else None


def _verify(works: Sequence[Work], plays: Plays) -> None:
    """What was found smaller has to show it in each of some replays, as any finding has."""
    smaller = []
    for work in works:
        derived = exchanges(tuple(script.derived() for script in work.taken), work.session[0].session)
        if derived is not None and size(work.session) < size(work.original):
            smaller.append((work, derived))
    distinct = {texts(session): session for _, session in smaller}
    replays = [dict(zip(distinct, plays(list(distinct.values()), True), strict=True)) for _ in range(REPLAYS)] if distinct else []
    for work, session in smaller:
        again = [play for replay in replays if (play := replay[texts(session)]) is not None]
        if len(again) == REPLAYS and work.first is not None:
            seen = Seen.of(session[-1], again)
            if work.bucket.key in seen.causes and seen.like(work.first):
                work.bucket.smallest = Sighting(seen.causes[work.bucket.key], session, work.bucket.shortest.tap)
