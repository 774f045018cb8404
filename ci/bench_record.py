"""What `bridgecheck record` costs: CPU per request that passes, next to what uvicorn spends on the shop's JSON route.

    .venv/bin/python ci/bench_record.py [--pairs 5] [--seconds 3] [--json FILE]

wrk asks uvicorn itself and uvicorn through the recorder by turns, in pairs; uvicorn and recorder run on core 0, wrk on core 1. What is
counted is the CPU of the recorder alone. Both ways the answer must be the expected one, byte by byte the same, and every request that
passed must be in the recording. Exits 1 when the recorder costs more than it may, 2 when nothing could be measured.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench_bridge import CONNECTIONS, SERVER_CORE, WARM_UP, WORKLOADS, Ratio, Side, Unmeasured, conclude, summary
from measured import running

from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.taps import tap

REQUIRED = 3.0  # uvicorn's cost per request as a multiple of the recorder's
RECORD = "{{python}} -m bridgecheck record --listen {{host}}:{{port}} --upstream {upstream} -o {file}"

[SHOP] = [workload for workload in WORKLOADS if workload.name == "shop-json"]


def measure(pairs: int, seconds: int) -> tuple[Side, Side]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-record-")))
        environment = {"SHOP_DATABASE": "{folder}/shop.sqlite"}
        uvicorn = stack.enter_context(running("uvicorn", SHOP.app, core=SERVER_CORE, environment=environment))
        command = RECORD.format(upstream="{}:{}".format(*uvicorn.address), file=folder / "file.exchange")
        # With an access log: the recorder has none, and no option that says so.
        recorder = stack.enter_context(running(command, SHOP.app, core=SERVER_CORE, access_log=True))
        both = Side("uvicorn", uvicorn, SHOP), Side("recorder", recorder, SHOP)
        direct, passed = (side.check_answer() for side in both)
        if direct != passed:
            raise Unmeasured(f"the answer is another one through the recorder:\n  {direct}\n  {passed}")
        for side in both:
            side.run(WARM_UP)
        for _ in range(pairs):
            for side in both:
                side.runs.append(side.run(seconds))
        recorder.end()
        check_recorded(folder, both[1].requests)
    return both


def check_recorded(folder: Path, requests: int) -> None:
    """Every request that was answered, and of those that wrk left under way at the end of a run at most one a connection."""
    try:
        exchanges = [exchange for file in sorted(folder.glob("*.exchange")) for exchange in tap.read(file)]
    except UsageError as error:
        raise Unmeasured(f"the recording cannot be read: {error}") from None
    if not 0 <= len(exchanges) - requests <= CONNECTIONS * 100:
        raise Unmeasured(f"{len(exchanges)} exchanges were recorded of {requests} requests")
    wrong = [exchange.name for exchange in exchanges if [target for _, target in exchange.requests] != [SHOP.target.encode()]]
    if wrong:
        raise Unmeasured(f"{len(wrong)} exchanges are not what was sent, the first {wrong[0]}")


def report(both: tuple[Side, Side]) -> dict[str, object]:
    ratio = Ratio.of(*(side.runs for side in both))
    met = ratio.median >= REQUIRED
    for side in both:
        figures = summary(side.runs)
        rate, cost = figures["requests_per_second"], figures["cpu_microseconds_per_request"]
        print(f"{side.name:9}  {rate:9,.0f} requests/s  {cost:7.2f} µs CPU per request")
    print(
        f"uvicorn costs {ratio.median:.2f} times what the recorder adds ({ratio.least:.2f} to {ratio.most:.2f}), "
        f"required {REQUIRED:.2f}: {'met' if met else 'MISSED'}",
        flush=True,
    )
    return {**{side.name: summary(side.runs) for side in both}, "ratio": round(ratio.median, 3), "required": REQUIRED, "met": met}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    return conclude(lambda: report(measure(options.pairs, options.seconds)), options.json)


if __name__ == "__main__":
    sys.exit(main())
