"""How fast the gate's engine is, and what it costs next to the servers it plays to.

    .venv/bin/python ci/bench_gate.py

Two workloads, both compared fact by fact: the bare echo app with exchanges side by side (required: 1,000 exchanges a second on two cores,
each to reference and candidate, all the same), and the shop's own traffic, one by one to three targets (required: less CPU in
the harness than in the servers). Exits 1 where a requirement is missed. Everything runs on 127.0.0.1 and ends by itself.
"""

import resource
import sys
import time
from pathlib import Path

from bridgecheck.conformance._player import parse
from bridgecheck.conformance.compare.difference import differences
from bridgecheck.conformance.compare.weight import quirk
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.stage import Stage
from bridgecheck.conformance.targets.target import App, Target

RATE = 1000.0  # exchanges a second
COUNT = 5000
ROUNDS = 5  # of the shop's traffic
TRAFFIC = Path(__file__).parent.parent / "demo" / "traffic"


def echo_sessions() -> list[tap.Session]:
    exchanges = [
        f"exchange item-{number}\nsend\n> GET /items/{number}?page={number % 7} HTTP/1.1\n> Host: echo.test\n> Accept: application/json\n"
        f"> User-Agent: bench\n>\nwait response\nend next\n"
        for number in range(COUNT)
    ]
    return tap.sessions(parse(tap.MAGIC + "\n".join(exchanges).encode(), "bench"))


def own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(name: str, app: App, sides: list[str], sessions: list[tap.Session], jobs: int, rounds: int) -> tuple[float, float]:
    """Exchanges a second, and the harness's CPU as a part of the servers'."""
    targets = [Target(f"{side}-{index}", parse_server(side), app, python=sys.executable) for index, side in enumerate(sides)]
    stage = Stage(targets, patience=2.0)
    with stage.running():
        stage.play(sessions[:10], jobs=jobs)
        servers, harness, begin = sum(t.cpu_seconds() for t in targets), own_cpu(), time.monotonic()
        differ = unplayed = 0
        for _ in range(rounds):  # what differs on the shop is the time at which its orders were made
            result = stage.play(sessions, jobs=jobs)
            for played in result.facts:
                for facts in played:
                    unplayed += facts is None
                    for other in (facts or ())[1:]:
                        differ += any(not quirk(d.path, d.kind) for d in differences(facts[0], other))
        seconds = time.monotonic() - begin
        harness, servers = own_cpu() - harness, sum(t.cpu_seconds() for t in targets) - servers
    exchanges = rounds * sum(map(len, sessions))
    print(
        f"{name}: {exchanges} exchanges on {len(sides)} targets in {seconds:.2f} s: {exchanges / seconds:.0f} a second; CPU per exchange: "
        f"harness {harness / exchanges * 1e6:.0f} µs, servers {servers / exchanges * 1e6:.0f} µs; {differ} differ, {unplayed} not played"
    )
    if unplayed or (differ and rounds == 1):
        sys.exit(f"{name}: {unplayed} exchanges were not played and {differ} differ, so the figures mean nothing")
    return exchanges / seconds, harness / servers


def main() -> int:
    rate, _ = measure("echo", App("bridgecheck.spec.apps.echo:app"), ["uvicorn", "uvicorn"], echo_sessions(), 32, 1)
    shop = App("bridgecheck.demo.shop:app", environment={"SHOP_DATABASE": "{workdir}/shop.sqlite"})
    _, part = measure("shop", shop, ["uvicorn"] * 3, tap.recorded([TRAFFIC]).sessions, 1, ROUNDS)
    print(f"echo {rate:.0f} a second (at least {RATE:.0f}); shop: harness CPU is {part:.2f} of the servers' (less than 1)")
    return int(rate < RATE or part >= 1)


if __name__ == "__main__":
    sys.exit(main())
