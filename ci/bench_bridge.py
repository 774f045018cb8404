"""What the bridge costs next to uvicorn: requests per CPU second, the same app under both.

    .venv/bin/python ci/bench_bridge.py [--candidate bridge] [--pairs 5] [--seconds 3] [--only WORKLOAD] [--json FILE]

uvicorn (httptools, uvloop) and the candidate both run on core 0 and are asked in turn, in pairs, by wrk on core 1 (1 thread, 32
connections), so that a noisy machine troubles both alike. CPU is that of all processes and threads of a server. What is fast must
first be right: both answers must be the expected one, every byte under load must be accounted for, and where the access log is on, both
must write the same line for every request. Exits 1 when a ratio misses what is required of it, 2 when nothing could be measured.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from answer import Answer, ask
from measured import COMMANDS, Measured, ServerError, running

SERVER_CORE, WRK_CORE = 0, 1
CONNECTIONS = 32
WARM_UP = 1  # seconds
WRK_ERRORS = ("connect", "read", "write", "timeout", "status")
ACCESS_LINE = re.compile(rb'^.* - "[A-Z]+ [^"]+ HTTP/1\.1" 200 OK$', re.MULTILINE)
PORT = re.compile(rb"127\.0\.0\.1:\d+")


class Unmeasured(Exception):
    """The figures would mean nothing."""


@dataclass(frozen=True)
class Workload:
    name: str
    app: str
    target: str
    expected: Answer
    required: float  # the candidate's requests per CPU second, as a multiple of uvicorn's
    access_log: bool = False


HELLO = Answer(b"HTTP/1.1 200 OK", ((b"content-length", b"13"), (b"content-type", b"text/plain")), b"Hello, world!")
ABOUT = Answer(
    b"HTTP/1.1 200 OK",
    ((b"content-length", b"60"), (b"content-type", b"application/json"), (b"vary", b"Origin")),
    b'{"name":"The demo shop","currency":"EUR","languages":["en"]}',
)
WORKLOADS = [
    Workload("bare", "bare:app", "/", HELLO, required=2.5),
    # A route of the event loop. One on the thread pool, as the shop's items are, costs more in its app than any server could save.
    Workload("shop-json", "bridgecheck.demo.shop:app", "/about", ABOUT, required=1.1),
    Workload("bare-access-log", "bare:app", "/", HELLO, required=1.3, access_log=True),
]


@dataclass(frozen=True)
class Run:
    """What one run of wrk against one server came to."""

    requests: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of CPU per request."""
        return self.cpu_seconds / self.requests * 1e6


class Side:
    """One of the two servers, and its runs."""

    def __init__(self, name: str, server: Measured, workload: Workload) -> None:
        self.name = name
        self.runs: list[Run] = []
        self._server = server
        self._workload = workload
        self._length = 0  # of one answer on the wire
        self.requests = 0

    def check_answer(self) -> Answer:
        """The answer to the workload's request, as expected, twice on one connection."""
        (answer, length), again = ask(self._server.address, self._workload.target, 2)
        self.requests += 2
        for one, its_length in ((answer, length), again):
            if one.without_names() != self._workload.expected or its_length != length:
                raise Unmeasured(f"{self.name} does not answer as expected:\n  {one}\n  {self._workload.expected}")
        self._length = length
        return answer

    def run(self, seconds: int) -> Run:
        before = self._server.cpu_seconds()
        counted = wrk(self._server, self._workload.target, seconds)
        cpu_seconds = self._server.cpu_seconds() - before
        self._server.check_alive()
        self.requests += counted["requests"]
        check_counted(self.name, counted, self._length)
        if cpu_seconds <= 0:
            raise Unmeasured(f"{self.name} used no CPU: another process answers")
        return Run(counted["requests"], counted["microseconds"] / 1e6, cpu_seconds)

    def access_line(self) -> bytes:
        """The line of a request in the access log, without the client's port; there must be one for each request."""
        lines = ACCESS_LINE.findall(self._server.output.read_bytes())
        if len(lines) < self.requests:
            raise Unmeasured(f"{self.name} wrote {len(lines)} lines of access log for at least {self.requests} requests")
        return PORT.sub(b"127.0.0.1:PORT", lines[0])


def wrk(server: Measured, target: str, seconds: int) -> dict[str, int]:
    host, port = server.address
    script = Path(__file__).parent / "wrk.lua"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), f"http://{host}:{port}{target}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 30, preexec_fn=lambda: os.sched_setaffinity(0, {WRK_CORE})
        )
    except FileNotFoundError:
        raise Unmeasured("wrk is not on PATH (on Debian: apt-get install wrk)") from None
    if done.returncode:
        raise Unmeasured(f"wrk ended with {done.returncode}: {done.stderr or done.stdout}")
    return json.loads(done.stdout.splitlines()[-1])


