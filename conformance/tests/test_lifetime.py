"""Exchanges with process steps, on real servers: right ones, and some that are wrong on purpose. Nothing of them may be left."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from bridgecheck.conformance._player import Exchange, Player, parse
from bridgecheck.conformance.adapters import Unsupported
from bridgecheck.conformance.compare.bucket import title
from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.difference import Difference, differences
from bridgecheck.conformance.compare.weight import quirk
from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.report.transcript import transcript
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.application import App
from bridgecheck.conformance.targets.lifetime import Lifetime, play_all, start_words
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.stage import Stage
from bridgecheck.conformance.targets.target import Target

from .watched import pids, running, until

HERE = Path(__file__).parent
CASES = {session[0].name: session for session in tap.spec().sessions if session[0].process}
PROBE = App(tap.PROBE, app_dir=str(files("bridgecheck.spec")))


def ending(how: str) -> str:
    return f"{{python}} {HERE / 'wrong' / 'ending.py'} {how} {{host}} {{port}} {{app}}"


def targets(*servers: str) -> list[Target]:
    return [Target(f"{number}", parse_server(server), PROBE, python=sys.executable) for number, server in enumerate(servers)]


def exchange(steps: str, meta: str = "", end: str = "end close") -> Exchange:
    return parse(f"bridgecheck-exchange 1\nexchange own\n{meta}{steps.strip()}\n{end}\n".encode(), "own")[0]


def differ(case: str, server: str) -> list[Difference]:
    """What is seen of the server in that case, compared with uvicorn; causes alone."""
    result = Stage(targets("uvicorn", server), patience=2).play([CASES[case]], jobs=1)
    (facts,) = result.facts[0]
    assert facts is not None and result.lifetimes == 1
    found = differences(facts[0], facts[1], Demand.of(CASES[case][0].meta))
    return [d for d in found if d.because is None and not quirk(d.path, d.kind) and d.severity != "drift"]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Of whatever a test has started."""
    own = subprocess.os.getpid()
    before = set(pids(own))
    yield
    left = running([pid for pid in pids(own) if pid not in before])
    assert left == []


# --- servers that are right, and some that are not ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["sigterm-while-a-request-runs", "startup-failed", "shutdown-that-never-completes"])
def test_what_does_the_same_is_the_same(case: str) -> None:
    assert differ(case, ending("right")) == []


@pytest.mark.parametrize(
    ("how", "case", "expected"),
    [
        ("code", "sigint-when-idle", {("process.exit", "exit code 0→exit code 7")}),
        ("shrugs", "startup-failed", {("process.exit", "exit code 3→exit code 0")}),
        ("never", "sigterm-when-idle", {("process.exit", "signal 15 (SIGTERM)→running"), ("lifespan.receive.types", "count")}),
        ("mute", "sigterm-when-idle", {("lifespan.receive.types", "count")}),
        ("stays", "sigterm-refuses-new-connections", {("connection", "no→yes")}),
        ("serves", "startup-failed", {("process.ready", "no→yes"), ("process.exit", "exit code 3→running")}),
    ],
)
def test_a_server_that_ends_otherwise_is_found(how: str, case: str, expected: set[tuple[str, str]]) -> None:
    found = {(d.path, d.kind) for d in differ(case, ending(how))}
    assert expected <= found, found


def test_a_server_that_drops_what_runs_is_found() -> None:
    found = differ("sigterm-while-a-response-is-streamed", ending("dies"))
    places = {(d.place, d.path) for d in found}
    assert {("main call 1", "receive.body"), ("lifespan call 1", "lifespan.receive.types")} <= places, places
    assert any(d.path == "script[closed]" for d in found)  # the response that was waited for
    assert {d.side for d in found if d.place.startswith(("lifespan", "process"))} == {"process"}


def test_what_a_server_leaves_behind_ends_with_it_and_holds_no_connection() -> None:
    assert differ("sigterm-closes-idle-connection", ending("leaves")) == []


# --- what is observed --------------------------------------------------------------------------------------------------------------------


