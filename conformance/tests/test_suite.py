"""The suite: a case is judged alone, played again where it is in doubt, and said to crash, to fail or to be unsteady; the command."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from bridgecheck.conformance import suite as module
from bridgecheck.conformance.compare.fact import Facts, facts_of
from bridgecheck.conformance.program import suite as command
from bridgecheck.conformance.report import matrix
from bridgecheck.conformance.suite import CRASH, FAIL, PASS, SKIP, Judged, Sheet, Suite, judged
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.stage import Death, Result

from .observations import HERE, observation, response

GOOD = facts_of(observation(), HERE)
BOTH = "end = open; call present"
EPOCH = b"Thu, 01 Jan 1970 00:00:00 GMT"
BAD = facts_of(observation([response(500)]), HERE)
SCHEMA = json.loads(files("bridgecheck.conformance.report").joinpath("spec.schema.json").read_text("utf-8"))


@dataclass
class Case:
    """As much of an exchange as the suite looks at."""

    name: str
    meta: dict[str, str] = field(default_factory=lambda: {"rules": "FR-HOST-01", "must": "response.status = 200"})
    text: bytes = b"exchange a\nsend\n"
    process: tuple[tuple[int, str, list[str]], ...] = ()


@pytest.mark.parametrize(
    ("meta", "facts", "expected"),
    [
        ({}, GOOD, Judged(SKIP, "", "records only")),
        ({"must": "response.status = 200"}, GOOD, Judged(PASS, "must", "response.status = 200")),
        ({"must": "response.status = 200"}, BAD, Judged(FAIL, "must", "response.status = 500")),
        ({"should": "response.status = 200"}, GOOD, Judged(PASS, "should", "response.status = 200")),
        ({"should": "response.status = 200"}, BAD, Judged(FAIL, "should", "response.status = 500")),
        ({"must": "end = open", "should": "response.status = 200"}, BAD, Judged(FAIL, "should", "response.status = 500")),
        ({"must": "end = closed", "should": "response.status = 200"}, BAD, Judged(FAIL, "must", "end = open")),
        ({"must": "end = open", "should": "response.status = 200"}, GOOD, Judged(PASS, "must", "end = open; response.status = 200")),
        # The way that is kept, or of which most is, and nothing that is free.
        ({"must": "end = closed; call missing | end = closed; call present; rest any"}, GOOD, Judged(FAIL, "must", BOTH)),
    ],
)
def test_a_case_is_judged_by_its_own_demand(meta: dict[str, str], facts: Facts, expected: Judged) -> None:
    assert judged(Case("a", meta), facts) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "must", "fact", "shown"),
    [
        ("response.body", "= b'y'", b"x" * 500, "response.body = b'" + "x" * 198 + "…"),
        ("response.field[date]", "= b'x'", (b"Wed, 25 Nov 2026 18:00:00 GMT",), "response.field[date] = b'{date}'"),
        ("response.field[date]", f"= {EPOCH!r}", (EPOCH,), f"response.field[date] = {EPOCH!r}"),
        ("response.framing", "= chunked", "close", "response.framing = close"),
        ("response.interim", "= 100", (), "response.interim = ()"),
        ("response.interim", "= 100", (100, 103), "response.interim = 100, 103"),
    ],
)
def test_what_was_seen_is_said_as_a_clause_says_it(path: str, must: str, fact: Any, shown: str) -> None:
    assert judged(Case("a", {"must": f"{path} {must}"}), {("main response 1", path): fact}).observed == shown  # type: ignore[arg-type]


class FakeStage:
    """Plays by a script: for each case what comes of its plays in turn, the last for ever."""

    def __init__(self, script: dict[str, list[Facts | str]]) -> None:
        self.script = script
        self.starts = 0
        self.log: list[tuple[int, list[str]]] = []

    def restart(self) -> None:
        self.starts += 1

    def running(self) -> Any:
        import contextlib

        return contextlib.nullcontext(self)

    def play(self, sessions: Sequence[Sequence[Case]], *, jobs: int, progress: Callable[[int], bool]) -> Result:
        progress(len(sessions))
        self.log.append((jobs, [case.name for session in sessions for case in session]))
        result = Result([])
        for session in sessions:
            row: list[Any] = []
            for case in session:
                left = self.script[case.name]
                came = left.pop(0) if len(left) > 1 else left[0]
                if isinstance(came, str):
                    result.deaths.append(Death("a", tuple(session), came))  # type: ignore[arg-type]
                row.append(None if isinstance(came, str) else (came,))
            result.facts.append(row)
        return result


class FakeTarget:
    class server:
        given, name = "template", "template"

    name = "template"

    def describe(self) -> dict[str, Any]:
        return {"versions": {"python": "3.11", "fastapi": "1"}}


def run(script: dict[str, list[Facts | str]], **metas: dict[str, str]) -> tuple[Sheet, FakeStage]:
    sessions = [[Case(name, metas[name]) if name in metas else Case(name)] for name in script]
    stage = FakeStage({name: list(plays) for name, plays in script.items()})
    ticks: list[tuple[int, int]] = []
    suite = Suite(FakeTarget(), sessions, patience=1, jobs=8, tick=lambda *tick: ticks.append(tick))  # type: ignore[arg-type]
    suite.stage = stage  # type: ignore[assignment]
    stage.targets = [FakeTarget()]  # type: ignore[attr-defined]
    sheet = suite.run()
    assert ticks and all(played <= total for played, total in ticks) and ticks[-1][0] == ticks[-1][1]
    return sheet, stage


def test_what_passes_twice_is_not_played_again() -> None:
    sheet, stage = run({"a": [GOOD], "b": [GOOD]})
    assert stage.log == [(8, ["a", "b"])] * 2 and stage.starts == 1
    assert {name: case.status for name, case in sheet.cases.items()} == {"a": PASS, "b": PASS}
    assert (sheet.server, sheet.version, sheet.versions) == ("template", "", {"python": "3.11"})
    assert sheet.breaks == []


def test_a_failure_is_seen_again_calmly() -> None:
    sheet, stage = run({"a": [GOOD], "b": [BAD]})
    assert stage.log[2:] == [(module.CALM, ["b"])]
    assert sheet.cases["b"].status == FAIL and sheet.breaks == ["b"] and not sheet.unsteady


def test_what_fails_in_a_crowd_only_passes() -> None:
    sheet, _ = run({"a": [BAD, BAD, GOOD]})
    assert sheet.cases["a"].status == PASS and not sheet.unsteady


@pytest.mark.parametrize(
    ("calm", "status"),
    [([GOOD, BAD, BAD, GOOD, GOOD], FAIL), ([GOOD, BAD, GOOD, GOOD, GOOD], PASS), ([BAD, GOOD, BAD, BAD, BAD], FAIL)],
    ids=["twice", "once", "mostly"],
)
def test_what_disagrees_with_itself_is_said_and_fails_if_it_fails_twice(calm: list[Facts | str], status: str) -> None:
    sheet, stage = run({"a": [GOOD, BAD, *calm]})
    assert [names for _, names in stage.log] == [["a"]] * 7
    assert sheet.cases["a"].status == status
    assert sheet.unsteady == {"a": [PASS if facts is GOOD else FAIL for facts in calm]}


def test_a_server_that_ends_crashes_the_case() -> None:
    sheet, _ = run({"a": ["exit code 1\nlast words"], "b": [GOOD]}, a={"rules": "FR-HOST-01"})
    assert sheet.cases == {"a": Judged(CRASH, "", "the server ended: exit code 1"), "b": Judged(PASS, "must", "response.status = 200")}
    assert sheet.breaks == ["a"]


def test_a_should_breaks_nothing() -> None:
    sheet, _ = run({"a": [BAD]}, a={"rules": "FR-LINE-01", "should": "response.status = 200"})
    assert sheet.cases["a"] == Judged(FAIL, "should", "response.status = 500") and sheet.breaks == []


def test_those_that_wait_and_those_that_may_end_the_server_are_played_apart() -> None:
    slow, deadly = Case("slow", text=b"exchange slow\nsend\nend close\n"), Case("deadly", {"rules": "A-01", "needs": "process"})
    suite = Suite(FakeTarget(), [[deadly], [slow], [Case("a")]], patience=1, jobs=8, tick=lambda *_: None)  # type: ignore[arg-type, list-item]
    assert list(suite._crowds(range(3), 8)) == [([2], 8), ([1], 8), ([0], 1)]


def test_a_case_with_a_start_of_its_own_is_played_once_if_it_is_judged() -> None:
    own = {"process": ((1, "exit", []),)}
    sessions = [[Case("a")], [Case("b", **own)], [Case("c", {"rules": "A-01", "records": "why"}, **own)]]  # type: ignore[arg-type]
    stage = FakeStage({"a": [GOOD], "b": [GOOD]})
    suite = Suite(FakeTarget(), sessions, patience=1, jobs=8, tick=lambda *_: None)  # type: ignore[arg-type]
    suite.stage, stage.targets = stage, [FakeTarget()]  # type: ignore[assignment, attr-defined]
    sheet = suite.run()
    assert stage.log == [(8, ["a", "b"]), (8, ["a"])]
    assert sheet.cases["b"].status == PASS and sheet.cases["c"] == Judged(SKIP, "", "records only: why")


def test_an_end_that_does_not_come_back_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    original, deaths = FakeStage.play, [Death("a", (), "signal 11\nwords")]

    def once(self: FakeStage, *arguments: Any, **words: Any) -> Result:
        result = original(self, *arguments, **words)
        while deaths:
            result.deaths.append(deaths.pop())
        return result

    monkeypatch.setattr(FakeStage, "play", once)
    sheet, _ = run({"a": [GOOD]})
    assert sheet.deaths == ["signal 11"] and sheet.cases["a"].status == PASS


def sheets() -> list[Sheet]:
    cases = {
        "plain-request": Judged(SKIP, "", "records only"),
        "host-missing": Judged(FAIL, "must", "response.status = 200; x = b'|`'"),
        "absolute-form": Judged(FAIL, "should", "call missing"),
        "status-99": Judged(CRASH, "", "the server ended: exit code 1"),
    }
    return [Sheet("one", "1.0", {"one": "1.0"}, cases, {"host-missing": [FAIL, PASS, FAIL]}), Sheet("t {app}", "", {}, dict(cases))]


def test_the_report_fits_its_schema_and_the_page_shows_all_that_is_judged(tmp_path: Path) -> None:
    sessions = [s for s in tap.spec().sessions if s[0].name in sheets()[0].cases]
    matrix.write(tmp_path, sheets(), sessions)
    data = json.loads((tmp_path / "spec.json").read_text())
    jsonschema.validate(data, SCHEMA)
    assert data["servers"]["one"]["cases"]["host-missing"] == {
        "status": "fail",
        "level": "must",
        "rules": ["FR-HOST-01"],
        "observed": "response.status = 200; x = b'|`'",
        "unsteady": ["fail", "pass", "fail"],
    }
    page = (tmp_path / "spec.md").read_text()
    assert page == matrix.page(data)
    assert "| host-missing | [FR-HOST-01](rules.md#fr-host-01) | **fail** | **fail** |" in page
    assert "**fail** (should)" in page and "**crash**" in page and "| plain-request" not in page
    assert "| `one` | one 1.0 | 0 | 1 | 1 | 1 | 0 | 1 |" in page and "unsteady: host-missing: fail, pass, fail" in page


# --- the command --------------------------------------------------------------------------------------------------------------------


def bridgecheck(*arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "bridgecheck", "spec", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def test_the_list_is_the_catalogue_and_the_cases() -> None:
    code, out, err = bridgecheck("--list", "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert data.keys() == {"rules", "cases"}
    assert {"id": "host-missing", "rules": ["FR-HOST-01"]} in data["cases"]
    (rule,) = [rule for rule in data["rules"] if rule["id"] == "FR-HOST-01"]
    assert rule.keys() == {"id", "level", "binds", "source", "cases", "reason"}
    assert rule["cases"] == ["host-missing"] and rule["level"] == "must"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no SERVER is named"),
        (["uvicorn", "uvicorn"], "uvicorn is named twice"),
        (["nothing-of-that-name"], "no server is called 'nothing-of-that-name'"),
        (["uvicorn", "--json"], "--json goes with --list"),
        (["uvicorn", "--only", "plain-request,no-such-case"], "--only no-such-case: no such case"),
    ],
)
def test_what_cannot_be_asked_is_exit_code_2(arguments: list[str], said: str) -> None:
    code, out, err = bridgecheck(*arguments)
    assert code == 2 and out == "" and said in err


def test_two_servers_side_by_side(tmp_path: Path) -> None:
    never = f"{sys.executable} -c pass {{app}} {{port}}"
    code, out, err = bridgecheck("uvicorn", never, "--only", "host-missing,plain-request", "--report", ".", cwd=tmp_path)
    assert code == 3 and "exit code 0 before it listened" in err
    assert "uvicorn: host-missing (FR-HOST-01): an HTTP/1.1 request without Host gets 400" in out
    assert "  seen   call present; response.status = 200; response.complete = yes" in out
    data = json.loads((tmp_path / "spec.json").read_text())
    jsonschema.validate(data, SCHEMA)
    assert {name: case["status"] for name, case in data["servers"]["uvicorn"]["cases"].items()}["host-missing"] == "fail"


@pytest.mark.parametrize(("server", "code"), [("bridge", 0), ("uvicorn", 1)])
def test_a_must_that_fails_is_exit_code_1(server: str, code: int) -> None:
    assert bridgecheck(server, "--only", "host-missing")[0] == code


@pytest.mark.parametrize("servers", [["uvicorn", "granian"], ["uvicorn"]], ids=" ".join)
def test_a_fault_of_ours_with_one_server_loses_nothing_of_the_others(
    servers: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: Suite) -> Sheet:
        if self.stage.targets[0].server.name == "uvicorn":
            raise BrokenPipeError("of ours")
        return Sheet(self.stage.targets[0].server.given, "", {}, {"plain-request": Judged(PASS, "must", "")})

    monkeypatch.setattr(command.Suite, "run", run)
    monkeypatch.chdir(tmp_path)  # where no configuration is
    result = CliRunner().invoke(command.spec, [*servers, "--only", "plain-request", "--report", str(tmp_path / "report")])
    assert type(result.exception).__name__ == "BridgecheckError" and "BrokenPipeError" in str(result.exception)
    others = servers[1:]
    if others:
        assert list(json.loads((tmp_path / "report" / "spec.json").read_text("utf-8"))["servers"]) == others
    assert (f"{tmp_path / 'report'}: no report is written" in str(result.exception)) == (not others)
