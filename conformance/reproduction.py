"""Reproduction: each finding's exchange played again and again. What does not come back each time is told as intermittent.

Owns how often, and what counts as come back. Who plays is a function that is handed in. Decides nothing of a finding but whether it is
steady, and whether its exchange stays the smaller one.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .compare.bucket import Bucket, Reproduced, buckets
from .compare.demand import Demand
from .compare.judge import Play, judge
from .minimise.search import Plays, Session, Tell, texts

STARTS = 10  # fresh states over which the plays are spread
SECONDS = 3600.0  # no new start after that: a safety against servers that hang, which is told

Key = tuple[str, str]  # a bucket's
Deaths = Callable[[Session, int], int]  # in how many of so many plays a server ended


@dataclass(frozen=True)
class Times:
    """How often. What needs a start of its own for each play takes seconds for each."""

    together: int
    apart: int


@dataclass(frozen=True)
class Stagehand:
    """Who plays."""

    plays: Plays
    deaths: Deaths
    apart: Callable[[Session], bool]  # whether it needs a start of its own


def reproduce(found: Sequence[Bucket], stagehand: Stagehand, times: Times, tell: Tell, seconds: float = SECONDS) -> None:
    """Say of each bucket how often it came back. Where its smaller exchange does not show it each time, the one that was found is
    played too, and stays where it shows it more often."""
    begin = time.monotonic()

    def over() -> bool:
        return time.monotonic() - begin > seconds

    first = [(bucket, bucket.shortest.session) for bucket in found if bucket.shortest.playable]
    for (bucket, _), seen in zip(first, _seen(first, stagehand, times, over), strict=True):
        bucket.reproduced = seen
    second = [(b, b.found.session) for b in found if b.smallest is not None and b.reproduced is not None and not b.reproduced.always]
    for (bucket, _), seen in zip(second, _seen(second, stagehand, times, over), strict=True):
        if seen is not None and bucket.reproduced is not None and seen.share > bucket.reproduced.share:
            bucket.smallest, bucket.reproduced = None, seen
    if over():
        tell(f"playing the findings again stopped after {seconds:.0f} s: some were played less often than others")


def _seen(
    chosen: Sequence[tuple[Bucket, Session]], stagehand: Stagehand, times: Times, over: Callable[[], bool]
) -> list[Reproduced | None]:
    """Per bucket and exchange; None where it was not played. Buckets that share an exchange share its plays."""
    lasting = {texts(session): session for bucket, session in chosen if not bucket.deadly}
    counts: dict[tuple[bytes, ...], Counter[Key]] = {each: Counter() for each in lasting}
    played: Counter[tuple[bytes, ...]] = Counter()
    for start in range(STARTS):
        round_ = [each for each, session in lasting.items() for _ in range(_part(_many(session, stagehand, times), start))]
        if not round_ or over():
            continue
        for each, play in zip(round_, stagehand.plays([lasting[each] for each in round_], True), strict=True):
            if play is not None:
                played[each] += 1
                counts[each].update(_shown(lasting[each], play))
    found: list[Reproduced | None] = []
    for bucket, session in chosen:
        each = texts(session)
        if bucket.deadly:
            many = 0 if over() else times.apart
            found.append(Reproduced(stagehand.deaths(session, many), many) if many else None)
        else:
            found.append(Reproduced(counts[each][bucket.key], played[each]) if played[each] else None)
    return found


def _many(session: Session, stagehand: Stagehand, times: Times) -> int:
    return times.apart if stagehand.apart(session) else times.together


def _part(times: int, start: int) -> int:
    """Of so many plays those that belong to this start."""
    return times * (start + 1) // STARTS - times * start // STARTS


def _shown(session: Session, play: Play) -> Iterable[Key]:
    """The findings in one play."""
    finding = judge([play], Demand.of(session[-1].meta))
    return [bucket.key for bucket in buckets([(session, "", finding)])]