def test_an_observation_tells_of_the_process_and_a_person_can_read_it() -> None:
    (observation,) = Lifetime(CASES["lifespan-from-start-to-end"][0], targets("uvicorn"), patience=2).play()
    process = observation["process"]
    assert (process["ready"], process["exit"]) == (True, "signal 15 (SIGTERM)")
    (call,) = process["lifespans"]
    assert [event["event"]["type"] for event in call["events"] if event["kind"] == "received"] == ["lifespan.startup", "lifespan.shutdown"]
    assert any("Uvicorn running on" in line for line in process["output"])
    told = transcript(observation)
    assert "server was ready; then: signal 15 (SIGTERM)" in told
    assert "lifespan.shutdown.complete" in told


def test_a_server_that_never_listens_is_an_observation() -> None:
    lifetime = Lifetime(exchange("process start\nconnect main\nprocess exit within 100ms"), targets(ending("right")), patience=2)
    lifetime.targets[0].app = App("served:nothing", app_dir=str(HERE))
    (observation,) = lifetime.play()
    assert observation["process"]["ready"] is False
    assert observation["process"]["exit"].startswith("exit code ")
    assert observation["connections"][0]["opened"] is False


def test_the_environment_and_the_options_of_a_start() -> None:
    own = exchange('process start A=1 "B=x y" --root-path /api --header X-Rack:7')
    assert start_words(own) == ({"A": "1", "B": "x y"}, ["--root-path", "/api", "--header", "X-Rack:7"])
    uvicorn, hypercorn = targets("uvicorn:root-path=/own", "hypercorn")
    (anew,) = Lifetime(exchange("process start --root-path /api --no-proxy-headers"), [uvicorn], patience=2).targets
    assert anew.server.options == (("root-path", "/own"), ("root-path", "/api"), ("no-proxy-headers", None))
    assert uvicorn.server.options == (("root-path", "/own"),)
    (anew,) = Lifetime(exchange("process start --timeout-keep-alive 1"), [hypercorn], patience=2).targets
    assert anew.server.options == (("keep-alive", "1"),)


def test_what_a_server_has_not_is_unsupported_and_not_played() -> None:
    with pytest.raises(Unsupported, match="daphne has no --limit-concurrency"):
        Lifetime(CASES["limit-concurrency"][0], targets("uvicorn", "daphne"), patience=2)
    result = Stage(targets("uvicorn", "daphne"), patience=2).play([CASES["limit-concurrency"]], jobs=1)
    assert result.unsupported == [("limit-concurrency", "daphne has no --limit-concurrency")]
    assert result.facts == [[None]] and result.lifetimes == 0 and result.deaths == []


def test_connections_stay_open_over_a_signal_and_bring_what_comes() -> None:
    steps = """
process start
send
> POST / HTTP/1.1
> Host: a
> Content-Length: 2
> Probe: answer-then-read
>
wait body 1
process signal SIGTERM
process exit within 300ms
send
+ ok
wait response
process exit
"""
    (observation,) = Lifetime(exchange(steps), targets("uvicorn"), patience=2).play()
    (connection,) = observation["connections"]
    assert [response["complete"] for response in connection["responses"]] == [True]
    assert connection["end"] == "closed"
    assert observation["steps"] == [(12, "timed out")]  # it did not end while the response was on its way
    assert observation["process"]["exit"] == "signal 15 (SIGTERM)"


# --- what is refused ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "session s\nexchange a\nprocess start\nend close\n",
            "4: exchange a: with process steps it has a start of its own, and no session",
        ),
        ("exchange a\nconnect main\nprocess start\nend close\n", "4: exchange a: process start is the first step"),
        ("exchange a\nprocess start\nprocess start\nend close\n", "4: exchange a: process start is the first step"),
        ("exchange a\nprocess signal SIGNONE\nend close\n", "3: exchange a: no signal is called SIGNONE"),
    ],
)
def test_process_steps_that_mean_nothing_are_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "own.exchange"
    file.write_text("bridgecheck-exchange 1\n" + text)
    with pytest.raises(UsageError) as raised:
        tap.read(file)
    assert str(raised.value) == f"{file}:{message}"


