"""From plays to findings: what differs, what is noise, what came back in every replay.

Takes facts, gives findings. Knows nothing of sockets, servers or reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .demand import NOTHING, Demand
from .difference import Difference, changes, explained
from .fact import Facts
from .verdict import merged
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


def _backwards(kind: str) -> str:
    """The kind of the same change from the other side."""
    return {"missing": "added", "added": "missing"}.get(kind) or "→".join(reversed(kind.split("→")))


@dataclass
class _Noise:
    """How reference or twin moved, spot by spot. A move excuses the same kind of change there, forth or back, or another value: where a
    value moves it may not be missing, and a connection that is sometimes closed may not be reset."""

    kinds: dict[Spot, set[str]] = field(default_factory=dict)

    def add(self, one: Facts, other: Facts | None) -> None:
        """What differs between two observations that ought to be the same."""
        for d in changes(one, other) if other is not None else ():
            if d.kind != "time" and not quirk(d.path, d.kind):  # plays are made one after another
                self.kinds.setdefault((d.place, d.path), set()).update((d.kind, _backwards(d.kind)))

    def covers(self, difference: Difference) -> bool:
        kinds = self.kinds.get((difference.place, difference.path), set())
        if difference.kind in kinds or (kinds - {"layout"} and difference.kind == "value"):
            return True
        place, inside, _ = difference.place.partition(" at ")  # a value inside a content that moved as a whole
        return bool(inside) and "value" in self.kinds.get((place, difference.path.partition(".$")[0]), ())


def _standing(play: Play, noise: _Noise, demand: Demand) -> list[Difference]:
    """The candidate's differences beyond noise and quirks, each with a cause that itself stands."""
    found = [d for d in changes(play.reference, play.candidate) if not noise.covers(d) and not quirk(d.path, d.kind)]
    return explained(found, play.reference, play.candidate, demand)


def suspects(play: Play, demand: Demand = NOTHING) -> bool:
    """Whether one play gives reason to replay: the candidate differs where reference and twin do not."""
    noise = _Noise()
    noise.add(play.reference, play.twin)
    return bool(_standing(play, noise, demand))


def judge(plays: Sequence[Play], demand: Demand = NOTHING) -> Finding:
    """The first play and its replays, each from fresh state. What did not come back in all of them is intermittent, never dropped; where
    the reference or its twin moved in any of them it is noise."""
    first, replays = plays[0], plays[1:]
    noise = _Noise()
    for play in plays:
        noise.add(play.reference, play.twin)
    for play in replays:
        noise.add(first.reference, play.reference)
    seen: dict[tuple[str, str, str], list[Difference]] = {}
    for play in plays:
        for difference in _standing(play, noise, demand):
            seen.setdefault(difference.key, []).append(difference)
    steady = {key for key, found in seen.items() if len(found) == len(plays) > 1}
    finding = Finding(noise=set(noise.kinds))
    for key, found in seen.items():
        # What stood for itself in one play does so for good, and what is steady does not follow from what is not.
        difference = next((d for d in found if d.because is None), None)
        if difference is None and key in steady:
            difference = next((d for d in found if d.because is not None and d.because.key in steady), replace(found[0], because=None))
        difference = replace(difference or found[0], verdict=merged(d.verdict for d in found))
        (finding.confirmed if key in steady else finding.intermittent).append(difference)
    return finding
