"""For the tests of `bridgecheck record`: a server of a few lines that does what it is told, and the proxy in front of it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from bridgecheck.conformance._player import Exchange, parse

PATIENCE = 20.0

Behaviour = Callable[[socket.socket], object]


@contextmanager
def upstream(behaviour: Behaviour, family: int = socket.AF_INET, address: Any = ("127.0.0.1", 0)) -> Iterator[Any]:
    """Calls `behaviour` with each connection, in a thread of its own, and closes it afterwards; gives the address."""
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen(200)

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(PATIENCE)
                behaviour(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


class Proxy:
    """A running `bridgecheck record`."""

    def __init__(self, process: subprocess.Popen[str], file: Path) -> None:
        self.process = process
        self.file = file
        self.before = ""  # what it said before it listened
        while not (found := re.match(r"recording (\S+) to ", line := process.stderr.readline())):
            if not line:
                raise AssertionError(self.before)
            self.before += line
        self.listen = found[1]

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host, int(port)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, PATIENCE)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """The exit code, and what it said since it began."""
        self.process.send_signal(number)
        said = self.process.stderr.read()
        return self.process.wait(PATIENCE), said

    def exchanges(self) -> list[Exchange]:
        return parse(self.file.read_bytes(), self.file.name)


def command(*options: object) -> list[str]:
    return [sys.executable, "-m", "bridgecheck", "record", *map(str, options)]


@contextmanager
def recording(to: Any, file: Path, *options: str, listen: str = "127.0.0.1:0", **popen: Any) -> Iterator[Proxy]:
    """`to`: the upstream's address, or what --upstream says."""
    where = to if isinstance(to, str) else f"{to[0]}:{to[1]}"
    words = command("--listen", listen, "--upstream", where, "-o", file, *options)
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"}, **popen)
    try:
        yield Proxy(process, file)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        process.stderr.close()


def shop(folder: Path) -> AbstractContextManager[tuple[str, int]]:
    """The demo shop under uvicorn, on a database of its own."""
    return served("bridgecheck.demo.shop:app", SHOP_DATABASE=str(folder / "shop.sqlite"))


@contextmanager
def served(app: str, *options: str, **environment: str) -> Iterator[tuple[str, int]]:
    """An app under uvicorn."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    words = [sys.executable, "-m", "uvicorn", app, *options, "--port", str(address[1]), "--log-level", "critical"]
    process = subprocess.Popen(words, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(address, 1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "uvicorn does not listen"
                time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait(PATIENCE)


def read_all(connection: socket.socket) -> bytes:
    """Up to the FIN. A reset is an error."""
    data = b""
    while piece := connection.recv(1 << 16):
        data += piece
    return data


def read_exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := connection.recv(min(1 << 16, size - len(data)))):
        data += piece
    return data


def sent(exchanges: list[Exchange]) -> bytes:
    return b"".join(data for exchange in exchanges for _, kind, data in exchange.steps if kind == "send")
