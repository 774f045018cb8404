"""The gate: all taps to reference, twin and candidate; what differs; whether "same" was earned.

The one place where taps, stages, the judge and buckets meet. Prints nothing, writes nothing: gives an Outcome.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ._player import Exchange
from .autobahn import case
from .compare.application_rules import ApplicationRules, Breach
from .compare.bucket import Bucket, buckets
from .compare.demand import Demand
from .compare.difference import Difference, differences
from .compare.fact import Address, Facts, lifespan_facts
from .compare.judge import Finding, Play, judge, suspects
from .compare.misfit import Played, fits, misfit, misfits
from .compare.weight import at_least, quirks
from .errors import NotEarned
from .minimise.search import PLAYS, minimise
from .reproduction import Stagehand, Times, reproduce
from .route import Route, RouteTable
from .taps.recorded import begins_fresh
from .taps.tap import Session, Tap, of_routes
from .targets import route_list
from .targets.shared_folder import look, written
from .targets.stage import Death, Result, Stage, has_own_start
from .targets.target import Target
from .targets.trial import Trials

REPLAYS = 3
STATUSES_AGREE = 0.95  # of the recorded statuses, on the reference; below that the traffic does not fit the app

LOST_NAMED = 5  # exchanges that could not be played, named in the report
CHUNK = 500  # exchanges that are played before the next look at what differs

Say = Callable[[str], None]
Tick = Callable[[str, int, int, int], None]  # tap, exchanges played, of how many, how many of them differ so far
MakeTargets = Callable[[bool], list[Target]]


@dataclass(frozen=True)
class Plan:
    """What is to be done. `targets(own_app)` makes the targets of a stage, stopped: reference, twin if there is one, candidate."""

    taps: Sequence[Tap]
    targets: MakeTargets
    twin: bool
    jobs: int
    patience: float
    fail_on: str
    routes: bool = False  # ask for the routes of the user's app, and play the tap that is made of them
    minimise: int = PLAYS  # candidates for one bucket
    reproduce: Times = Times(0, 0)


@dataclass
class Outcome:
    """What the gate found. Everything that varies from run to run is in `times` and `noise_counts`."""

    buckets: list[Bucket]
    noise: set[str]
    quirks: Counter[str]
    exchanges: dict[str, int]  # by tap
    routes: list[Route]  # of the user's app, what was never reached first
    not_tried: list[str]
    targets: list[dict[str, Any]]
    times: dict[str, float]
    cpu: dict[str, float]
    fail_on: str
    carried: list[str] = field(default_factory=list)  # values that answers gave to later requests, in words
    breaches: list[Breach] = field(default_factory=list)  # of the user's own app; no part of the verdict
    minimised: dict[str, int] = field(default_factory=dict)  # plays it took, by bucket

    @property
    def failing(self) -> list[Bucket]:
        """Where the reference is wrong, the candidate need not be."""
        return [bucket for bucket in self.buckets if not bucket.excused and at_least(bucket.severity, self.fail_on)]

    @property
    def same(self) -> bool:
        return not self.failing


class Gate:
    """One run."""

    def __init__(self, plan: Plan, say: Say, tick: Tick) -> None:
        self.plan = plan
        self.say = say
        self.tick = tick
        self.found: list[tuple[tuple[Exchange, ...], str, Finding]] = []
        self.noise: set[str] = set()
        self.quirks: Counter[str] = Counter()
        self.taps = list(plan.taps)
        self.table: RouteTable | None = None
        self.not_tried: list[str] = []
        self.times: dict[str, float] = {}
        self.cpu: Counter[str] = Counter()
        self.described: list[dict[str, Any]] = []
        self.unearned: list[str] = []
        self.unsupported: dict[str, list[str]] = {}  # exchanges, by what a server has not
        self.lifetimes = 0
        self.application = ApplicationRules()

    def run(self) -> Outcome:
        """Play everything. Raises BridgecheckError where a target was never ready or "same" cannot be earned."""
        for own_app in (True, False):  # an app that does not start is told at once
            taps = [tap for tap in self.plan.taps if tap.own_app == own_app and tap.sessions]
            if taps or (own_app and self.plan.routes):
                before = look(Path.cwd())
                self._stage(own_app, taps)
                if own_app and (names := written(before, look(Path.cwd()))):
                    words = "all run in this folder and share what was written there while they ran"
                    self.not_tried.append(f"a state of its own for each target: {words}: {', '.join(names)}")
        if not sum(tap.exchanges for tap in self.taps):
            self.unearned.append("nothing was played: the app has no route that can be asked without a value; give --traffic")
        if self.unearned:
            raise NotEarned(self.unearned)
        rows = self.table.rows() if self.table else []
        if unreached := sum(not row.taps for row in rows):
            self.not_tried.append(f"{unreached} of the app's {sum(row.listed for row in rows)} routes: no exchange reached them")
        if not self.lifetimes:
            self.not_tried.append("signals and exit codes: no exchange with process steps was played")
        self.not_tried += [f"{what}: {', '.join(names)}" for what, names in self.unsupported.items()]
        found = buckets(self.found)
        minimised = self._settle(found)
        return Outcome(
            found,
            self.noise,
            self.quirks,
            {tap.name: tap.exchanges for tap in self.taps},
            rows,
            self.not_tried,
            self.described,
            self.times,
            dict(self.cpu),
            self.plan.fail_on,
            [told for tap in self.plan.taps for told in tap.carried],
            self.application.breaches(),
            minimised,
        )

    def _settle(self, found: list[Bucket]) -> dict[str, int]:
        """Make the exchanges of the buckets smaller, each where it was played, and see how often each comes back."""
        own = {tap.name: tap.own_app for tap in self.taps}
        plays: dict[str, int] = {}
        self.times |= {"minimise": 0.0, "reproduce": 0.0}
        for own_app in (False, True):
            chosen = [bucket for bucket in found if own[bucket.shortest.tap] == own_app]
            if not chosen or not (self.plan.minimise or self.plan.reproduce.together or self.plan.reproduce.apart):
                continue
            stage = Stage(self.plan.targets(own_app), patience=self.plan.patience)
            with stage.running():
                trials = Trials(stage, own_app=own_app, twin=self.plan.twin, jobs=self.plan.jobs)
                begin = time.monotonic()
                if self.plan.minimise:
                    self.say(f"making the exchanges of {len(chosen)} findings smaller")
                    plays |= minimise(chosen, trials.play, self._stopped, self.plan.minimise)
                between = time.monotonic()
                if self.plan.reproduce.together or self.plan.reproduce.apart:
                    self.say(f"playing the exchanges of {len(chosen)} findings again")
                    stagehand = Stagehand(trials.play, partial(self._deaths_of, own_app), trials.apart)
                    reproduce(chosen, stagehand, self.plan.reproduce, self._stopped)
                self.times["minimise"] += between - begin
                self.times["reproduce"] += time.monotonic() - between
        return plays

    def _deaths_of(self, own_app: bool, session: tuple[Exchange, ...], times: int) -> int:
        """In how many plays of this session a target ended."""
        stage = Stage(self.plan.targets(own_app), patience=self.plan.patience, deaths_max=sys.maxsize)
        with stage.running():
            return sum(any(death.session for death in stage.play([session], jobs=1).deaths) for _ in range(times))

    def _stopped(self, line: str) -> None:
        self.say(line)
        self.not_tried.append(line)

    def _stage(self, own_app: bool, taps: list[Tap]) -> None:
        stage = Stage(self.plan.targets(own_app), patience=self.plan.patience)
        with stage.running():
            if not self.described:
                self.described = [target.describe() for target in stage.targets]
            if own_app:
                taps = self._routes(stage, taps)
            for tap in taps:
                self._tap(stage, tap)
            if taps:
                self._process(stage, taps[0])
            for target in stage.targets:
                self.cpu[target.name] += target.cpu_seconds()

    def _routes(self, stage: Stage, given: list[Tap]) -> list[Tap]:
        """The taps of the user's app, with the one that is made of its routes where that is wanted."""
        listed = route_list.ask(stage.targets[0].host, stage.targets[0].port)
        self.table = RouteTable(listed, [target.name for target in stage.targets])
        if not self.plan.routes:
            return given
        made = of_routes(listed)
        self.taps.append(made)
        if not made.sessions:
            self.not_tried.append("the app's own routes: none that needs no value, and no --traffic was given")
        return [*given, *([made] if made.sessions else [])]

    def _tap(self, stage: Stage, tap: Tap) -> None:
        self.say(f"{tap.name}: {tap.exchanges} exchanges")
        begin = time.monotonic()
        stage.watch = self._watch if tap.own_app else None
        first = self._first(stage, tap)
        stage.watch = None
        self.times[tap.name] = time.monotonic() - begin
        self._earned(tap, first)
        self._deaths(stage, tap, first.deaths)
        self.lifetimes += first.lifetimes
        for name, what in first.unsupported:
            self.unsupported.setdefault(what, []).append(name)
        doubtful = [index for index, session in enumerate(tap.sessions) if self._doubtful(session, first.facts[index])]
        replays: list[dict[int, list[tuple[Facts, ...] | None]]] = []
        if doubtful:
            count = sum(self._doubt(tap.sessions[index], first.facts[index]) for index in doubtful)
            self.say(f"{tap.name}: {count} exchanges differ, replaying from fresh state")
            for _ in range(REPLAYS):
                again = _again(tap, doubtful)
                chosen = [tap.sessions[index] for index in again]
                if not all(map(has_own_start, chosen)):
                    stage.restart()
                replay = stage.play(chosen, jobs=self.plan.jobs, in_order=tap.own_app)
                self._deaths(stage, tap, replay.deaths)
                replays.append(dict(zip(again, replay.facts, strict=True)))
            self.times[f"{tap.name} replays"] = time.monotonic() - begin - self.times[tap.name]
        lost: list[str] = []
        for index, session in enumerate(tap.sessions):
            for position, exchange in enumerate(session):
                facts = [first.facts[index][position], *(replay[index][position] for replay in replays if index in replay)]
                self._exchange(tap, tuple(session[: position + 1]), [item for item in facts if item is not None])
                if first.facts[index][position] is None and not self._killed(exchange) and exchange.name not in dict(first.unsupported):
                    lost.append(exchange.name)
        if lost:
            more = f" and {len(lost) - LOST_NAMED} more" if len(lost) > LOST_NAMED else ""
            self.not_tried.append(f"{tap.name}: not played, a target died or hung too often: {', '.join(lost[:LOST_NAMED])}{more}")

    def _first(self, stage: Stage, tap: Tap) -> Result:
        """The first play. What needs a process of its own, since it may end the server, comes last and one by one."""
        own = [index for index, session in enumerate(tap.sessions) if has_own_start(session)]
        alone = [index for index, session in enumerate(tap.sessions) if any("process" in e.meta.get("needs", "").split() for e in session)]
        crowd = [index for index in range(len(tap.sessions)) if index not in {*alone, *own}]
        fresh = [index for index in crowd if begins_fresh(tap.sessions[index])]  # none of the others may lose its state to them
        crowd = [index for index in crowd if index not in fresh]
        alone = [index for index in alone if index not in own]
        whole = Result([[None] * len(session) for session in tap.sessions])
        done = differ = 0

        def told(played: int) -> bool:
            self.tick(tap.name, done + played, tap.exchanges, differ)
            return False

        together = (*_chunks(crowd, tap.sessions), *_chunks(fresh, tap.sessions))
        for chosen, width in (*((chunk, self.plan.jobs) for chunk in together), (alone, 1), (own, 1)):
            if chosen:
                part = stage.play([tap.sessions[index] for index in chosen], jobs=width, in_order=tap.own_app, progress=told)
                for index, facts in zip(chosen, part.facts, strict=True):
                    whole.facts[index] = facts
                    done += len(facts)
                    differ += self._doubt(tap.sessions[index], facts)
                whole.deaths += part.deaths
                whole.untraced += part.untraced
                whole.unsupported += part.unsupported
                whole.lifetimes += part.lifetimes
                self.tick(tap.name, done, tap.exchanges, differ)
        return whole

    def _watch(self, session: tuple[Exchange, ...], observations: tuple[Any, ...]) -> None:
        """The user's app under the reference, and under its twin where there is one."""
        self.application.see(session, [observation["calls"] for observation in observations[: 2 if self.plan.twin else 1]])

    def _killed(self, exchange: Exchange) -> bool:
        return any(
            session and session[-1] is exchange and any(d.path == "died" for d in finding.confirmed) for session, _, finding in self.found
        )

    def _plays(self, facts: Sequence[tuple[Facts, ...]]) -> list[Play]:
        return [Play(item[0], item[1] if self.plan.twin else None, item[-1]) for item in facts]

    def _doubt(self, session: Session, played: list[tuple[Facts, ...] | None]) -> int:
        return sum(
            suspects(self._plays([facts])[0], Demand.of(exchange.meta))
            for exchange, facts in zip(session, played, strict=True)
            if facts is not None
        )

    def _doubtful(self, session: Session, played: list[tuple[Facts, ...] | None]) -> bool:
        return self._doubt(session, played) > 0

    def _exchange(self, tap: Tap, session: tuple[Exchange, ...], facts: Sequence[tuple[Facts, ...]]) -> None:
        """Judge one exchange by all its plays, and count its quirks and its routes."""
        if not facts:
            return
        exchange = session[-1]
        plays = self._plays(facts)
        finding = judge(plays, Demand.of(exchange.meta))
        self.found.append((session, tap.name, finding))
        self.noise |= {path for _, path in finding.noise}
        first = plays[0]
        shared = {path for _, path in first.reference} & {path for _, path in first.candidate}
        for entry in quirks():
            if any(entry.path.fullmatch(path) for path in shared):
                self.quirks[entry.name] += 1
        if self.table and tap.own_app:
            self.table.see(tap.name, exchange, facts[0], bool(finding.differences))

    def _deaths(self, stage: Stage, tap: Tap, deaths: Sequence[Death]) -> None:
        for death in deaths:
            if any(session == death.session and any(d.path == "died" for d in finding.confirmed) for session, _, finding in self.found):
                continue
            kind = "running→died" if death.target == stage.targets[-1].name else "died→running"
            difference = Difference(death.target, "died", kind, "running", death.story)
            self.say(f"{death.target} died: {death.story.partition(chr(10))[0]}")
            if self.table and tap.own_app and death.session:
                self.table.see(tap.name, death.session[-1], [{} for _ in stage.targets], True)
            steady = bool(death.session)  # it died again when everything was played one by one
            session = death.session or tuple(tap.sessions[0][:1])
            self.found.append((session, tap.name, Finding([difference] if steady else [], [] if steady else [difference])))

    def _process(self, stage: Stage, tap: Tap) -> None:
        """The lifespan calls, which no exchange makes: compared once per stage."""
        sides: list[Facts] = []
        lifespans = stage.lifespans()
        if tap.own_app:
            self.application.see(tuple(tap.sessions[0][:1]), lifespans[: 2 if self.plan.twin else 1])
        for target, calls in zip(stage.targets, lifespans, strict=True):
            facts: Facts = {}
            lifespan_facts(facts, calls, Address(target.host, target.port))
            sides.append(facts)
        noise = {(d.place, d.path) for d in differences(sides[0], sides[1])} if self.plan.twin else set()
        found = [d for d in differences(sides[0], sides[-1]) if (d.place, d.path) not in noise]
        if found:
            self.found.append((tuple(tap.sessions[0][:1]), tap.name, Finding(found)))

    def _earned(self, tap: Tap, result: Result) -> None:
        """What would make a "same" worthless: nothing answered, calls that no trace shows, traffic of another app."""
        answered = agreed = recorded = 0
        aside = _aside(tap, result)
        traced = [0] * (3 if self.plan.twin else 2)
        succeeded = [0] * len(traced)
        for index, (session, played) in enumerate(zip(tap.sessions, result.facts, strict=True)):
            for exchange, facts in zip(session, played, strict=True):
                if facts is None:
                    continue
                for side, item in enumerate(facts):
                    traced[side] += any(path == "call" for _, path in item)
                    succeeded[side] += any(path == "response.status" and _succeeded(value) for (_, path), value in item.items())
                success = any(path == "response.status" and _succeeded(value) for (_, path), value in facts[0].items())
                calls = any(path == "call" for _, path in facts[0])
                if success and not calls:
                    self.unearned.append(f"{tap.name} {exchange.name}: the reference answered 2xx, but no call of the app was traced")
                answered += index not in aside and ((calls and success) or case.echoed(facts[0]))
                if "status" in exchange.meta:
                    recorded += 1
                    agreed += fits(exchange, facts[0])
        if not answered:
            self.unearned.append(f"{tap.name}: not one 2xx came from the app; nothing that matters was compared")
        for target, good, calls in zip(("reference", *("twin",) * self.plan.twin, "candidate"), succeeded, traced, strict=True):
            if good and not calls:
                self.unearned.append(f"{tap.name}: the {target} answered 2xx, but no call of the app was traced; it does not run the app")
        if recorded and agreed < recorded * STATUSES_AGREE:
            self.unearned.append(
                f"{tap.name}: the reference gave the recorded status in {agreed} of {recorded} exchanges; this traffic is not of this app"
            )
            self.unearned += [f"  {line}" for line in misfits(_of_reference(tap, result))]
        elif aside:
            fresh = sum(map(begins_fresh, tap.sessions))
            kind = f"{len(aside)} of {fresh} sessions that begin on fresh state"
            self.not_tried.append(f"{tap.name}: {kind}: recorded of another app or state, so the verdict does not rest on them:")
            self.not_tried += [f"  {line}" for line in aside.values()]
        self.unearned.extend(result.untraced[:5])