def check_counted(name: str, counted: dict[str, int], length: int) -> None:
    """wrk saw no error, and what it read is that many answers; up to one more on each connection was under way at the end."""
    if errors := {error: counted[error] for error in WRK_ERRORS if counted[error]}:
        raise Unmeasured(f"wrk's errors with {name}: {errors}")
    if not counted["requests"]:
        raise Unmeasured(f"wrk had no answer of {name}")
    if not 0 <= counted["bytes"] - counted["requests"] * length <= CONNECTIONS * length:
        raise Unmeasured(f"wrk read {counted['bytes']} bytes in {counted['requests']} answers of {name}, which have {length} each")


def measure(workload: Workload, candidate: str, pairs: int, seconds: int) -> tuple[Side, Side]:
    """Both servers' runs, in pairs."""
    if not {SERVER_CORE, WRK_CORE} <= os.sched_getaffinity(0):
        raise Unmeasured(f"cores {SERVER_CORE} and {WRK_CORE} are not both allowed here")
    with ExitStack() as stack:

        def side(name: str, command: str) -> Side:
            environment = {"SHOP_DATABASE": "{folder}/shop.sqlite"}
            start = running(command, workload.app, access_log=workload.access_log, core=SERVER_CORE, environment=environment)
            return Side(name, stack.enter_context(start), workload)

        both = side("uvicorn", "uvicorn"), side("candidate", candidate)
        mine, theirs = (one.check_answer() for one in both)
        if mine != theirs:
            raise Unmeasured(f"the two answer differently:\n  {mine}\n  {theirs}")
        for one in both:
            one.run(WARM_UP)
        for _ in range(pairs):
            for one in both:
                one.runs.append(one.run(seconds))
        if workload.access_log:
            line, other = (one.access_line() for one in both)
            if line != other:
                raise Unmeasured(f"the two write other lines of access log:\n  {line!r}\n  {other!r}")
    return both


@dataclass(frozen=True)
class Ratio:
    """The candidate's requests per CPU second as a multiple of uvicorn's, over the pairs."""

    median: float
    least: float
    most: float

    @staticmethod
    def of(uvicorn: list[Run], candidate: list[Run]) -> "Ratio":
        ratios = [one.cost / other.cost for one, other in zip(uvicorn, candidate, strict=True)]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def summary(runs: list[Run]) -> dict[str, float]:
    return {
        "requests_per_second": round(statistics.median(run.rate for run in runs), 1),
        "cpu_microseconds_per_request": round(statistics.median(run.cost for run in runs), 3),
    }


def report(workload: Workload, uvicorn: list[Run], candidate: list[Run]) -> dict[str, Any]:
    """Print what was measured, and give it back for the JSON file."""
    ratio = Ratio.of(uvicorn, candidate)
    met = ratio.median >= workload.required
    sides = {"uvicorn": summary(uvicorn), "candidate": summary(candidate)}
    print(f"{workload.name}: {len(uvicorn)} pairs")
    for name, figures in sides.items():
        rate, cost = figures["requests_per_second"], figures["cpu_microseconds_per_request"]
        print(f"  {name:9}  {rate:9,.0f} requests/s  {cost:7.2f} µs CPU per request")
    print(
        f"  requests per CPU second: {ratio.median:.2f} times uvicorn's ({ratio.least:.2f} to {ratio.most:.2f}), "
        f"required {workload.required:.2f}: {'met' if met else 'MISSED'}",
        flush=True,
    )
    ratios = {"median": round(ratio.median, 3), "min": round(ratio.least, 3), "max": round(ratio.most, 3)}
    return {**sides, "ratio": ratios, "pairs": len(uvicorn), "required": workload.required, "met": met}


def conclude(figures: Callable[[], dict[str, Any]], path: Path | None, *unmeasured: type[Exception]) -> int:
    """Exit code of a benchmark of one figure, which is written to `path` if there is one: 0 met, 1 missed, 2 not measured."""
    try:
        found = figures()
    except (Unmeasured, ServerError, *unmeasured) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 2
    if path:
        path.write_text(json.dumps(found, indent=2) + "\n")
    return int(not found["met"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = ", ".join(COMMANDS)
    parser.add_argument("--candidate", default="bridge", help=f"one of {known}, or a command with {{app}} and {{port}} in it")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--only", action="append", choices=[workload.name for workload in WORKLOADS], help="may be given several times")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    figures = {}
    try:
        for workload in WORKLOADS:
            if not options.only or workload.name in options.only:
                uvicorn, candidate = measure(workload, options.candidate, options.pairs, options.seconds)
                figures[workload.name] = report(workload, uvicorn.runs, candidate.runs)
    except (Unmeasured, ServerError) as error:
        print(f"not measured: {workload.name}: {error}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps({"candidate": options.candidate, "workloads": figures}, indent=2) + "\n")
    return int(not all(one["met"] for one in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
