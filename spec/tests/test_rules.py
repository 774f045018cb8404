"""The rule catalogue is well formed, and holds what the cases name."""

import re
import tomllib
from pathlib import Path

import pytest

from bridgecheck.conformance.compare.rule import Rule, binding, catalogue
from bridgecheck.conformance.report import rules as page

from .test_cases import CASES

FILES = sorted((Path(__file__).parents[1] / "rules").glob("*.toml"))


def test_every_rule_that_a_case_names_is_in_the_catalogue() -> None:
    named = {rule for _, case in CASES for rule in case.meta["rules"].split(" ")}
    assert named - catalogue().keys() == set()


def test_an_id_stands_in_one_file() -> None:
    ids = [name for file in FILES for name in tomllib.loads(file.read_text("utf-8"))]
    assert len(ids) == len(set(ids)) == len(catalogue()) > 0


@pytest.mark.parametrize("rule", catalogue().values(), ids=catalogue().keys())
def test_a_rule_says_whom_it_binds_how_much_and_where_it_stands(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z]+(-[A-Z]+)*-[0-9]{2}", rule.id)
    assert rule.binds in ("server", "app", "both")
    assert rule.level in ("must", "should", "may")
    assert len(rule.source) > 5
    assert rule.text[-1] == "." and len(rule.text) > 10
    assert rule.seen in ("", "wire", "scope", "events", "lifecycle")
    assert not rule.note or rule.note[-1] == "."


NAMED = {rule for _, case in CASES for rule in case.meta["rules"].split(" ")}


@pytest.mark.parametrize("rule", [rule for rule in catalogue().values() if rule.id not in NAMED], ids=lambda rule: rule.id)
def test_a_rule_without_a_case_says_why(rule: Rule) -> None:
    assert rule.reason


def test_the_page_lists_the_rules_as_they_are() -> None:
    assert (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8") == page.current(), f"run: {page.__doc__}"


def test_only_a_must_binds_and_what_is_not_known_is_its_authors_own() -> None:
    assert binding(["FR-LINE-01", "FR-HOST-01", "HTTP-START-17", "SHOP-01"]) == ["FR-HOST-01", "SHOP-01"]
