"""The suite: what one server makes of the spec cases, each judged alone by what its exchange demands. No server is compared with another.

Owns how often a case is played: twice on fresh state, and again, calmly, where it failed or disagrees with itself. Prints nothing, writes
nothing: gives a Sheet.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from . import adapters
from ._player import Exchange
from .demand import MUST, SHOULD, Demand
from .fact import Facts
from .stage import Stage
from .tap import Session, waits
from .target import Target

PASS, FAIL, SKIP, UNSUPPORTED, CRASH = STATUSES = ("pass", "fail", "skip", "unsupported", "crash")
RECORDS_ONLY = "records only"  # no rule says what must be seen

CROWD = 48  # cases after which it is looked whether the server still runs: as many are played one by one to find the one that ended it
CALM = 4  # cases side by side where their time counts
CALM_PLAYS = (2, 3)  # of a case in doubt, and as many more where these disagree
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
        everything = range(len(self.sessions))
        with self.stage.running():
            plays = [self._play(everything, self.jobs)]
            self.stage.restart()
            plays.append(self._play(everything, self.jobs))
            sheet = Sheet(target.server.given, versions.get((*packages, "")[0], ""), versions, dict(plays[0]), deaths=self.deaths)
            doubtful = [index for index in everything if self._doubtful(index, plays)]
            calm: list[dict[str, Judged]] = []
            for more in CALM_PLAYS:
                self.total += more * len(doubtful)
                for _ in range(more if doubtful else 0):
                    self.stage.restart()
                    calm.append(self._play(doubtful, CALM))
                for index in doubtful:
                    for exchange in self.sessions[index]:
                        self._settle(sheet, exchange.name, [play[exchange.name] for play in calm if exchange.name in play])
                doubtful = [index for index in doubtful if any(exchange.name in sheet.unsteady for exchange in self.sessions[index])]
        return sheet

    def _doubtful(self, index: int, plays: list[dict[str, Judged]]) -> bool:
        seen = [{play[exchange.name].status for play in plays} for exchange in self.sessions[index]]
        return any(len(statuses) > 1 or statuses & {FAIL, CRASH} for statuses in seen)

    def _settle(self, sheet: Sheet, name: str, seen: list[Judged]) -> None:
        """What fails once may have been this machine's doing; what fails twice is the server's, however often it passes."""
        counts = Counter(case.status for case in seen)
        status = next((status for status in (CRASH, FAIL) if counts[status] > 1), counts.most_common(1)[0][0])
        sheet.cases[name] = Counter(case for case in seen if case.status == status).most_common(1)[0][0]
        sheet.unsteady.pop(name, None)
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
