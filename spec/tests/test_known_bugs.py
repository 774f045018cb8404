"""Every known bug has a case that exists, or says why there is none; the page is made of the list."""

import re
from pathlib import Path

import pytest

from bridgecheck.conformance import adapters
from bridgecheck.conformance.report import known_bugs as page
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.spec.known_bugs import KnownBug, known_bugs

from .test_cases import CASES

NAMES = {case.name for _, case in CASES}
EACH = pytest.mark.parametrize("bug", known_bugs(), ids=lambda bug: bug.id)


def test_there_are_bugs_and_none_stands_twice() -> None:
    ids = [bug.id for bug in known_bugs()]
    assert len(ids) == len(set(ids)) >= 89


@EACH
def test_a_bug_has_a_case_that_exists_or_says_why_not(bug: KnownBug) -> None:
    assert bool(bug.cases) != bool(bug.reason)
    assert set(bug.cases) - NAMES == set()


@EACH
def test_a_bug_says_what_brings_it_out_and_what_is_then_seen(bug: KnownBug) -> None:
    assert bug.server and bug.trigger and bug.right and bug.wrong and bug.right != bug.wrong


@EACH
def test_where_it_needs_options_the_server_is_one_that_can_be_named(bug: KnownBug) -> None:
    if bug.on:
        assert parse_server(bug.on).name == bug.server.removesuffix("-asgi")
        assert parse_server(bug.on).name in adapters.names()


@EACH
def test_what_was_seen_was_seen_in_a_case_and_names_two_versions(bug: KnownBug) -> None:
    if bug.seen:
        assert bug.cases
        assert set(bug.seen) == {"wrong", "right"} and bug.seen["wrong"] != bug.seen["right"]
        assert all(re.fullmatch(r"[0-9]+(\.[0-9]+)+", version) for version in bug.seen.values())


def test_ten_were_seen() -> None:
    assert sum(bool(bug.seen) for bug in known_bugs()) >= 10


def test_the_page_lists_the_bugs_as_they_are() -> None:
    assert (Path(__file__).parents[2] / "docs" / "known-bugs.md").read_text("utf-8") == page.current(), f"run: {page.__doc__}"
