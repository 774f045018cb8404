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


def _covered(spot: Spot, noise: set[Spot]) -> bool:
    """Whether a spot, or the content that it is a part of, is noise."""
    place, path = spot
    if spot in noise:
        return True
    whole = (place.partition(" at ")[0], path.partition(".$")[0])
    return whole != spot and whole in noise


def _noise(play: Play, rule: str) -> set[Spot]:
    return {(d.place, d.path) for d in differences(play.reference, play.twin, rule)} if play.twin is not None else set()


def _standing(play: Play, noise: set[Spot], rule: str) -> list[Difference]:
    """The candidate's differences beyond noise and quirks, each with a cause that itself stands."""
    found = [
        d for d in differences(play.reference, play.candidate, rule) if not _covered((d.place, d.path), noise) and not quirk(d.path, d.kind)
    ]
    keys = {d.key for d in found}
    return [d if d.because is None or d.because.key in keys else replace(d, because=None) for d in found]


def suspects(play: Play, rule: str = "") -> bool:
    """Whether one play gives reason to replay: the candidate differs where reference and twin do not."""
    return bool(_standing(play, _noise(play, rule), rule))


def judge(plays: Sequence[Play], rule: str = "") -> Finding:
    """The first play and its replays, each from fresh state. What did not come back in all of them is intermittent, never dropped; where
    the reference or its twin moved in any of them it is noise."""
    first, replays = plays[0], plays[1:]
    noise = set[Spot]()
    for play in plays:
        noise |= _noise(play, rule)
    for play in replays:
        noise |= {(d.place, d.path) for d in differences(first.reference, play.reference, rule)}
    seen = [{d.key: d for d in _standing(play, noise, rule)} for play in plays]
    finding = Finding(noise=noise)
    every: dict[tuple[str, str, str], Difference] = {}
    for found in seen:
        for key, difference in found.items():
            every.setdefault(key, difference)
    for key, difference in every.items():
        steady = all(key in found for found in seen)
        (finding.confirmed if steady else finding.intermittent).append(difference)
    return finding
