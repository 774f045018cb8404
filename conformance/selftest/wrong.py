"""python -m bridgecheck.conformance.selftest.wrong MUTATION SERVER APP HOST PORT WORKDIR: a server that is wrong in this one way.

Owns the server's process where a proxy stands before it. Knows servers by their adapters only.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from .. import adapters
from ..adapters import Start
from ..server import parse_server
from . import events
from .mutation import MUTATIONS
from .wire import Proxy

READY = 30.0  # seconds until the server must listen


def main(name: str, given: str, app: str, host: str, port: int, workdir: str) -> None:
    server = parse_server(given)
    adapter = adapters.load(server.name)
    wire = MUTATIONS[name].wire
    if wire is None:
        os.environ |= {events.NAME: name, events.APP: app}
        app = f"{events.__name__}:app"
    start = Start(sys.executable, app, host, port if wire is None else _free_port(host), workdir, server.options, server.template)
    os.environ |= adapter.environment(start)
    command = adapter.command(start)
    if wire is None:
        os.execv(command[0], command)
    process = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _wait(process, host, start.port)
        asyncio.run(Proxy(wire, host, start.port).serve(port))
    finally:
        process.terminate()
        process.wait()


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", host: str, port: int) -> None:
    deadline = time.monotonic() + READY
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection((host, port), timeout=1).close()
            return
        time.sleep(0.02)
    sys.exit(f"the server behind the proxy does not listen: {process.args}")


if __name__ == "__main__":
    name, given, app, host, port, workdir = sys.argv[1:]
    main(name, given, app, host, int(port), workdir)
