"""What the observer costs: CPU per call of a bare app, called directly and through the observer, in one process.

    python ci/bench_observer.py [--pairs 20] [--calls 4000] [--limit 6.0] [--folder DIR]

The two are interleaved in pairs, so that a noisy machine troubles both alike. A call is what a server makes of a small request: its own
task on a uvloop loop, a scope with eight headers, one receive, two sends; its `settled` two turns later is inside the time. Exits 1 when
the median of the pairs' differences is over the limit.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "spec" / "observer"))

App = Callable[[Any, Any, Any], Awaitable[None]]

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
}
BODY = {"type": "http.response.body", "body": b"Hello, world!"}


async def app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    await send(BODY)


class Cycle:
    """Does what a server's does at the least: is there, with coroutine functions."""

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        pass


def scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 54321),
        "scheme": "http",
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"),
            (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            (b"accept-language", b"en-US,en;q=0.5"),
            (b"accept-encoding", b"gzip, deflate, br"),
            (b"cookie", b"session=0123456789abcdef"),
            (b"content-type", b"application/json"),
            (b"content-length", b"0"),
        ],
        "state": {},
        "method": "GET",
        "path": "/items/1",
        "raw_path": b"/items/1",
        "query_string": b"page=2",
    }


async def measure(asked: App, calls: int) -> float:
    """Microseconds of CPU per call."""
    loop = asyncio.get_running_loop()
    prepared = [(scope(), Cycle()) for _ in range(calls)]
    start = time.process_time()
    for this_scope, cycle in prepared:
        await loop.create_task(asked(this_scope, cycle.receive, cycle.send))  # type: ignore[arg-type]
    for _ in range(3):  # the last calls settle
        await asyncio.sleep(0)
    return (time.process_time() - start) / calls * 1e6


async def compare(observed: App, pairs: int, calls: int) -> tuple[list[float], list[float]]:
    bare, through = [], []
    await measure(app, calls)
    await measure(observed, calls)
    for _ in range(pairs):
        bare.append(await measure(app, calls))
        through.append(await measure(observed, calls))
    return bare, through


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--calls", type=int, default=4000, help="per measurement")
    parser.add_argument("--limit", type=float, default=6.0, help="microseconds of CPU that the observer may cost per call")
    parser.add_argument("--folder", help="where to put the trace, for another file system")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        os.environ.pop("BRIDGECHECK_APP", None)
        from bridgecheck_observer._faces import Observer, Recorder

        observed = Observer(folder, os.path.join(folder, "doorbell")).observe(app)
        bare, through = uvloop.run(compare(observed, options.pairs, options.calls))
        files = list(Path(folder).glob("*.trace"))
        traced = len(files) > 0 and Recorder.__module__.endswith("._recorder")
    costs = sorted(b - a for a, b in zip(bare, through, strict=True))
    cost = statistics.median(costs)
    medians = f"bare {statistics.median(bare):.2f} µs, observed {statistics.median(through):.2f} µs per call"
    print(f"{medians}, {options.pairs} pairs of {options.calls}")
    print(f"the observer: {cost:.2f} µs of CPU per call (from {costs[0]:.2f} to {costs[-1]:.2f}), limit {options.limit:.2f}")
    if not traced:
        print("not measured: the recorder in C is not built, or no trace was written")
        return 1
    return 0 if cost <= options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
