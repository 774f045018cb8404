"""Starts a server on a free port for a test, in a process group of its own, and ends it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMANDS: dict[str, str] = {
    "uvicorn-h11": "-m uvicorn --http h11 --host 127.0.0.1 --port {port} {app}",
    "uvicorn-httptools": "-m uvicorn --http httptools --host 127.0.0.1 --port {port} {app}",
    "granian": "-m granian --interface asgi --host 127.0.0.1 --port {port} {app}",
    "hypercorn": "-m hypercorn --bind 127.0.0.1:{port} {app}",
    "daphne": "-m daphne --bind 127.0.0.1 --port {port} {app}",
    "gunicorn": "-m gunicorn --worker-class asgi --bind 127.0.0.1:{port} {app}",
}

OBSERVER = Path(__file__).parents[1] / "observer"


@dataclass
class Served:
    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def wait_until_ready(self, limit: float = 20) -> None:
        give_up = time.monotonic() + limit
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > give_up:
                    raise AssertionError(f"not ready: {self.log.read_text()}") from None
                time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    server: str, app: str, folder: Path, *, environment: Mapping[str, str] | None = None, path: tuple[Path, ...] = (), options: str = ""
) -> Iterator[Served]:
    """The server with the app; `folder` is its working directory and keeps its log. Not yet ready."""
    port = free_port()
    command = [sys.executable, *COMMANDS[server].format(port=port, app=app).split(), *options.split()]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("BRIDGECHECK_")}
    variables |= {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}
    log = folder / "log"
    with open(log, "wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=output, start_new_session=True)
    try:
        yield Served(port, process, log)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait(10)


def observed(app: str, trace: Path, factory: bool = False) -> dict[str, str]:
    """The environment in which bridgecheck_observer:app observes an app."""
    return {"BRIDGECHECK_APP": app, "BRIDGECHECK_TRACE": str(trace)} | ({"BRIDGECHECK_FACTORY": "1"} if factory else {})
