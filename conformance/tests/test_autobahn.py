"""Autobahn's cases in the gate: a wrong echo turns red, a right one does not, and whatever a server does, each case ends.

A few quick cases only; all of them take minutes.
"""

import shlex
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from bridgecheck import gate as program
from bridgecheck.conformance.autobahn import case, drive
from bridgecheck.conformance.compare.bucket import title
from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.difference import Difference, differences
from bridgecheck.conformance.compare.verdict import CANDIDATE, REFERENCE
from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.application import App
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.target import Target

from .test_gate import HERE, _report, bridgecheck, gate

ECHO = f"{{python}} {HERE / 'wrong' / 'echo.py'} HOW {{host}} {{port}} {{app}}"
QUICK = ("1.1.1", "1.1.2", "7.1.1")  # an empty text, one of 125 octets, a close


def outcome(name: str, behavior: str = "OK", close: str = "OK", code: int | None = 1000, server: str = "running") -> dict[str, Any]:
    return {"case": name, "behavior": behavior, "close": close, "code": code, "server": server, "result": [], "frames": []}


def judged(name: str, reference: dict[str, Any], candidate: dict[str, Any]) -> list[Difference]:
    """The causes among what differs, by what the case demands."""
    (exchange,) = (session[0] for session in tap.autobahn([name]).sessions)
    found = differences(case.facts(reference), case.facts(candidate), Demand.of(exchange.meta))
    return [difference for difference in found if difference.because is None]


# --- the gate ---------------------------------------------------------------------------------------------------------------------------


def test_a_right_echo_is_the_same_and_what_was_not_chosen_is_named(folder: Path) -> None:
    chosen = [word for name in QUICK for word in ("--autobahn", name)]
    done = gate("apps:good", "--candidate", ECHO.replace("HOW", "right"), "--tier", "deep", *chosen, taps="autobahn", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    report = _report(folder)
    assert report["exchanges"]["by_tap"] == {"autobahn": 3}
    assert report["buckets"] == []
    assert f"Autobahn's other cases: --autobahn chose {', '.join(QUICK)}" in report["not_tried"]


def test_a_wrong_echo_turns_red_with_who_is_wrong_and_is_shown_again_by_the_command(folder: Path) -> None:
    wrong = ECHO.replace("HOW", "alters")
    done = gate("apps:good", "--candidate", wrong, "--autobahn", "1.1.[12]", "--twin", "off", taps="autobahn", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    (bucket,) = _report(folder)["buckets"]
    assert bucket["title"] == "Autobahn's verdict, RFC 6455 §5.6 messages: OK → FAILED"
    assert (bucket["verdict"], bucket["rules"], bucket["severity"]) == (CANDIDATE, ["RFC6455-5.6"], "break")
    assert bucket["seen_in"] == ["autobahn-1.1.2"], "an empty text is not altered"
    assert bucket["confirmed"]
    assert bucket["title"] in done.stdout
    assert bucket["title"].replace("'", "&#39;") in (folder / "bridgecheck-report" / "report.html").read_text()
    again = bridgecheck(*shlex.split(bucket["reproduce"])[1:], cwd=folder / "bridgecheck-report")
    assert again.returncode == 1, again.stdout + again.stderr
    assert "verdict: OK" in again.stdout and "verdict: FAILED" in again.stdout
    assert f"({CANDIDATE})" in again.stdout


@pytest.mark.parametrize(
    ("name", "tier", "chosen", "there", "said"),
    [
        ("spec", "default", (), True, "Autobahn's cases: only --tier deep plays them"),
        ("spec", "deep", (), True, "Autobahn's cases: left out by --taps"),
        ("autobahn", "deep", (), False, f"Autobahn's cases: kosoku, which runs them, is not installed ({drive.HOW_TO_GET_IT})"),
        ("autobahn", "default", ("1.*",), False, f"Autobahn's cases: kosoku, which runs them, is not installed ({drive.HOW_TO_GET_IT})"),
        ("autobahn", "deep", (), True, None),
    ],
)
def test_cases_that_are_not_played_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, tier: str, chosen: tuple[str, ...], there: bool, said: str | None
) -> None:
    monkeypatch.setattr(drive, "available", lambda: there)
    missing = program._not_tried([name], (), tier, chosen, (), True)
    assert [item for item in missing if "Autobahn" in item] == ([said] if said else [])


def test_without_kosoku_nothing_is_played_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "available", lambda: False)
    with pytest.raises(UsageError, match="kosoku"):
        tap.autobahn()


# --- the cases --------------------------------------------------------------------------------------------------------------------------


def test_every_case_is_an_exchange_that_says_what_it_is_about() -> None:
    exchanges = [session[0] for session in tap.autobahn().sessions]
    assert len(exchanges) == 517
    assert {case.subject(exchange.meta[case.KEY]) for exchange in exchanges} == set(case.SUBJECTS.values()), "each is used, and no other"
    assert [exchange.name for exchange in exchanges if not Demand.of(exchange.meta).ways and case.KEY + "-9." not in exchange.name] == [
        "autobahn-7.13.1",
        "autobahn-7.13.2",
    ]


def test_the_longest_number_that_fits_says_what_a_case_is_about() -> None:
    assert case.subject("7.1.5")[1] == "FR-WSF-07"
    assert case.subject("7.1.1")[1] == "FR-WSC-01 FR-WSC-05"
    assert case.subject("5.1") != case.subject("5.10") == case.subject("5.3"), "5.10 is not in a section 5.1"
    assert case.subject("99.1") == case.OTHER


