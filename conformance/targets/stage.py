"""A stage: the targets with one app, and the player before them. Plays sessions, starts afresh, survives a target that dies.

Owns the running targets from enter to exit. Knows nothing of what a difference is, except that a target which died is one.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._player import Exchange, Player
from ..adapters import Unsupported
from ..autobahn import case, drive
from ..compare.fact import Address, Facts, facts_of_all
from ..taps.recorded import begins_fresh
from ..taps.tap import Session, writes
from .lifetime import Lifetime, play_all
from .target import Target, start_all, stop_all

DEATHS_MAX = 3  # restarts of one target, after which what is left is not played

SEGMENT_MAX = 16 << 10  # bytes: well below what a loopback segment and any server's read hold
BY_SEGMENT = ("receive.pieces", "answer-before-body-end")  # facts that depend on how the request was cut on its way

Progress = Callable[[int], bool]
Watch = Callable[[tuple[Exchange, ...], tuple[Any, ...]], None]  # a session up to one exchange, and the observations of that


@dataclass(frozen=True)
class Death:
    """A target ended by itself while it was played to."""

    target: str
    session: tuple[Exchange, ...]
    story: str  # exit code or signal, and its last lines


@dataclass
class Result:
    """Per session and exchange: the facts per target in the stage's order, or None where it was not played."""

    facts: list[list[tuple[Facts, ...] | None]]
    deaths: list[Death] = field(default_factory=list)
    untraced: list[str] = field(default_factory=list)  # what the traces do not account for, in words
    unsupported: list[tuple[str, str]] = field(default_factory=list)  # exchanges that ask for what a server has not, and that
    lifetimes: int = 0  # exchanges with process steps that were played


