"""For the tests of targets: a request, and a look at processes from outside."""

import http.client
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridgecheck.conformance.targets import processes
from bridgecheck.conformance.targets.target import Target


def get(target: Target, path: str) -> str:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=20)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def pids(leader: int) -> list[int]:
    return [process.pid for process in processes.family(leader)]


def running(found: list[int]) -> list[int]:
    """Those that exist and are no zombies."""
    return [pid for pid in found if (stat := _stat(pid)) and stat.rpartition(")")[2].split()[0] != "Z"]


def _stat(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer; the last one if none comes in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return answer
