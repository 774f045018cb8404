"""From runs to a verdict: which tests came out otherwise, which responses differ, what is noise, what could not be carried over.

Takes journals, asks the project's own judge (judge.py), and gives what the summary shows. Knows nothing of processes, pytest or text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate

from ..compare.difference import Difference, near
from ..compare.fact import Address, Facts, facts_of
from ..compare.judge import Play, judge
from ..compare.weight import at_least
from .journal import Test

FAIL_ON = "rule"
_DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"

Run = dict[str, Test]


@dataclass(frozen=True)
class Round:
    """The same tests, once under each."""

    reference: Run
    twin: Run | None  # the reference again, to know what moves by itself
    candidate: Run

    @property
    def references(self) -> list[Run]:
        return [self.reference] if self.twin is None else [self.reference, self.twin]


@dataclass(frozen=True)
class Outcome:
    """A test that came out otherwise under the candidate than under the reference, or in memory."""

    test: str
    memory: str
    reference: Test
    candidate: Test
    steady: bool = True


@dataclass(frozen=True)
class Sighting:
    test: str
    difference: Difference
    request: str  # "GET /items"
    steady: bool


@dataclass
class Verdict:
    tests: int = 0  # that passed in memory, and so were run
    requests: int = 0  # carried to the reference
    outcomes: list[Outcome] = field(default_factory=list)  # other under the candidate
    unsteady: list[str] = field(default_factory=list)  # the reference itself does not always agree
    not_carried: list[Outcome] = field(default_factory=list)  # other than in memory, and the same under both
    silent: list[str] = field(default_factory=list)  # no client of theirs was seen to ask anything
    sightings: list[Sighting] = field(default_factory=list)
    noisy: int = 0

    @property
    def different(self) -> bool:
        return bool(self.outcomes) or any(at_least(sighting.difference.severity, FAIL_ON) for sighting in self.sightings)

    @property
    def same(self) -> bool:
        """Earned by at least one request."""
        return self.requests > 0 and not self.different


def facts_of_test(test: Test | None) -> Facts:
    """All facts of all its exchanges, in the order in which they began."""
    facts: Facts = {}
    for number, exchange in enumerate(test.exchanges if test else (), 1):
        name = f"request-{number}"
        facts[name, "request"] = f"{exchange.method} {exchange.target}"
        if not exchange.connection.get("opened"):
            facts[name, "connection"] = False
            continue
        seen = {"connections": [exchange.connection | {"name": name}], "calls": [], "steps": []}
        facts |= facts_of(seen, Address("127.0.0.1", exchange.port))
        for response in exchange.connection["responses"]:
            if not response["complete"] and exchange.connection["end"] == "ours":  # the client left: how far it came is chance
                place = f"{name} response {len(exchange.connection['responses'])}"
                for path in ("response.body", "response.pieces"):
                    facts.pop((place, path), None)
        for place, path in list(facts):
            if place.startswith(f"{name} ") and path.endswith(".field[date]"):
                facts[place, path] = _dated(facts[place, path], exchange.time)
    return facts


def _dated(values: tuple[bytes, ...], now: float) -> tuple[bytes, ...]:
    """A date that says when it was made: the runs that are compared are minutes apart."""
    made = formatdate(now, usegmt=True).encode()
    return tuple(_DATE if value == made or near(value, made) else value for value in values)


def _play(round_: Round, test: str) -> Play:
    twin = None if round_.twin is None else facts_of_test(round_.twin.get(test))
    return Play(facts_of_test(round_.reference.get(test)), twin, facts_of_test(round_.candidate.get(test)))


def _outcome(run: Run, test: str) -> str:
    return run[test].outcome if test in run else "not run"


def _outcomes(rounds: Iterable[Round], test: str) -> tuple[set[str], list[str]]:
    """Those under the reference, in any round, and those under the candidate, round by round."""
    rounds = list(rounds)
    return {_outcome(run, test) for round_ in rounds for run in round_.references}, [_outcome(round_.candidate, test) for round_ in rounds]


def suspects(round_: Round) -> list[str]:
    """The tests that give reason to run them again."""
    found = []
    for test in round_.reference:
        reference, candidate = _outcomes([round_], test)
        heavy = any(at_least(difference.severity, FAIL_ON) for difference in judge([_play(round_, test)]).differences)
        if heavy or len(reference | set(candidate)) > 1:
            found.append(test)
    return found


def verdict(rounds: Sequence[Round]) -> Verdict:
    """The first round has all tests, the others those that gave reason."""
    first, again = rounds[0], rounds[1:]
    found = Verdict(tests=len(first.reference), requests=sum(len(test.exchanges) for test in first.reference.values()))
    for name, test in first.reference.items():
        own = [first, *(round_ for round_ in again if name in round_.reference)]
        reference, candidate = _outcomes(own, name)
        other = first.candidate.get(name, Test(name, "not run"))
        if len(reference) > 1:
            found.unsteady.append(name)
        elif set(candidate) != reference:
            found.outcomes.append(Outcome(name, "passed", test, _differing(own, name, test.outcome), not reference & set(candidate)))
        elif reference != {"passed"}:
            found.not_carried.append(Outcome(name, "passed", test, other))
        if not test.exchanges and not other.exchanges:
            found.silent.append(name)
            continue
        finding = judge([_play(round_, name) for round_ in own])
        found.noisy += len(finding.noise)
        for difference in finding.differences:
            if difference.because is None:
                steady = difference in finding.confirmed or len(own) == 1
                found.sightings.append(Sighting(name, difference, _request(test, difference.place), steady))
    return found


def _differing(rounds: Iterable[Round], test: str, reference: str) -> Test:
    """The candidate's, of a round in which it is not as the reference's."""
    runs = [round_.candidate.get(test, Test(test, "not run")) for round_ in rounds]
    return next(run for run in runs if run.outcome != reference)


def _request(test: Test, place: str) -> str:
    number = int(place.partition(" ")[0].removeprefix("request-"))
    if number > len(test.exchanges):
        return "a request that the reference did not get"
    exchange = test.exchanges[number - 1]
    return f"{exchange.method} {exchange.target}"
