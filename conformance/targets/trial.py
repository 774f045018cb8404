"""Trials: sessions that are played beside a gate's own run, on a stage of their own, to see what each of them shows.

Owns which of them share a start, and which are played side by side. Knows nothing of why they are played, or of what was found.
"""

from collections.abc import Sequence

from .._player import Exchange
from ..compare.fact import Facts
from ..compare.judge import Play
from ..taps.tap import writes
from .stage import Stage, has_own_start

WAITING = 4  # times as many side by side as elsewhere: of what is tried, much only waits


class Trials:
    """On a stage that was just started."""

    def __init__(self, stage: Stage, *, own_app: bool, twin: bool, jobs: int) -> None:
        self.stage = stage
        self.own_app = own_app
        self.twin = twin
        self.jobs = jobs if own_app else jobs * WAITING
        self._written = False  # since the last start

    def play(self, sessions: Sequence[tuple[Exchange, ...]], fresh: bool) -> list[Play | None]:
        """Of each session's last exchange, or None where it was not played. Where all has to be fresh, each that may write has a start of
        its own, and all others one together; else all have one, and those that may write come last, one behind another."""
        apart = [index for index, session in enumerate(sessions) if self._writes(session)]
        beside = [index for index in range(len(sessions)) if index not in apart]
        facts: dict[int, tuple[Facts, ...] | None] = {}
        for group in filter(None, (beside, *([index] for index in apart)) if fresh else (beside, apart)):
            if fresh or self._written:
                self.stage.restart()
            self._written = group is not beside
            chosen = [list(sessions[index]) for index in group]
            played = self.stage.play(chosen, jobs=1 if self._written else self.jobs, as_it_is=True).facts
            facts |= {index: found[-1] for index, found in zip(group, played, strict=True)}
        return [None if (item := facts[index]) is None else self._play(item) for index in range(len(sessions))]

    def apart(self, session: tuple[Exchange, ...]) -> bool:
        """Whether it needs a start of its own to be played from fresh state."""
        return has_own_start(list(session)) or self._writes(session)

    def _writes(self, session: tuple[Exchange, ...]) -> bool:
        return self.own_app and writes(list(session))

    def _play(self, facts: tuple[Facts, ...]) -> Play:
        return Play(facts[0], facts[1] if self.twin else None, facts[-1])
