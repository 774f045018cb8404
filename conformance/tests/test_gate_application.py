"""What the gate says about the user's own app, beside the verdict."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .test_gate import _report, folder, gate  # noqa: F401  the fixture is found by its name

TITLE = "What your app does that the specification does not allow, or does not promise"


@pytest.fixture
def careless(folder: Path) -> tuple[subprocess.CompletedProcess[str], Path]:  # noqa: F811
    return gate("careless:app", "--candidate", "uvicorn", "--traffic", "own.exchange", cwd=folder), folder


def test_what_the_app_breaks_is_told_and_does_not_change_the_verdict(careless: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, folder = careless  # noqa: F811
    assert done.returncode == 0, done.stdout + done.stderr
    report = _report(folder)
    assert report["verdict"] == "same" and report["buckets"] == []
    assert [(breach["rule"], breach["level"], breach["routes"], breach["seen_in"]) for breach in report["application"]] == [
        ("HTTP-BODY-03", "must", ["GET /hello"], ["hello"]),
        ("HTTP-START-10", "must", ["GET /hello"], ["hello"]),
        ("GEN-PROTO-01", "should", ["lifespan"], ["hello"]),
    ]
    assert report["application"][0]["text"] == "body values given by the application are bytes."
    page = (folder / "bridgecheck-report" / "report.html").read_text()
    assert TITLE in page and "b&#39;X-Capital&#39;" in page
    assert TITLE in done.stdout and "must   a header name that is not lower case  GET /hello  HTTP-START-10" in done.stdout
    seen = json.loads((folder / "bridgecheck-report" / "run.json").read_text())["application"]
    assert {entry["detail"] for entry in seen.values()} >= {"b'X-Capital' (event 2, http.response.start)"}
    breach = report["application"][1]
    command = [sys.executable, "-m", *breach["reproduce"].split()]
    played = subprocess.run(command, cwd=folder / "bridgecheck-report", capture_output=True, text=True, timeout=60)
    assert played.returncode == 0, played.stdout + played.stderr
    assert "X-Capital" in played.stdout


def test_an_app_that_keeps_the_rules_is_not_spoken_of(folder: Path) -> None:  # noqa: F811
    done = gate("served:app", "--candidate", "uvicorn", "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 0 and TITLE not in done.stdout
    report = _report(folder)
    assert report["application"] == []
    assert TITLE not in (folder / "bridgecheck-report" / "report.html").read_text()
