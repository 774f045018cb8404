"""Whether the bridge lasts: flat memory under a million requests, no leak by any kind of request, and service while others hang.

    .venv/bin/python ci/soak_bridge.py [--candidate bridge] [--loop uvloop] [--scale 1] [--only PART]

PART is `rss` (one kind of request, a million times: resident memory after the first tenth against the end), `hanging` (thousands of
clients that do not go on), or the name of a kind of request (a hundred thousand each: what the process holds before and after, counted
inside it). `--scale 100` does a hundredth of everything, in seconds. Exits 1 where something grew or somebody was not served, 2 when the
server ended. Everything runs on 127.0.0.1 and ends by itself.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator

from measured import COMMANDS, FAILED_PATIENCE, Measured, ServerError, running
from soak.counts import counts, settled_growth
from soak.hanging import allow_descriptors, hang, release
from soak.kinds import KINDS, Kind, WrongAnswer

RSS_REQUESTS = 1_000_000
RSS_ALLOWED = 1 << 20  # bytes, from the first tenth to the end
KIND_REQUESTS = 100_000
WARM_UP = 300
BATCH = 10_000  # requests, until the server's output is emptied
HANG_SECONDS, SHORT_HANG_SECONDS = 8.0, 2.0
PARTS = ["rss", *(kind.name for kind in KINDS), "hanging"]


class Soak:
    """All parts against one server; each says what is wrong."""

    def __init__(self, command: str, loop: str, scale: int, settle: float) -> None:
        self._command = command
        self._loop = loop
        self._scale = scale
        self._settle = settle

    def run(self, wanted: list[str]) -> list[str]:
        """Run the wanted parts and print what comes of them; the names of those that failed."""
        failed = [name for name in ("rss",) if name in wanted and self._fails(name, self._rss)]
        if kinds := [kind for kind in KINDS if kind.name in wanted]:
            with running(self._command, "soak:app", loop=self._loop, access_log=True) as server:  # what a log holds must go, too
                for kind in kinds:
                    if self._fails(kind.name, lambda kind=kind: self._kind(server, kind)):
                        failed.append(kind.name)
                        server.check_alive(FAILED_PATIENCE)
        return failed + [name for name in ("hanging",) if name in wanted and self._fails(name, self._hanging)]

    def _fails(self, name: str, part: Callable[[], Iterator[str]]) -> bool:
        print(f"{name}:", flush=True)
        begin, failed = time.monotonic(), False
        try:
            for fault in part():
                print(f"  FAILED {fault}")
                failed = True
        except (WrongAnswer, OSError) as error:
            print(f"  FAILED {type(error).__name__}: {error}")
            failed = True
        print(f"  {time.monotonic() - begin:.1f} s", flush=True)
        return failed

    def _rss(self) -> Iterator[str]:
        """The bare app, kept connections, no access log."""
        get, tenth = KINDS[0], RSS_REQUESTS // 10 // self._scale
        with running(self._command, "bare:app", loop=self._loop) as server:
            made = get.make(server.address, tenth)
            early = server.resident_bytes()
            for _ in range(9):
                made += get.make(server.address, tenth)
            grown = server.resident_bytes() - early
        print(f"  {early >> 10} KiB resident after a tenth of {made} requests, {grown / 1024:+.0f} KiB at the end")
        if grown > RSS_ALLOWED:
            yield f"resident memory grew by {grown} bytes, allowed {RSS_ALLOWED}"

    def _kind(self, server: Measured, kind: Kind) -> Iterator[str]:
        kind.make(server.address, WARM_UP)
        grown = self._growth(server, kind)
        if grown:  # what comes once is a cache that fills; what leaks comes again
            grown = {name: number for name, number in self._growth(server, kind).items() if name in grown}
        for name, number in grown.items():
            yield f"{name} grew by {number}"

    def _growth(self, server: Measured, kind: Kind) -> dict[str, int]:
        before = counts(server.address)
        made, count = 0, KIND_REQUESTS // self._scale
        for done in range(0, count, BATCH):
            made += kind.make(server.address, min(BATCH, count - done))
            server.forget_output()
        print(f"  {made} requests")
        return settled_growth(server.address, before, self._settle)

    def _hanging(self) -> Iterator[str]:
        with running(self._command, "soak:app", loop=self._loop) as server:
            KINDS[0].make(server.address, WARM_UP)
            before = counts(server.address)
            outcome = hang(server.address, server.resident_bytes, self._scale, HANG_SECONDS if self._scale == 1 else SHORT_HANG_SECONDS)
            release(server.address)
            left = settled_growth(server.address, before, self._settle, ("descriptors", "tasks", "threads"))
        print(
            f"  {outcome.clients} clients hung; {outcome.served} others were served, the slowest in {outcome.latency * 1000:.0f} ms; "
            f"resident memory grew by {outcome.grown >> 10} KiB (allowed {outcome.allowed >> 10} KiB)"
        )
        yield from outcome.faults
        for name, number in left.items():
            yield f"after they left: {name} grew by {number}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = ", ".join(COMMANDS)
    parser.add_argument("--candidate", default="bridge", help=f"one of {known}, or a command with {{app}} and {{port}} in it")
    parser.add_argument("--loop", default="uvloop", choices=["uvloop", "asyncio"])
    parser.add_argument("--scale", type=int, default=1, help="by how much less is done of everything")
    parser.add_argument("--settle", type=float, default=10.0, help="seconds in which what is merely late may go")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"may be given several times: {', '.join(PARTS)}")
    options = parser.parse_args()
    allow_descriptors()
    try:
        failed = Soak(options.candidate, options.loop, options.scale, options.settle).run(options.only or PARTS)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"soak on {options.loop}: {'failed: ' + ', '.join(failed) if failed else 'passed'}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