class Stage:
    """`make` gives the targets, stopped; the first is the reference, the last the candidate."""

    def __init__(self, targets: Sequence[Target], *, patience: float, deaths_max: int = DEATHS_MAX) -> None:
        self.targets = list(targets)
        self.patience = patience
        self.deaths_max = deaths_max
        self.player: Player | None = None
        self.deaths: dict[str, int] = {target.name: 0 for target in targets}
        self._written = False  # since the last start
        self.watch: Watch | None = None  # sees every observation before facts are made of it

    def start(self) -> None:
        """All targets on fresh state. NotReady when one does not come up; nothing is left running then."""
        start_all(self.targets)
        self._written = False
        self.player = Player([target.address() for target in self.targets], patience=self.patience)

    def stop(self) -> None:
        if self.player is not None:
            self.player.close()
            self.player = None
        stop_all(self.targets)

    def restart(self) -> None:
        """The same targets again on fresh state."""
        self.stop()
        self.start()

    def prepare(self, sessions: Sequence[Session], *, as_it_is: bool = False) -> None:
        """Before these are played side by side: what has to begin on fresh state does, and what may write is noted."""
        if self._written and not as_it_is and any(map(begins_fresh, sessions)):
            self.restart()
        self._written |= any(map(writes, sessions))

    @contextlib.contextmanager
    def running(self) -> Iterator["Stage"]:
        try:
            self.start()
            yield self
        finally:
            self.stop()

    def _facts(self, exchange: Exchange, observations: tuple[Any, ...], targets: Sequence[Target]) -> tuple[Facts, ...]:
        facts = facts_of_all(observations, [Address(target.host, target.port) for target in targets])
        if not _at_once(exchange):
            for item in facts:
                for key in [key for key in item if key[1] in BY_SEGMENT]:
                    del item[key]
        return facts

    def lifespans(self) -> list[list[dict[str, Any]]]:
        assert self.player is not None
        return self.player.lifespans()

    def play(
        self, sessions: Sequence[Session], *, jobs: int, in_order: bool = False, as_it_is: bool = False, progress: Progress | None = None
    ) -> Result:
        """Play all sessions; `in_order`, on an app with a state: what may write is played alone, behind all that stands before it. Else
        what can only be played alone comes behind the rest.

        Where a target dies, all start afresh and everything is played again one by one, so that the exchange which kills is known by
        name; what stands behind it is played after one more start. Sessions that begin on fresh state come behind all others, those that
        only read together and the others each on a start of its own; not so `as_it_is`, where the caller owns who shares a start.
        Exchanges with process steps come last."""
        result = Result([[None] * len(session) for session in sessions])
        shared = [index for index, session in enumerate(sessions) if not has_own_start(session)]
        if not in_order:  # else each of these would wait for all that was begun before it
            shared.sort(key=lambda index: any(exchange.alone for exchange in sessions[index]))
        fresh = [index for index in shared if begins_fresh(sessions[index]) and not as_it_is]
        apart = [index for index in fresh if writes(sessions[index])]
        over = 0
        for group in ([i for i in shared if i not in fresh], [i for i in fresh if i not in apart], *([index] for index in apart)):
            if group and not self._given_up():
                self.prepare([sessions[index] for index in group], as_it_is=as_it_is)
                self._group(result, sessions, group, jobs, in_order, progress and _behind(progress, over))
                over += sum(len(sessions[index]) for index in group)
        self._live(result, sessions, progress)
        self._drive(result, sessions, progress)
        return result

    def _given_up(self) -> bool:
        return max(self.deaths.values()) > self.deaths_max

    def _group(
        self, result: Result, sessions: Sequence[Session], left: list[int], jobs: int, in_order: bool, progress: Progress | None
    ) -> None:
        """Sessions that share a start."""
        crowd: list[Death] = []  # deaths among exchanges side by side, where nobody knows which one did it
        while left:
            assert self.player is not None
            alone = {place for place, index in enumerate(left) if in_order and writes(sessions[index])}
            jobs = 1 if len(alone) == len(left) else jobs
            played = self.player.play([sessions[index] for index in left], jobs=jobs, alone=alone, progress=progress)
            for index, observations in zip(left, played, strict=True):
                for position, item in enumerate(observations if self.watch is not None else ()):
                    if item is not None and self.watch is not None:
                        self.watch(tuple(sessions[index][: position + 1]), item)
                result.facts[index] = [
                    None if item is None else self._facts(exchange, item, self.targets)
                    for exchange, item in zip(sessions[index], observations, strict=True)
                ]
            result.untraced.extend(self._unclaimed())
            died = [target for target in self.targets if target.died() is not None]
            if not died:
                break
            if jobs > 1 and len(left) > 1:
                crowd = [Death(target.name, (), target.died() or "") for target in died]  # one more is counted where it comes back
                jobs = 1
            else:
                for target in died:
                    self.deaths[target.name] += 1
                left = self._bury(result, died, sessions, left)
                crowd = []
            if self._given_up():
                for index in left:
                    result.facts[index] = [None] * len(sessions[index])
                break
            self.restart()
            self._written = any(writes(sessions[index]) for index in left)
        result.deaths.extend(crowd)

    def _live(self, result: Result, sessions: Sequence[Session], progress: Progress | None) -> None:
        """The exchanges with process steps, each on a start of its own."""
        lifetimes: dict[int, Lifetime] = {}
        for index, session in enumerate(sessions):
            if session and session[0].process:
                try:
                    lifetimes[index] = Lifetime(session[0], self.targets, patience=self.patience)
                except Unsupported as error:
                    result.unsupported.append((session[0].name, str(error)))
        result.lifetimes = len(lifetimes)
        before = sum(len(session) for session in sessions if not has_own_start(session))
        played = play_all(list(lifetimes.values()), lambda over: progress(before + over) if progress else None)
        for (index, lifetime), observations in zip(lifetimes.items(), played, strict=True):
            result.facts[index] = [self._facts(lifetime.exchange, observations, lifetime.targets)]

    def _drive(self, result: Result, sessions: Sequence[Session], progress: Progress | None) -> None:
        """The exchanges whose script is a case of Autobahn's, all on one start of their own."""
        driven = {index: session[0] for index, session in enumerate(sessions) if session and case.KEY in session[0].meta}
        if not driven:
            return
        before = sum(map(len, sessions)) - len(driven)
        names = [exchange.meta[case.KEY] for exchange in driven.values()]
        played = drive.play(names, self.targets, lambda over: progress(before + over) if progress else None)
        for (index, exchange), observations in zip(driven.items(), played, strict=True):
            result.facts[index] = [None if observations is None else self._facts(exchange, observations, self.targets)]

    def _bury(self, result: Result, died: list[Target], sessions: Sequence[Session], left: list[int]) -> list[int]:
        """Name the exchange under which the targets died, the last one that reached them, and give the sessions behind it."""
        for behind, index in enumerate(reversed(left)):  # noqa: B007
            facts = result.facts[index]
            reached = [position for position, item in enumerate(facts) if item is not None and not _refused(item)]
            if reached:
                killer = reached[-1]
                for position in range(killer, len(facts)):
                    facts[position] = None  # the target's death is the finding, not the silence that followed
                break
            result.facts[index] = [None] * len(facts)
        else:
            behind, index, killer = len(left) - 1, left[0], 0  # it died before anything reached it: the first one found it dead
        for target in died:
            result.deaths.append(Death(target.name, tuple(sessions[index][: killer + 1]), target.died() or ""))
        return left[len(left) - behind :]

    def _unclaimed(self) -> list[str]:
        assert self.player is not None
        return [
            f"{target.name}: a call that no exchange explains: {call['scope'].get('method', '')} {call['scope'].get('path', '')}".rstrip()
            for target, calls in zip(self.targets, self.player.unclaimed(), strict=True)
            for call in calls
        ]


def _behind(progress: Progress, over: int) -> Progress:
    return lambda played: progress(over + played)


def has_own_start(session: Session) -> bool:
    """Whether it is one exchange with process steps, or one of Autobahn's cases."""
    return bool(session and (session[0].process or case.KEY in session[0].meta))


def _at_once(exchange: Exchange) -> bool:
    """Whether all of it reaches a server in one segment, so that in how many pieces it is read is the server's doing and not chance."""
    sends = sum(kind.startswith("send") for _, kind, _ in exchange.steps)
    return sends <= 1 and exchange.sends <= SEGMENT_MAX and b"\nsend split" not in exchange.text


def _refused(played: tuple[Facts, ...]) -> bool:
    return any(path == "connection" and opened is False for facts in played for (_, path), opened in facts.items())
