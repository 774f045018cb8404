"""Every violation names a rule, the sentence and the cases that show it; the list, docs/conformance.json and the page say the same."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridgecheck.conformance.compare.rule import catalogue
from bridgecheck.conformance.report import violations as page
from bridgecheck.spec.violations import Violation, violations

from .test_cases import CASES

DOCS = Path(__file__).parents[2] / "docs"
DATA: dict[str, Any] = json.loads((DOCS / "conformance.json").read_text("utf-8"))
META = {case.name: case.meta for _, case in CASES}
EACH = pytest.mark.parametrize("violation", violations(), ids=lambda violation: violation.title)


def test_there_are_more_than_25_besides_the_readings_and_none_stands_twice() -> None:
    assert sum(not violation.reading for violation in violations()) > 25
    titles = [page.anchor(violation) for violation in violations()]
    assert len(titles) == len(set(titles))
    pairs = [pair for violation in violations() for pair in violation.pairs()]
    assert len(pairs) == len(set(pairs))


@EACH
def test_it_names_a_must_of_servers_and_cases_about_it(violation: Violation) -> None:
    rule = catalogue()[violation.rule]
    assert rule.level == "must" and rule.binds != "app"
    assert violation.seen and all(violation.seen.values())
    for _, case in violation.pairs():
        assert violation.rule in META[case]["rules"].split() and "must" in META[case]


@EACH
def test_it_says_where_the_sentence_stands_and_quotes_it(violation: Violation) -> None:
    assert re.fullmatch(r"RFC [0-9]{4} §[0-9.]+|ASGI, (specs|docs)/[a-z]+\.rst", violation.source)
    assert 20 < len(violation.says) < 400 and "\n" not in violation.says
    assert not violation.reading.endswith(".")


def test_the_list_is_what_the_servers_fail_and_nothing_else() -> None:
    assert page.differences(violations(), {"servers": {name: entry for name, entry in DATA["servers"].items() if name != "bridge"}}) == []


def test_the_page_lists_them_as_they_are() -> None:
    assert (DOCS / "violations.md").read_text("utf-8") == page.current(), f"run: {page.__doc__}"


def test_another_run_is_held_against_the_list(tmp_path: Path) -> None:
    data = copy.deepcopy({"servers": {"granian": DATA["servers"]["granian"]}})
    cases = data["servers"]["granian"]["cases"]
    cases["host-twice"] |= {"status": "pass"}
    cases["plain-get"] = cases["host-missing"] | {"observed": "something"}
    cases["should"] = cases["plain-get"] | {"level": "should"}
    del cases["host-missing"]  # it was not played
    (tmp_path / "spec.json").write_text(json.dumps(data))
    command = [sys.executable, "-m", page.__name__, str(tmp_path / "spec.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    version = data["servers"]["granian"]["version"]
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"granian {version}: host-twice breaks no must any more: {cases['host-twice']['observed']}",
        f"granian {version}: plain-get is not listed: something",
    ]