@pytest.mark.parametrize("pattern", ["99.*", "1.1.99", "7"])
def test_a_case_that_is_not_there_is_a_mistake(pattern: str) -> None:
    with pytest.raises(UsageError, match=f"no case of Autobahn's is called {pattern.replace('*', '.')}"):
        tap.autobahn([pattern])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("autobahn: 1.1.1\npause 5ms\nend next", "no step, and no session"),
        ("autobahn: 99.1\nend next", "Autobahn has no case 99.1"),
    ],
)
def test_an_exchange_of_autobahns_has_no_script_of_its_own(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "own.exchange"
    file.write_text(f"bridgecheck-exchange 1\n\nexchange own\n{lines}\n")
    with pytest.raises(UsageError, match=said):
        tap.read(file)


# --- what differs -----------------------------------------------------------------------------------------------------------------------


def test_a_failed_case_is_one_finding_and_says_who_is_wrong() -> None:
    failed = outcome("6.3.1", "FAILED", "FAILED", None)
    (difference,) = judged("6.3.1", outcome("6.3.1", code=1007), failed)
    assert (difference.path, difference.kind) == ("autobahn[RFC 6455 §8.1 UTF-8].behavior", "OK→FAILED")
    assert (difference.verdict, difference.severity, difference.side) == (CANDIDATE, "break", "wire")
    (difference,) = judged("6.3.1", failed, outcome("6.3.1", code=1007))
    assert difference.verdict == REFERENCE


def test_what_is_allowed_is_drift_and_hides_no_other_code() -> None:
    found = judged("6.4.1", outcome("6.4.1", code=1007), outcome("6.4.1", "NON-STRICT", code=1002))
    assert [(d.path.rpartition("].")[2], d.kind, d.severity) for d in found] == [
        ("behavior", "OK→NON-STRICT", "drift"),
        ("close.code", "value", "break"),
    ]
    assert [title(d).partition(":")[0] for d in found] == [
        "Autobahn's verdict, RFC 6455 §8.1 UTF-8",
        "code in the server's close frame, RFC 6455 §8.1 UTF-8",
    ]


def test_a_broken_closing_handshake_stands_beside_an_allowed_answer() -> None:
    found = judged("7.1.1", outcome("7.1.1"), outcome("7.1.1", "NON-STRICT", "UNCLEAN"))
    assert [(d.kind, d.severity, d.verdict == CANDIDATE) for d in found] == [
        ("OK→NON-STRICT", "drift", False),
        ("OK→UNCLEAN", "rule", True),
    ]


def test_a_limit_is_nobodys_fault_and_a_difference_all_the_same() -> None:
    (difference,) = judged("9.1.6", outcome("9.1.6"), outcome("9.1.6", "FAILED", "FAILED", 1009))
    assert (difference.verdict, difference.severity) == ("undefined", "break")


def test_a_code_and_no_code_are_another_value() -> None:
    (difference,) = judged("3.1", outcome("3.1", code=1002), outcome("3.1", code=None))
    assert (difference.kind, difference.candidate) == ("value", "none")


# --- servers that end, or do not ---------------------------------------------------------------------------------------------------------


def probe(server: str) -> Target:
    return Target(server, parse_server(server), App(tap.PROBE, app_dir=str(files("bridgecheck.spec"))), python=sys.executable)


def targets(*how: str) -> list[Target]:
    return [probe(ECHO.replace("HOW", name)) for name in how]


def test_of_cases_side_by_side_the_one_that_ends_a_server_is_known_and_the_others_are_played() -> None:
    played = drive.play(QUICK, targets("right", "dies"))
    assert [[side[case.KEY]["server"] for side in sides or ()] for sides in played] == [
        ["running", "running"],
        ["running", "exit code 3"],
        ["running", "running"],
    ]
    (difference,) = judged("1.1.2", *(side[case.KEY] for side in played[1] or ()))
    assert (difference.path.rpartition("].")[2], difference.severity) == ("server", "break")


def test_a_case_that_hangs_ends_and_so_do_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "CASE_SECONDS", 0.2)
    monkeypatch.setattr(drive, "NO_ENDS_MAX", 1)
    played = drive.play([*QUICK, "1.2.1"], targets("hangs"))
    assert [None if sides is None else sides[0][case.KEY]["behavior"] for sides in played] == [case.NO_END, case.NO_END, None, None]


def test_what_hangs_without_a_word_is_ended_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that says that a case begins, and nothing more."""
    silent = "import sys, time\nfor word in sys.argv[3:]: print('{\"begins\": \"%s\"}' % word.split('=')[0], flush=True)\ntime.sleep(60)"
    monkeypatch.setattr(drive, "_command", lambda *words: [sys.executable, "-c", silent, *words[1:]])
    monkeypatch.setattr(drive, "CASE_SECONDS", 0.1)
    monkeypatch.setattr(drive, "GRACE_SECONDS", 0.3)
    ((only,),) = drive.play(["1.1.1"], targets("right"))
    assert only[case.KEY]["behavior"] == case.NO_END


def test_a_server_that_pings_meanwhile_fails_no_case() -> None:
    """Autobahn's own of a thousand messages ends at the first ping."""
    ((only,),) = drive.play(["9.7.1"], [probe("uvicorn:ws-ping-interval=0.005")])
    assert only[case.KEY]["behavior"] == "OK", only


def test_a_runner_that_does_not_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "_command", lambda *words: [sys.executable, "-c", "import sys; sys.exit('no such thing')"])
    with pytest.raises(drive.BridgecheckError, match="kosoku does not run:\nno such thing"):
        drive.play(["1.1.1"], targets("right"))
