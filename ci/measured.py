"""Measured: one server process that a benchmark or a soak asks, from its start to its end.

Owns the command, the port, the folder, the file that takes its output, and what /proc says of its processes. Sends it nothing.
"""

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from bridgecheck.conformance.targets import processes

HOST = "127.0.0.1"
APPS = Path(__file__).parent / "apps"
START_PATIENCE = 30.0  # seconds until it must listen
END_PATIENCE = 10.0  # seconds that it has to stop by itself
FAILED_PATIENCE = 0.5  # seconds in which it may turn out that it has ended
LAST_LINES = 15

# Any other server is a command of this form; `--no-access-log` is put behind it where no access log is wanted.
COMMANDS = {
    "bridge": "{python} -m bridgecheck.bridge {app} --host {host} --port {port} --loop {loop}",
    "uvicorn": "{python} -m uvicorn {app} --host {host} --port {port} --loop {loop} --http httptools",
    "granian": "{python} -m granian {app} --host {host} --port {port} --loop {loop} --interface asgi",
}


class ServerError(Exception):
    """The server did not start, or ended before its time; its own last lines are in the message."""


class Measured:
    """A server that listens on `address`, until the `with` of `running` ends."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: Path) -> None:
        self._process = process
        self.address = (HOST, port)
        self.output = output

    def cpu_seconds(self) -> float:
        """User and system time of all its processes and threads, also of those that have ended."""
        return sum(process.own_seconds + process.waited_seconds for process in processes.family(self._process.pid))

    def resident_bytes(self) -> int:
        return sum(process.resident for process in processes.family(self._process.pid))

    def forget_output(self) -> None:
        """Empty the file of its output, which a million errors would make too long."""
        os.truncate(self.output, 0)

    def check_alive(self, patience: float = 0.0) -> None:
        """Where something failed, with patience: a process that ends closes its sockets first."""
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(patience)
            raise ServerError(f"the server ended with {code}; its last lines:\n{self.last_lines()}")

    def last_lines(self) -> str:
        return "\n".join(self.output.read_text("utf-8", "replace").splitlines()[-LAST_LINES:])

    def wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline:
            self.check_alive()
            try:
                socket.create_connection(self.address, timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise ServerError(f"the server does not listen after {START_PATIENCE:.0f} s; its last lines:\n{self.last_lines()}")

    def end(self) -> None:
        """SIGTERM, some patience, then SIGKILL for its whole group."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@contextmanager
def running(
    command: str, app: str, *, loop: str = "uvloop", access_log: bool = False, core: int | None = None, environment: Mapping[str, str] = {}
) -> Iterator[Measured]:
    """Start `command`, a name of COMMANDS or a command with {app} and {port} in it. {folder} in the environment is a new folder."""
    port = free_port()
    places = {"app": app, "host": HOST, "port": str(port), "python": sys.executable, "loop": loop}
    words = [word.format_map(places) for word in shlex.split(COMMANDS.get(command, command))]
    with tempfile.TemporaryDirectory(prefix="measured-") as folder:
        output = Path(folder) / "output"
        with open(output, "ab") as file:  # appending: what follows a truncation stands at its start
            process = subprocess.Popen(
                [*words, *([] if access_log else ["--no-access-log"])],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, "PYTHONPATH": str(APPS), **{key: value.format(folder=folder) for key, value in environment.items()}},
                preexec_fn=lambda: _before_it_starts(core),
                process_group=0,
            )
        measured = Measured(process, port, output)
        try:
            measured.wait_until_it_listens()
            yield measured
        except Exception:
            measured.check_alive(FAILED_PATIENCE)
            raise
        finally:
            measured.end()


def _before_it_starts(core: int | None) -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it does not outlive who measures it
    if core is not None:
        os.sched_setaffinity(0, {core})


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]
