"""Every `must` can be kept, and says what it means to: the bridge keeps all of them, uvicorn all but those in the list of violations."""

import sys
from importlib.resources import files

import pytest

from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.fact import Facts
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.application import App
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.stage import Stage
from bridgecheck.conformance.targets.target import Target
from bridgecheck.spec.violations import violations

MUSTS = {session[0].name: session for session in tap.spec().sessions if "must" in session[0].meta}


@pytest.fixture(scope="module")
def played() -> dict[str, tuple[Facts, ...]]:
    """What uvicorn and the bridge made of each case."""
    probe = App(tap.PROBE, app_dir=str(files("bridgecheck.spec")))
    targets = [Target(name, parse_server(name), probe, python=sys.executable) for name in ("uvicorn", "bridge")]
    stage = Stage(targets, patience=2)
    with stage.running():
        facts = [item for session in stage.play(list(MUSTS.values()), jobs=8).facts for item in session]
    return {name: item for name, item in zip(MUSTS, facts, strict=True) if item is not None}


def keeps(name: str, facts: Facts) -> bool:
    return any(way.holds(facts) for way in Demand.of(MUSTS[name][0].meta).ways)


def test_the_bridge_keeps_every_must(played: dict[str, tuple[Facts, ...]]) -> None:
    assert [name for name in MUSTS if not keeps(name, played[name][1])] == []


def test_uvicorn_keeps_all_but_those_that_are_listed(played: dict[str, tuple[Facts, ...]]) -> None:
    listed = {case for violation in violations() for server, case in violation.pairs() if server == "uvicorn"}
    assert listed == {name for name in MUSTS if not keeps(name, played[name][0])}
