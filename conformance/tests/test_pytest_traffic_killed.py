"""What runs of tests leave behind when the pytest that started them is killed: nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SUITE = """
import os, subprocess, time
from pathlib import Path
from starlette.applications import Starlette
from starlette.testclient import TestClient

def test_that_hangs_in_its_second_run():
    TestClient(Starlette()).get("/")
    if Path("ran").exists():
        below = subprocess.Popen(["sleep", "100"], start_new_session=True)
        Path("new").write_text(f"{os.getpid()} {below.pid}")
        Path("new").rename("pids")
        time.sleep(100)
    Path("ran").touch()
"""


def test_a_killed_pytest_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--bridgecheck-candidate", "bridge"]
    with (tmp_path / "output").open("wb") as output:
        whole = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        until(lambda: (tmp_path / "pids").exists() or whole.poll() is not None)
        pids = list(map(int, (tmp_path / "pids").read_text().split()))
        assert whole.pid not in pids and all(map(runs, pids))
    finally:
        whole.send_signal(signal.SIGKILL)
        whole.wait()
    try:
        until(lambda: not any(map(runs, pids)))
    finally:
        for pid in filter(runs, pids):
            os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
