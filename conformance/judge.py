"""From plays to findings: what differs, what is noise, what came back in every replay.

Takes facts, gives findings. Knows nothing of sockets, servers or reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .difference import Difference, differences
from .fact import Facts
from .weight import quirk

Spot = tuple[str, str]  # place and path


@dataclass(frozen=True)
class Play:
    """The facts of one exchange under each target, once: reference, twin (None when there is none), candidate."""

    reference: Facts
    twin: Facts | None
    candidate: Facts


@dataclass
class Finding:
    """What became of one exchange."""

    confirmed: list[Difference] = field(default_factory=list)
    intermittent: list[Difference] = field(default_factory=list)
    noise: set[Spot] = field(default_factory=set)

    @property
    def differences(self) -> list[Difference]:
        return self.confirmed + self.intermittent


@dataclass
class _Noise:
    """Spots where reference or twin moved. A value that moves excuses another value there, never that it is missing or of another type."""

    spots: set[Spot] = field(default_factory=set)
    structural: set[Spot] = field(default_factory=set)

    def add(self, one: Facts, other: Facts | None, rule: str) -> None:
        """What differs between two observations that ought to be the same."""
        for difference in differences(one, other, rule) if other is not None else ():
            if not quirk(difference.path, difference.kind):
                spot = difference.place, difference.path
                self.spots.add(spot)
                if difference.structural:
                    self.structural.add(spot)

    def covers(self, difference: Difference) -> bool:
        spots = self.structural if difference.structural else self.spots
        if (difference.place, difference.path) in spots:
            return True
        place, part, _ = difference.place.partition(" at ")  # a value inside a content that moved as a whole
        return bool(part) and (place, difference.path.partition(".$")[0]) in self.spots


def _standing(play: Play, noise: _Noise, rule: str) -> list[Difference]:
    """The candidate's differences beyond noise and quirks, each with a cause that itself stands."""
    found = [d for d in differences(play.reference, play.candidate, rule) if not noise.covers(d) and not quirk(d.path, d.kind)]
    keys = {d.key for d in found}
    return [d if d.because is None or d.because.key in keys else replace(d, because=None) for d in found]


def suspects(play: Play, rule: str = "") -> bool:
    """Whether one play gives reason to replay: the candidate differs where reference and twin do not."""
    noise = _Noise()
    noise.add(play.reference, play.twin, rule)
    return bool(_standing(play, noise, rule))


def judge(plays: Sequence[Play], rule: str = "") -> Finding:
    """The first play and its replays, each from fresh state. What did not come back in all of them is intermittent, never dropped; where
    the reference or its twin moved in any of them it is noise."""
    first, replays = plays[0], plays[1:]
    noise = _Noise()
    for play in plays:
        noise.add(play.reference, play.twin, rule)
    for play in replays:
        noise.add(first.reference, play.reference, rule)
    seen = [{d.key: d for d in _standing(play, noise, rule)} for play in plays]
    finding = Finding(noise=noise.spots)
    every: dict[tuple[str, str, str], Difference] = {}
    for found in seen:
        for key, difference in found.items():
            every.setdefault(key, difference)
    for key, difference in every.items():
        steady = all(key in found for found in seen)
        (finding.confirmed if steady else finding.intermittent).append(difference)
    return finding
