"""bench_replay.py without measuring: which exchanges httpx can send, what it takes for the same answers, and a cost that is met."""

import sys
from pathlib import Path

import pytest

CI = Path(__file__).parents[1]
sys.path.insert(0, str(CI))

import bench_replay  # noqa: E402
from bench_bridge import Run, Unmeasured  # noqa: E402
from bench_gate import TRAFFIC  # noqa: E402
from bench_replay import REQUIRED, SIDES, Request, check_answers, report, request_of  # noqa: E402

from bridgecheck.conformance._player import Exchange, parse  # noqa: E402
from bridgecheck.conformance.taps import tap  # noqa: E402


def exchange(steps: str, status: str = "200") -> Exchange:
    [one] = parse(f"bridgecheck-exchange 1\nexchange x\nstatus: {status}\n{steps}\nend next\n".encode(), "x")
    return one


def test_a_request_is_taken_apart() -> None:
    post = "send\n> POST /a?b HTTP/1.1\n> Host: h\n> X-One: 1\n> x-one: 2\n> Content-Length: 3\n>\n+ abc\nwait response"
    fields = [(b"Host", b"h"), (b"X-One", b"1"), (b"x-one", b"2"), (b"Content-Length", b"3")]
    assert request_of(exchange(post)) == Request("POST", "/a?b", fields, b"abc")


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ("send\n> GET / HTTP/1.0\n> Host: h\n>", "200"),
        ("send\n> GET / HTTP/1.1\n> Host: h\n>\nsend\n> GET / HTTP/1.1\n> Host: h\n>", "200 200"),
        ("send\n> GET / HTTP/1.1\n> Host: h\n>\n> GET / HTTP/1.1\n> Host: h\n>", "200 200"),
        ("send\n> POST / HTTP/1.1\n> Host: h\n> Content-Length: 3\n>\n+ a", "200"),
        ("send\n> POST / HTTP/1.1\n> Host: h\n> Expect: 100-continue\n> Content-Length: 1\n>\n+ a", "200"),
        ("send\n> GET / HTTP/1.1\n> Host: h\n> Upgrade: websocket\n>", "101"),
        ('send\n> GET / HTTP/1.1\n> Host: h\n>\nwait response\nsave x from body between "" ""', "200"),
        ("send\n> GET /error HTTP/1.1\n> Host: h\n>", "500"),
        ("send\n> GET /outbox/1 HTTP/1.1\n> Host: h\n>", "200"),
        ("send\n> GET /orders HTTP/1.1\n> Host: h\n>", "200"),
    ],
)
def test_what_httpx_is_not_asked_to_send(steps: str, status: str) -> None:
    assert request_of(exchange(steps, status)) is None


def test_httpx_can_send_most_of_the_demos_traffic() -> None:
    every = [one for session in tap.recorded([TRAFFIC]).sessions for one in session]
    assert len(every) >= 300
    assert sum(request_of(one) is not None for one in every) >= 0.7 * len(every)


def test_answers_that_are_the_same() -> None:
    one = exchange("send\n> GET / HTTP/1.1\n> Host: h\n>")
    check_answers([one], [[(200, 5)], [(200, 5)]])
    for other in ((200, 6), (404, 5)):
        with pytest.raises(Unmeasured, match=r"x was answered differently \(status, length\): \[\(200, 5\), "):
            check_answers([one], [[(200, 5)], [other]])
    with pytest.raises(Unmeasured):  # no answer at all, on either side
        check_answers([one], [[(0, 0)], [(0, 0)]])


@pytest.mark.parametrize(("cost", "met"), [(1 / REQUIRED + 0.01, False), (1 / REQUIRED - 0.01, True)])
def test_a_cost_is_met_or_missed(cost: float, met: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {side: [Run(1000, 1.0, cost if side == "player" else 1.0)] for side in SIDES}
    assert report(runs, 9, 10)["met"] is met
    assert capsys.readouterr().out.rstrip().endswith(f"required 5.00: {'met' if met else 'MISSED'}")
    monkeypatch.setattr(bench_replay, "measure", lambda *arguments: (runs, 9, 10))
    monkeypatch.setattr(sys, "argv", ["bench_replay.py"])
    assert bench_replay.main() == (0 if met else 1)