def _aside(tap: Tap, result: Result) -> dict[int, str]:
    """Of the sessions that begin on fresh state those that were recorded of another app, or another state, than the gate has, each with the
    line that says so: a test may make what it needs. What differs in them is a difference like any other."""
    played = enumerate(_of_reference(tap, result))
    return {index: line for index, session in played if begins_fresh(tap.sessions[index]) and (line := misfit(session))}


def _of_reference(tap: Tap, result: Result) -> Iterator[list[Played]]:
    for session, played in zip(tap.sessions, result.facts, strict=True):
        yield [(exchange, facts and facts[0]) for exchange, facts in zip(session, played, strict=True)]


def _again(tap: Tap, doubtful: Sequence[int]) -> list[int]:
    """What is played again for these. On an app with a state an exchange means what it meant only behind all that went before it, but for
    a session that begins on fresh state."""
    chosen = set(doubtful)
    last = max((index for index in doubtful if not begins_fresh(tap.sessions[index])), default=-1) if tap.own_app else -1
    return [index for index in range(len(tap.sessions)) if index in chosen or (index <= last and not begins_fresh(tap.sessions[index]))]


def _succeeded(status: int) -> bool:
    """2xx, or a WebSocket."""
    return status == 101 or 200 <= status < 300


def _chunks(chosen: list[int], sessions: Sequence[Session]) -> Iterator[list[int]]:
    """Sessions that are neighbours, some CHUNK exchanges together."""
    chunk: list[int] = []
    size = 0
    for index in chosen:
        chunk.append(index)
        size += len(sessions[index])
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
