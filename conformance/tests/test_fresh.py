"""Sessions that begin on fresh state, as recorded tests do: what they were given, what of them fits, and what a verdict rests on then."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from bridgecheck.conformance.taps import tap

from .test_gate import STRIPPING, gate

MISSING = """
async def app(scope, receive, send):
    status = 404 if scope.get("path") == "/missing" else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
"""
HEAD = "bridgecheck-exchange 1\n"


def session(name: str, *targets: str, method: str = "GET", status: int = 200, needs: str = "needs: fresh\n") -> str:
    exchanges = (
        f"\nexchange get-{number}\nstatus: {status}\nsend\n> {method} {target} HTTP/1.1\n> Host: test\n>\nwait response\n"
        f"answered\n> HTTP/1.1 {status}\n> Content-Type: text/plain\n>\n+ k3Y9x{name[-1]}QwB7\nend next\n"
        for number, target in enumerate(targets, 1)
    )
    return f"\nsession {name}\n{needs}" + "".join(exchanges)


def write(folder: Path, sessions: Iterable[str]) -> Path:
    file = folder / "tests.exchange"
    file.write_text(HEAD + "".join(sessions), "utf-8")
    return file


def names(sessions: Iterable[tap.Session]) -> list[str]:
    return [each[0].session for each in sessions]


def test_a_session_that_begins_fresh_is_given_nothing_by_another(tmp_path: Path) -> None:
    given = [session("a", "/login"), session("b", "/items/k3Y9xaQwB7"), session("c", "/login", "/items/k3Y9xcQwB7")]
    found = tap.recorded([write(tmp_path, given)])
    assert names(found.sessions) == ["a", "b", "c"]
    assert [b"${" in exchange.text for each in found.sessions for exchange in each] == [False, False, False, True]
    assert all(exchange.meta["needs"] == "fresh" for each in found.sessions for exchange in each)


def test_sessions_that_share_a_state_are_given_what_others_had(tmp_path: Path) -> None:
    given = [session("a", "/login", needs=""), session("b", "/items/k3Y9xaQwB7"), session("c", "/items/k3Y9xaQwB7", needs="")]
    found = tap.recorded([write(tmp_path, given)])
    assert names(found.sessions) == ["a", "b"]
    assert [b"${" in exchange.text for each in found.sessions for exchange in each] == [False, True, False]


def test_what_is_of_another_app_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, [session("one", *"/" * 20), session("two", "/c", method="POST"), session("other", "/d?key=1", status=401)])
    result = gate("apps:good", "--candidate", STRIPPING.replace("HOW", "harmful"), "--traffic", str(file), cwd=tmp_path)
    said = " ".join(result.stdout.split())
    assert "recorded: 1 of 3 sessions that begin on fresh state: recorded of another app or state" in said
    assert "other, get-1: 401 recorded, 200 now" in said
    assert result.returncode == 1, said  # what differs in it, a query that is gone, is told all the same


@pytest.mark.parametrize(
    ("fitting", "says"),
    [
        (session("one", "/missing", status=404), "the reference gave the recorded status in 1 of 2 exchanges"),
        (session("one", *["/missing"] * 20, status=404), "not one 2xx came from the app"),  # but for those that it does not rest on
    ],
)
def test_same_is_earned_by_what_fits(tmp_path: Path, fitting: str, says: str) -> None:
    (tmp_path / "missing.py").write_text(MISSING, "utf-8")
    file = write(tmp_path, [fitting, session("other", "/there", status=401)])
    result = gate("missing:app", "--app-dir", str(tmp_path), "--candidate", "uvicorn", "--traffic", str(file), cwd=tmp_path)
    assert result.returncode == 2 and says in " ".join((result.stdout + result.stderr).split())


def test_what_differs_is_made_smaller_though_answers_were_recorded(tmp_path: Path) -> None:
    file = write(tmp_path, [session("one", "/", method="POST"), session("two", "/a?x=1")])
    result = gate("apps:good", "--candidate", STRIPPING.replace("HOW", "harmful"), "--traffic", str(file), cwd=tmp_path, minimise=True)
    assert result.returncode == 1, result.stdout + result.stderr
    (smaller,) = [text for file in (tmp_path / "bridgecheck-report" / "exchanges").iterdir() if "minimised" in (text := file.read_text())]
    assert "/a?x=1" in smaller and "answered" not in smaller
