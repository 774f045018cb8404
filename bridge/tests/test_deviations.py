"""The bridge differs from uvicorn where `deviations.toml` says so, by the gate's own verdict, and nowhere else."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridgecheck.spec.rules import catalogue

BRIDGE = Path(__file__).resolve().parent.parent
LISTED: list[dict[str, Any]] = tomllib.loads((BRIDGE / "deviations.toml").read_text("utf-8"))["deviation"]
DEVIATIONS = [deviation for deviation in LISTED if "test" not in deviation]  # those that the gate sees


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the gate says of every case, with the probe app and the shop."""
    folder = tmp_path_factory.mktemp("gate")
    command = [sys.executable, "-m", "bridgecheck", "gate", "bridgecheck.demo.shop:app", "--candidate", "bridge"]
    command += ["--traffic", str(BRIDGE.parent / "demo" / "traffic"), "--report", str(folder / "report")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    yield json.loads((folder / "report" / "report.json").read_text("utf-8"))


@pytest.mark.slow
def test_nothing_else_differs(report: dict[str, Any]) -> None:
    other = [bucket["title"] for bucket in report["buckets"] if bucket["verdict"] != "reference breaks"]
    assert (report["verdict"], other) == ("same", [])


@pytest.mark.slow
def test_each_difference_is_a_deviation_and_each_deviation_a_difference(report: dict[str, Any]) -> None:
    seen = {case for bucket in report["buckets"] for case in bucket["seen_in"]}
    assert seen == {case for deviation in DEVIATIONS for case in deviation["cases"]}


@pytest.mark.slow
@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation["name"])
def test_a_deviation_keeps_a_rule_that_the_reference_breaks(report: dict[str, Any], deviation: dict[str, Any]) -> None:
    found = [bucket for bucket in report["buckets"] if set(bucket["seen_in"]) & set(deviation["cases"])]
    assert found and all(bucket["verdict"] == "reference breaks" and bucket["confirmed"] for bucket in found)
    assert set(deviation["rules"]) <= {rule for bucket in found for rule in bucket["rules"]}
    assert deviation["reason"]


@pytest.mark.parametrize("deviation", [deviation for deviation in LISTED if "test" in deviation], ids=lambda deviation: deviation["name"])
def test_what_no_case_shows_has_a_test_of_its_own(deviation: dict[str, Any]) -> None:
    file, _, name = deviation["test"].partition("::")
    assert f"def {name}(" in (BRIDGE / "tests" / file).read_text("utf-8")
    assert "cases" not in deviation and set(deviation["rules"]) <= set(catalogue()) and deviation["reason"]
