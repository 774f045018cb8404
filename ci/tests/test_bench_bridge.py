"""bench_bridge.py without measuring: what it takes for an answer, for a run without errors, and for a ratio that is met."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

CI = Path(__file__).parents[1]
sys.path.insert(0, str(CI))

import bench_bridge  # noqa: E402
from answer import Answer, ask  # noqa: E402
from bench_bridge import HELLO, WORKLOADS, Ratio, Run, Side, Unmeasured, check_counted, report  # noqa: E402
from measured import running  # noqa: E402

BARE = WORKLOADS[0]
COUNTED = {"requests": 1000, "microseconds": 1_000_000, "bytes": 150_000, "connect": 0, "read": 0, "write": 0, "timeout": 0, "status": 0}


def bench(candidate: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, CI / "bench_bridge.py", "--candidate", candidate, "--only", "bare", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_every_workload_is_answered_by_uvicorn_as_expected() -> None:
    for workload in WORKLOADS:
        with running("uvicorn", workload.app, environment={"SHOP_DATABASE": "{folder}/shop.sqlite"}) as server:
            [(answer, _)] = ask(server.address, workload.target)
        assert answer.without_names() == workload.expected


def test_an_answer_that_is_not_expected_is_not_measured() -> None:
    done = bench("{python} -m uvicorn bridgecheck.spec.apps.echo:app --port {port}")
    assert done.returncode == 2
    assert done.stderr.startswith("not measured: bare: candidate does not answer as expected:\n"), done.stderr


def test_an_answer_in_another_order_is_not_measured() -> None:
    done = bench(f"{{python}} {CI / 'tests' / 'wrong_server.py'} other-order {{app}} {{port}} {{loop}}")
    assert done.returncode == 2
    assert done.stderr.startswith("not measured: bare: the two answer differently:\n"), done.stderr


def test_a_run_without_errors_counts() -> None:
    check_counted("it", COUNTED, 150)
    check_counted("it", {**COUNTED, "bytes": COUNTED["bytes"] + 32 * 150}, 150)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"connect": 1}, "wrk's errors with it: {'connect': 1}"),
        ({"read": 2}, "wrk's errors with it: {'read': 2}"),
        ({"write": 3}, "wrk's errors with it: {'write': 3}"),
        ({"timeout": 4}, "wrk's errors with it: {'timeout': 4}"),
        ({"status": 5}, "wrk's errors with it: {'status': 5}"),
        ({"requests": 0, "bytes": 0}, "wrk had no answer of it"),
        ({"bytes": 149_999}, "wrk read 149999 bytes in 1000 answers of it, which have 150 each"),
        ({"bytes": 154_801}, "wrk read 154801 bytes in 1000 answers of it, which have 150 each"),
    ],
)
def test_a_run_with_errors_does_not_count(changed: dict[str, int], words: str) -> None:
    with pytest.raises(Unmeasured) as raised:
        check_counted("it", {**COUNTED, **changed}, 150)
    assert str(raised.value) == words


def a_side(output: Path) -> Side:
    server: Any = SimpleNamespace(output=output, address=("127.0.0.1", 9), cpu_seconds=lambda: 1.0, check_alive=lambda: None)
    return Side("it", server, BARE)


def test_the_access_log_needs_a_line_for_each_request(tmp_path: Path) -> None:
    log = tmp_path / "output"
    log.write_text('INFO:     Started\nINFO:     127.0.0.1:50000 - "GET / HTTP/1.1" 200 OK\n' * 2)
    side = a_side(log)
    side.requests = 2
    assert side.access_line() == b'INFO:     127.0.0.1:PORT - "GET / HTTP/1.1" 200 OK'
    side.requests = 3
    with pytest.raises(Unmeasured, match="it wrote 2 lines of access log for at least 3 requests"):
        side.access_line()


def test_a_server_that_used_no_cpu_was_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_bridge, "wrk", lambda server, target, seconds: {**COUNTED, "bytes": 0})
    with pytest.raises(Unmeasured, match="it used no CPU"):
        a_side(tmp_path / "output").run(1)


def test_without_wrk_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unmeasured, match="wrk is not on PATH"):
        a_side(tmp_path / "output").run(1)


def test_with_one_core_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0})
    with pytest.raises(Unmeasured, match="cores 0 and 1 are not both allowed here"):
        bench_bridge.measure(BARE, "uvicorn", 1, 1)


def test_a_ratio_is_the_median_of_the_pairs() -> None:
    uvicorn = [Run(1000, 1.0, cpu) for cpu in (0.020, 0.030, 0.040)]
    candidate = [Run(2000, 1.0, cpu) for cpu in (0.020, 0.015, 0.020)]
    ratio = Ratio.of(uvicorn, candidate)
    assert (ratio.median, ratio.least, ratio.most) == pytest.approx((4.0, 2.0, 4.0))


@pytest.mark.parametrize(("cost", "met"), [(0.0081, False), (0.0080, True)])
def test_a_requirement_is_met_or_missed_and_said_so(cost: float, met: bool, capsys: pytest.CaptureFixture[str]) -> None:
    figures = report(BARE, [Run(1000, 1.0, 0.020)], [Run(1000, 0.5, cost)])
    assert figures["met"] is met
    assert figures["candidate"] == {"requests_per_second": 2000.0, "cpu_microseconds_per_request": cost * 1000}
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith(f"required 2.50: {'met' if met else 'MISSED'}")


@pytest.mark.parametrize(("cost", "code"), [(0.004, 0), (0.019, 1)])
def test_the_exit_code_and_the_file_say_whether_all_is_met(
    cost: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = SimpleNamespace(runs=[Run(1000, 1.0, 0.020)]), SimpleNamespace(runs=[Run(1000, 1.0, cost)])
    monkeypatch.setattr(bench_bridge, "measure", lambda *arguments: sides)
    monkeypatch.setattr(sys, "argv", ["bench_bridge.py", "--json", str(tmp_path / "figures.json")])
    assert bench_bridge.main() == code
    workloads = json.loads((tmp_path / "figures.json").read_text())["workloads"]
    assert {name: one["met"] for name, one in workloads.items()} == {workload.name: code == 0 for workload in WORKLOADS}


def test_fields_of_the_server_and_the_moment_are_left_out_of_an_answer() -> None:
    with running("uvicorn", "bare:app") as server:
        [(answer, length), again] = ask(server.address, "/", 2)
    assert answer == Answer(b"HTTP/1.1 200 OK", ((b"content-type", b"text/plain"), (b"content-length", b"13")), b"Hello, world!")
    assert again == (answer, length)
    assert answer.without_names() == HELLO
    with contextlib.suppress(OSError):
        ask(server.address, "/")
        raise AssertionError("the server still runs")
