"""docs/conformance.md is what the command made, and docs/servers.md or the list of violations tells of every fault that stands in it."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bridgecheck.conformance.report import matrix
from bridgecheck.spec.violations import violations

from .test_cases import CASES

DOCS = Path(__file__).parents[2] / "docs"
DATA: dict[str, Any] = json.loads((DOCS / "conformance.json").read_text("utf-8"))
SECTIONS = {
    "uvicorn": "uvicorn with httptools, the reference",
    "uvicorn:http=h11": "uvicorn:http=h11",
    "granian": "granian",
    "hypercorn": "hypercorn",
    "daphne": "daphne",
    "gunicorn": "gunicorn -k asgi",
}


def test_the_page_is_made_of_the_file_beside_it() -> None:
    schema = Path(matrix.__file__).with_name("spec.schema.json").read_text("utf-8")
    jsonschema.validate(DATA, json.loads(schema))
    assert (DOCS / "conformance.md").read_text("utf-8") == matrix.page(DATA)


def test_it_knows_no_case_that_is_gone() -> None:
    assert {name for server in DATA["servers"].values() for name in server["cases"]} - {case.name for _, case in CASES} == set()


@pytest.mark.parametrize("server", SECTIONS)
def test_every_fault_is_told(server: str) -> None:
    (section,) = re.findall(rf"(?ms)^## {re.escape(SECTIONS[server])}\n(.*?)(?=^## |\Z)", (DOCS / "servers.md").read_text("utf-8"))
    told = set(re.findall(r"`([^`]+)`", re.sub(r"(?m)^\| right \|.*$", "", section)))
    faults = {name for name, case in DATA["servers"][server]["cases"].items() if case["status"] in ("fail", "crash")}
    listed = {case for violation in violations() for name, case in violation.pairs() if name == server}
    assert faults - told - listed == set()


def test_the_bridge_breaks_no_must() -> None:
    cases = DATA["servers"]["bridge"]["cases"]
    assert [name for name, case in cases.items() if case["status"] in ("fail", "crash") and case["level"] == "must"] == []
    uvicorn = DATA["servers"]["uvicorn"]["cases"]
    assert [name for name, case in cases.items() if case["status"] == "fail" and uvicorn[name]["status"] == "pass"] == []
