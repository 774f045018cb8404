"""Verdicts: which side breaks a rule where two observations of one exchange differ.

Takes a demand and the facts of both sides. Knows nothing of how facts differ, of weights or of reports.
"""

from collections.abc import Iterable

from .demand import Demand
from .fact import Facts, Key

CANDIDATE = "candidate breaks"
REFERENCE = "reference breaks"
BOTH = "both allowed"
UNDEFINED = "undefined"


class Verdicts:
    """Who does right in one exchange."""

    def __init__(self, demand: Demand, reference: Facts, candidate: Facts) -> None:
        self._facts = candidate
        self._reference = [way for way in demand.ways if way.holds(reference)]  # those in which it does right
        self._candidate = [way for way in demand.ways if way.holds(candidate)]
        wrong = [] if self._reference else self._candidate
        self.broken = [clause.spot for way in wrong for clause in way.clauses if not clause.holds(reference)]  # by the reference, in order

    def on(self, spot: Key) -> str:
        """The verdict on a difference in this fact. Undefined where the demand does not name it, and where no side does right in whole:
        what is right in one thing excuses nothing else."""
        if any(way.names(spot) for way in self._candidate):
            return BOTH if self._reference else REFERENCE
        if not self._candidate and any(way.broken(spot, self._facts) for way in self._reference):
            return CANDIDATE
        return UNDEFINED


def merged(verdicts: Iterable[str]) -> str:
    """The verdict on a difference that was seen in several plays: nothing is excused that was not excused in all of them."""
    seen = set(verdicts)
    if len(seen) == 1:
        return seen.pop()
    return CANDIDATE if CANDIDATE in seen else UNDEFINED
