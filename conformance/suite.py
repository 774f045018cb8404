"""The suite: what one server makes of the spec cases, each judged alone by what its exchange demands. No server is compared with another.

Owns how often a case is played: twice, each time on fresh state, and again, calmly, where it failed or disagrees with itself. Prints
nothing, writes nothing: gives a Sheet.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from . import adapters
from ._player import Exchange
from .compare.demand import MUST, SHOULD, Demand
from .compare.fact import Facts
from .taps.tap import Session, waits
from .targets.stage import Stage, has_own_start
from .targets.target import Target

PASS, FAIL, SKIP, UNSUPPORTED, CRASH = STATUSES = ("pass", "fail", "skip", "unsupported", "crash")
RECORDS_ONLY = "records only"  # no rule says what must be seen

CROWD = 48  # cases after which it is looked whether the server still runs: as many are played one by one to find the one that ended it
CALM = 4  # cases side by side where their time counts
MORE_PLAYS = 4  # of a case that disagrees with itself, behind the first calm one
SETTLED = ({PASS}, {SKIP}, {UNSUPPORTED})  # what a case came to in all its plays that needs no other
DEATHS_MAX = 40

Tick = Callable[[int, int], None]  # cases played, of how many


@dataclass(frozen=True)
class Judged:
    """What came of a case. `level` is that of the demand it was judged by, "" where there is none."""

    status: str
    level: str
    observed: str  # the facts that the demand names, as it would say them


@dataclass
class Sheet:
    """What one server made of all cases, in their order."""

    server: str
    version: str
    versions: dict[str, str]
    cases: dict[str, Judged]
    unsteady: dict[str, list[str]] = field(default_factory=dict)  # cases that disagree with themselves: the status of each calm play
    deaths: list[str] = field(default_factory=list)  # how it ended among cases side by side, but not one by one

    @property
    def breaks(self) -> list[str]:
        """The cases in which a must is broken, or the server ends."""
        return [name for name, case in self.cases.items() if case.status == CRASH or (case.status == FAIL and case.level == MUST)]


def judged(exchange: Exchange, facts: Facts) -> Judged:
    """One exchange by the facts of one play."""
    demands = [(level, Demand.of(exchange.meta, level)) for level in (MUST, SHOULD)]
    demands = [(level, demand) for level, demand in demands if demand.ways]
    for extension in filter(None, (need if "." in need else "" for need in exchange.meta.get("needs", "").split())):
        offer = f"scope.extensions['{extension}']"
        if not any(path == offer for _, path in facts):
            return Judged(UNSUPPORTED, "", f"{offer} missing")
    if not demands:
        return Judged(SKIP, "", RECORDS_ONLY + (f": {exchange.meta['records']}" if "records" in exchange.meta else ""))
    kept = []
    for level, demand in demands:
        way = demand.nearest(facts)
        if not way.holds(facts):
            return Judged(FAIL, level, way.observed(facts))
        kept.append(way.observed(facts))
    return Judged(PASS, demands[0][0], "; ".join(kept))


class Suite:
    """The cases on one server."""

    def __init__(self, target: Target, sessions: Sequence[Session], *, patience: float, jobs: int, tick: Tick) -> None:
        self.stage = Stage([target], patience=patience, deaths_max=DEATHS_MAX)
        self.sessions = list(sessions)
        self.jobs = jobs
        self.tick = tick
        self.total = 2 * len(self.sessions)  # grows by what has to be played again
        self.played = 0
        self.deaths: list[str] = []

    def run(self) -> Sheet:
        """Play everything. Raises NotReady where the server never listens."""
        target = self.stage.targets[0]
        packages = adapters.load(target.server.name).packages
        told = target.describe()["versions"]
        versions = {name: told[name] for name in ("python", *packages) if name in told}
        with self.stage.running():
            plays = self._rounds()
            doubtful = [index for index in range(len(self.sessions)) if any(seen not in SETTLED for seen in self._seen(index, plays))]
            calm = [self._again(doubtful)] if doubtful else []
            unsure = [index for index in doubtful if any(len(seen) > 1 for seen in self._seen(index, [*plays, *calm]))]
            calm += [self._again(unsure) for _ in range(MORE_PLAYS if unsure else 0)]
        sheet = Sheet(target.server.given, versions.get((*packages, "")[0], ""), versions, {}, deaths=self.deaths)
        for exchange in (exchange for session in self.sessions for exchange in session):
            name = exchange.name
            self._settle(sheet, name, [play[name] for play in calm if name in play] or [plays[0][name]])
        return sheet

    def _rounds(self) -> list[dict[str, Judged]]:
        """All cases, twice. Those with a start of their own have fresh state as they are, and once they are played if they are judged."""
        own = [index for index, session in enumerate(self.sessions) if has_own_start(session)]
        silent = {index: judged(self.sessions[index][0], {}) for index in own}
        silent = {index: case for index, case in silent.items() if case.status == SKIP}
        self.total -= len(own) + len(silent)
        first = self._play([index for index in range(len(self.sessions)) if index not in silent], self.jobs)
        self.stage.restart()
        second = self._play([index for index in range(len(self.sessions)) if index not in own], self.jobs)
        return [first | {self.sessions[index][0].name: case for index, case in silent.items()}, second]

    def _again(self, chosen: Sequence[int]) -> dict[str, Judged]:
        self.total += len(chosen)
        self.stage.restart()
        return self._play(chosen, CALM)

    def _seen(self, index: int, plays: Sequence[dict[str, Judged]]) -> list[set[str]]:
        """For each case of a session what it came to, where a play has it."""
        return [{play[exchange.name].status for play in plays if exchange.name in play} for exchange in self.sessions[index]]

    def _settle(self, sheet: Sheet, name: str, seen: list[Judged]) -> None:
        """What fails once may have been this machine's doing; what fails twice is the server's, however often it passes."""
        counts = Counter(case.status for case in seen)
        status = next((status for status in (CRASH, FAIL) if counts[status] > 1), counts.most_common(1)[0][0])
        sheet.cases[name] = Counter(case for case in seen if case.status == status).most_common(1)[0][0]
        if len(counts) > 1:
            sheet.unsteady[name] = [case.status for case in seen]

    def _play(self, chosen: Sequence[int], jobs: int) -> dict[str, Judged]:
        """These sessions once. Those that wait have a crowd of their own, and what may end the server comes last and one by one."""
        found: dict[str, Judged] = {}
        for crowd, width in self._crowds(chosen, jobs):
            done = self.played

            def told(count: int, done: int = done) -> bool:
                self.tick(done + count, self.total)
                return False

            sessions = [self.sessions[index] for index in crowd]
            result = self.stage.play(sessions, jobs=width, progress=told)
            deaths = {death.session[-1].name: death.story.partition("\n")[0] for death in result.deaths if death.session}
            lacking = dict(result.unsupported)
            self.deaths += [death.story.partition("\n")[0] for death in result.deaths if not death.session]
            for session, facts in zip(sessions, result.facts, strict=True):
                ended = ""
                for exchange, item in zip(session, facts, strict=True):
                    ended = ended or deaths.get(exchange.name, "")
                    if item is not None:
                        found[exchange.name] = judged(exchange, item[0])
                    elif exchange.name in lacking:
                        found[exchange.name] = Judged(UNSUPPORTED, "", lacking[exchange.name])
                    else:
                        level = MUST if Demand.of(exchange.meta).ways else ""
                        found[exchange.name] = Judged(CRASH, level, f"the server ended: {ended or 'too often before this case'}")
            self.played += len(sessions)
            self.tick(self.played, self.total)
        return {exchange.name: found[exchange.name] for index in chosen for exchange in self.sessions[index]}

    def _crowds(self, chosen: Sequence[int], jobs: int) -> Iterator[tuple[list[int], int]]:
        alone = [index for index in chosen if any("process" in exchange.meta.get("needs", "").split() for exchange in self.sessions[index])]
        slow = [index for index in chosen if index not in alone and any(map(waits, self.sessions[index]))]
        quick = [index for index in chosen if index not in alone and index not in slow]
        for group, width in ((quick, jobs), (slow, jobs), (alone, 1)):
            for begin in range(0, len(group), CROWD):
                yield group[begin : begin + CROWD], width
