"""python -m bridgecheck.conformance.selftest.wrong MUTATION SERVER APP HOST PORT WORKDIR [OPTION…]: a server that is wrong in this one way.

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
from collections.abc import Sequence

from .. import adapters
from ..adapters import Start
from ..targets.server import parse_server
from .mutation import MUTATIONS, function_of
from .wire import Proxy
from .wrapper import APP, NAME
from .wrapper import __name__ as WRAPPER

READY = 30.0  # seconds until the server must listen


def main(name: str, given: str, app: str, host: str, port: int, workdir: str, options: Sequence[str]) -> None:
    server = parse_server(given)
    adapter = adapters.load(server.name)
    mutation, function = MUTATIONS[name], function_of(name)
    wire = mutation.wire
    if function:
        os.environ |= {NAME: function, APP: app}
        app = f"{WRAPPER}:app"
    asked = () if mutation.forgets_options else adapter.options(options, server.template)
    own_port = port if wire is None else _free_port(host)
    start = Start(sys.executable, app, host, own_port, workdir, (*server.options, *asked), server.template)
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
    name, given, app, host, port, workdir, *options = sys.argv[1:]
    main(name, given, app, host, int(port), workdir, options)