def test_nobody_plays_process_steps_without_a_process() -> None:
    (target,) = targets("uvicorn")
    target.start()
    try:
        player = Player([target.address()])
        with pytest.raises(ValueError, match="own:3: a process step, and no process= to do it"):
            player.play([[exchange("process exit")]])

        def fail(*asked: object) -> bool:
            raise LookupError("no")

        with pytest.raises(LookupError, match="no"):
            player.play([[exchange("process exit")]], process=fail)
        seen = []
        player.play([[exchange("process signal SIGUSR1\nprocess exit within 20ms")]], process=lambda *a: seen.append(a) or a[1] == "signal")
        player.close()
    finally:
        target.stop()
    assert seen[0] == (0, "signal", ("SIGUSR1",))
    assert set(seen[1:]) == {(0, "exit", ())} and 2 <= len(seen[1:]) <= 21


def test_those_that_wait_longest_are_begun_first_and_all_stand_where_they_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr("bridgecheck.conformance.targets.lifetime.AT_ONCE", 1)
    monkeypatch.setattr(Lifetime, "play", lambda self: begun.append(self.exchange.text.split()[-3].decode()) or (len(begun),))
    scripts = ("within 20ms", "within 900ms", "within 2s", "within 21ms")
    lifetimes = [Lifetime(exchange(f"process start\nprocess exit {words}"), targets("uvicorn"), patience=2) for words in scripts]
    assert play_all(lifetimes, lambda over: None) == [(4,), (2,), (1,), (3,)]
    assert begun == ["2s", "900ms", "21ms", "20ms"]


# --- interrupted -------------------------------------------------------------------------------------------------------------------------


def test_one_that_fails_gives_up_the_others() -> None:
    good = [Lifetime(exchange("process start\nprocess exit within 60s"), targets("uvicorn"), patience=2) for _ in range(3)]
    bad = Lifetime(exchange("process start\nprocess exit within 60s"), targets("uvicorn"), patience=2)
    bad.targets[0].python = "/nowhere/python"
    with pytest.raises(Exception, match="cannot be started"):
        play_all([bad, *good], lambda over: None)


SPOT = ("process", "process.exit")
HOLDER = """
import sys
from importlib.resources import files
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance._player import parse
from bridgecheck.conformance.targets.application import App
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.stage import Stage
from bridgecheck.conformance.targets.target import Target

probe = App(tap.PROBE, app_dir=str(files("bridgecheck.spec")))
targets = [Target(server, parse_server(server), probe, python=sys.executable) for server in sys.argv[1:]]
text = b"bridgecheck-exchange 1\\nexchange a\\nprocess start PROBE_LIFESPAN=ignore-shutdown\\nprocess exit within 60s\\nend close\\n"
waits = parse(text, "a")
print("playing", flush=True)
Stage(targets, patience=2).play([waits, waits], jobs=1)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_end_in_the_midst_leaves_nothing(how: signal.Signals) -> None:
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), "uvicorn", "granian"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "playing\n"
        family = until(lambda: len(pids(process.pid)) >= 1 + 2 * (2 + 3) and pids(process.pid))
        assert family, "two lifetimes: guards, servers and a worker"
        process.send_signal(how)
        process.communicate(timeout=20)
        assert until(lambda: not running(family), 5), running(family)


def test_findings_have_names() -> None:
    found = Difference("process", "process.exit", "exit code 0→exit code 7", "exit code 0", "exit code 7")
    assert title(found) == "process.exit: exit code 0 → exit code 7"
    assert (found.side, found.severity) == ("process", "break")
    assert [(d.kind, d.severity) for d in differences({SPOT: "exit code 3"}, {SPOT: "exit code 1"})] == [("value", "drift")]
    assert [d.severity for d in differences({SPOT: "exit code 3"}, {SPOT: "exit code 0"})] == ["break"]
    clean = Difference("process", "process.exit", "signal 15 (SIGTERM)→exit code 0", "", "")
    assert clean.severity == "drift"
