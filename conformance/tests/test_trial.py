"""What shares a start, and what is played side by side, where sessions are played beside the gate's own run. The stage is made up."""

from typing import Any

import pytest

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.conformance.taps.tap import MAGIC
from bridgecheck.conformance.targets.stage import Result, Stage
from bridgecheck.conformance.targets.trial import WAITING, Trials

FACTS = [{("main", "reference"): 1}, {("main", "twin"): 1}, {("main", "candidate"): 1}]


class FakeStage(Stage):
    """Writes down what happens to it. What is called `lost` is not played."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def restart(self) -> None:
        self.log.append("start")

    def play(self, sessions: Any, *, jobs: int, as_it_is: bool = False, **_: Any) -> Result:
        assert as_it_is  # or each session that begins on fresh state would have a start of its own
        self.log.append(([session[-1].name for session in sessions], jobs))
        return Result([[None if exchange.name == "lost" else tuple(FACTS) for exchange in session] for session in sessions])


def session(name: str, method: str) -> tuple[Exchange, ...]:
    return tuple(parse(MAGIC + f"exchange {name}\nsend\n> {method} / HTTP/1.1\n> Host: a\n>\nend next\n".encode(), "test"))


GET, HEAD, POST, PUT = (session(method.lower(), method) for method in ("GET", "HEAD", "POST", "PUT"))


@pytest.fixture
def stage() -> FakeStage:
    return FakeStage()


def test_on_the_users_app_what_may_write_comes_behind_the_rest_and_then_nothing_is_fresh(stage: FakeStage) -> None:
    trials = Trials(stage, own_app=True, twin=True, jobs=4)
    trials.play([GET, POST, HEAD, PUT], False)
    assert stage.log == [(["get", "head"], 4), (["post", "put"], 1)]
    trials.play([GET], False)
    trials.play([HEAD], False)
    assert stage.log[2:] == ["start", (["get"], 4), (["head"], 4)]


def test_where_it_has_to_be_fresh_each_that_may_write_has_a_start_of_its_own(stage: FakeStage) -> None:
    Trials(stage, own_app=True, twin=True, jobs=4).play([POST, GET, POST, HEAD], True)
    assert stage.log == ["start", (["get", "head"], 4), "start", (["post"], 1), "start", (["post"], 1)]


def test_on_the_probe_app_which_has_no_state_all_are_side_by_side(stage: FakeStage) -> None:
    trials = Trials(stage, own_app=False, twin=True, jobs=4)
    trials.play([POST, GET], False)
    trials.play([POST, PUT], True)
    assert stage.log == [(["post", "get"], 4 * WAITING), "start", (["post", "put"], 4 * WAITING)]


def test_what_each_shows_stands_where_it_was_given(stage: FakeStage) -> None:
    lost, *plays = Trials(stage, own_app=True, twin=False, jobs=4).play([session("lost", "POST"), GET, GET], True)
    assert lost is None and [(play and play.reference, play and play.twin, play and play.candidate) for play in plays] == [
        (FACTS[0], None, FACTS[2])
    ] * 2


def test_apart_is_what_writes_on_the_users_app_and_what_has_process_steps(stage: FakeStage) -> None:
    lives = tuple(parse(MAGIC + b"exchange x\nprocess start\nprocess exit\nend close\n", "test"))
    own, probe = (Trials(stage, own_app=own_app, twin=True, jobs=4) for own_app in (True, False))
    assert [own.apart(session) for session in (GET, POST, lives)] == [False, True, True]
    assert [probe.apart(session) for session in (GET, POST, lives)] == [False, False, True]
