"""Autobahn's cases played to targets, which have a start of their own: all cases one, and one more where a server ends.

Owns these targets and the processes that kosoku runs in, while it plays. Every case ends: by itself, by the clock, or with its process.
Knows nothing of facts or differences.
"""

import importlib.util
import json
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from fnmatch import fnmatchcase
from typing import Any

from ..errors import BridgecheckError, UsageError
from ..targets import processes
from ..targets.interpreter import last_lines
from ..targets.target import Target, start_all, stop_all
from .case import ERROR, KEY, NO_END, RUNNING

HOW_TO_GET_IT = "pip install 'kosoku>=0.1'"
AT_ONCE = 2  # cases side by side on each target; more would be late where Autobahn looks at the clock
CASE_SECONDS = 20.0  # that a case may take; the longest but for those below takes two
LONG = ("9.", "12.", "13.")  # megabytes, and thousands of messages: ten seconds on a machine with nothing else to do
LONG_SECONDS = 300.0
GRACE_SECONDS = 10.0  # that its process has to say so
DEATHS_MAX, NO_ENDS_MAX = 3, 10  # of one target, after which what is left is not played

Outcome = dict[str, Any]
Observation = dict[str, Outcome]  # with the one key "autobahn"
Progress = Callable[[int], object]  # cases that are over on all targets


def available() -> bool:
    """Whether kosoku is installed beside us."""
    return importlib.util.find_spec("kosoku") is not None


def _command(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", f"{__package__}.runner", *words]


def cases(patterns: Sequence[str] = ()) -> dict[str, str]:
    """What each case is about, by its number, of those that are named or fit a pattern such as `7.*`; all where there is none."""
    if not available():
        raise UsageError(f"Autobahn's cases are run by kosoku, which is not installed: {HOW_TO_GET_IT}")
    done = subprocess.run(_command("list"), capture_output=True)
    if done.returncode:
        raise BridgecheckError("\n".join(["kosoku cannot tell Autobahn's cases:", *last_lines(done.stderr)]))
    known = {line["case"]: line["about"] for line in map(json.loads, done.stdout.splitlines())}
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UsageError(f"no case of Autobahn's is called {pattern}: they are numbered 1.1.1 to {list(known)[-1]}")
    return {name: about for name, about in known.items() if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)}


def play(names: Sequence[str], targets: Sequence[Target], progress: Progress | None = None) -> list[tuple[Observation, ...] | None]:
    """Per case what was observed on each target, or None where one had ended too often. `targets` are patterns, and not touched."""
    # Without the observer: these are messages by the gigabyte, of which it would keep a part each.
    sides = [_Side(target.anew((), {}, start_timeout=target.start_timeout, observed=False)) for target in targets]
    try:
        start_all([side.target for side in sides])
        with ThreadPoolExecutor(len(sides)) as pool:
            running = [pool.submit(side.play, names) for side in sides]
            try:
                while wait(running, timeout=0.1).not_done:
                    if progress:
                        progress(min(len(side.found) for side in sides))
                    if any(future.done() and future.exception() for future in running):
                        break
            finally:
                for side in sides:
                    side.cancel()
        for future in running:
            future.result()
    finally:
        stop_all([side.target for side in sides])
    return [tuple({KEY: side.found[name]} for side in sides) if all(name in side.found for side in sides) else None for name in names]


class _Side:
    """All cases on one target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.found: dict[str, Outcome] = {}
        self.deaths = self.no_ends = 0
        self._runner: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()  # of _runner and _cancelled
        self._cancelled = False

    def cancel(self) -> None:
        """From another thread: play() comes to its end at once. Does nothing where it has."""
        with self._lock:
            self._cancelled = True
            if self._runner is not None:
                self._runner.kill()

    def play(self, names: Sequence[str]) -> None:
        """Where the server or the runner ends among cases side by side, those that had not ended are played one by one, so that it is known
        which one does it."""
        left, width = list(names), AT_ONCE
        while left and not self._over():
            under_way = self._run(left, width)
            story = self.target.died()
            if under_way and (width == 1 or len(left) == 1):
                self._ended(under_way[-1], story)
            left = [name for name in left if name not in self.found]
            width = 1
            if story is not None:
                self.deaths += 1
                if left and not self._over():
                    self.target.restart()

    def _over(self) -> bool:
        return self._cancelled or self.deaths > DEATHS_MAX or self.no_ends > NO_ENDS_MAX

    def _died(self) -> bool:
        """Whether the server has ended, though the news of that is still on its way."""
        if processes.ending(self.target.pid):
            self.target.wait_ended(GRACE_SECONDS)
        return self.target.died() is not None

    def _ended(self, name: str, story: str | None) -> None:
        """What is known of a case that did not end by itself; `story` tells how the server ended, if it did."""
        self.no_ends += story is None
        server = RUNNING if story is None else story.partition("\n")[0]
        result = [f"It did not end within {_seconds(name):g} s." if story is None else f"The server ended: {server}."]
        self.found[name] = {
            **{"case": name, "behavior": NO_END, "close": NO_END, "code": None},
            **{"result": result, "frames": [], "server": server},
        }

    def _run(self, names: Sequence[str], width: int) -> list[str]:
        """Play cases until all are over, or the server or the runner has ended. Gives those that were under way then."""
        url = f"ws://{self.target.host}:{self.target.port}"
        under_way: list[str] = []
        last = ""
        with tempfile.TemporaryFile() as errors:
            with self._lock:
                if self._cancelled:
                    return []
                command = _command("play", url, str(width), *(f"{name}={_seconds(name)}" for name in names))
                self._runner = runner = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
            try:
                for line in _lines(runner, max(map(_seconds, names)) + GRACE_SECONDS):
                    said = json.loads(line)
                    last = last or said["begins"]
                    if "begins" in said:
                        under_way.append(said["begins"])
                        continue
                    if self._died():
                        break  # what this one came to says nothing
                    last = said["case"]
                    under_way.remove(last)
                    if "timeout" in said:
                        self._ended(last, None)
                    else:
                        self.no_ends += said["behavior"] == ERROR
                        self.found[last] = said | {"server": RUNNING}
                    if self._over():
                        return []
            finally:
                with self._lock:
                    self._runner = None
                    runner.kill()
                runner.wait()
                assert runner.stdout is not None
                runner.stdout.close()
            if self._cancelled:
                return []
            if not last:
                errors.seek(0)
                raise BridgecheckError("\n".join(["kosoku does not run:", *last_lines(errors.read())]))
        if self._died() and not under_way:  # it did so when the last one was over
            self.found.pop(last, None)
            return [last]
        return under_way


def _seconds(name: str) -> float:
    """That a case may take."""
    return LONG_SECONDS if name.startswith(LONG) else CASE_SECONDS


def _lines(runner: subprocess.Popen[bytes], silence: float) -> Iterator[bytes]:
    """What it writes, until it ends or nothing came for so long."""
    assert runner.stdout is not None
    descriptor = runner.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    rest = b""
    while poll.poll(silence * 1000):
        data = runner.stdout.read1(1 << 16)  # type: ignore[attr-defined]
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
