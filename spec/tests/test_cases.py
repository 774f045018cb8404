"""Every case of the spec tap is well formed, says what it is for, and asks for a small app that exists."""

import re
from collections import Counter
from pathlib import Path

import pytest
from uvicorn.main import main as uvicorn

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.conformance.compare.demand import LEVELS, Demand
from bridgecheck.conformance.compare.rule import catalogue
from bridgecheck.conformance.targets.lifetime import start_words
from bridgecheck.spec.apps import lifespan, probe

FILES = sorted((Path(__file__).parents[1] / "cases").glob("*.exchange"))
CASES = [(file.stem, case) for file in FILES for case in parse(file.read_bytes(), file.name)]
EACH = pytest.mark.parametrize("case", [pytest.param(case, id=f"{stem}:{case.name}") for stem, case in CASES])

RULE = re.compile(r"[A-Z]+(-[A-Z]+)*-[0-9]{2}")
PROBE = re.compile(rb"^> probe:[ ]*(\S+)$", re.IGNORECASE | re.MULTILINE)
NUMBERED = re.compile(r"(case|test|exchange)?-?[0-9]+")


def test_there_are_cases() -> None:
    assert len(CASES) >= 60


def test_names_are_unique_over_all_files() -> None:
    assert [name for name, count in Counter(case.name for _, case in CASES).items() if count > 1] == []


@EACH
def test_case_is_named_for_what_it_shows(case: Exchange) -> None:
    assert not NUMBERED.fullmatch(case.name)


@EACH
def test_case_says_what_it_is_for(case: Exchange) -> None:
    assert {"rules", "app", "about", "origin"} <= case.meta.keys()
    assert set(case.meta) <= {"rules", "app", "about", "must", "should", "records", "origin", "needs"}
    assert all(RULE.fullmatch(rule) for rule in case.meta["rules"].split(" ")), case.meta["rules"]
    assert len(case.meta["about"]) > 20


@EACH
def test_what_is_expected_is_readable_and_has_a_rule_of_its_level(case: Exchange) -> None:
    rules = [catalogue()[name] for name in case.meta["rules"].split()]
    for level in LEVELS:
        if level in case.meta:
            assert Demand.of(case.meta, level).ways
            assert any(rule.level == level and rule.binds != "app" for rule in rules), f"none of its rules is a {level} of servers"


@EACH
def test_a_case_expects_something_or_says_why_not(case: Exchange) -> None:
    assert ("records" in case.meta) == (not {"must", "should"} & case.meta.keys())


@EACH
def test_the_rule_that_matters_most_comes_first(case: Exchange) -> None:
    """It names the case in a report, so it has to be one that a server can break."""
    first = catalogue()[case.meta["rules"].split()[0]]
    if {"must", "should"} & case.meta.keys():
        assert first.level != "may" and first.binds != "app"


@EACH
def test_case_asks_for_the_app_it_names(case: Exchange) -> None:
    asked = {name.decode() for name in PROBE.findall(case.text)} or {"echo"}
    assert asked == {case.meta["app"]}
    assert asked <= probe.APPS.keys()


def test_every_small_app_has_a_case() -> None:
    assert probe.APPS.keys() - {case.meta["app"] for _, case in CASES} == set()


@EACH
def test_a_case_with_process_steps_says_so_and_starts_with_what_there_is(case: Exchange) -> None:
    assert not case.process or "process" in case.meta["needs"].split()
    variables, options = start_words(case)
    assert variables.keys() <= {"PROBE_LIFESPAN"}
    assert set(variables.values()) <= lifespan.LIFESPANS.keys()
    known = {name for parameter in uvicorn.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in options if word.startswith("--")} <= known


def test_every_lifespan_has_a_case() -> None:
    used = {value for _, case in CASES for value in start_words(case)[0].values()}
    assert lifespan.LIFESPANS.keys() - used == {"usual"}


def test_the_page_lists_the_cases_as_they_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cases.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and line != "| case | about | rules |"]
    here = [f"| {case.name} | {case.meta['about']} | {case.meta['rules'].replace(' ', ', ')} |" for _, case in CASES]
    assert sorted(rows) == sorted(here)
