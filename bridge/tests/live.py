"""Runs real servers for tests, uvicorn and the bridge alike, and talks to them over plain sockets.

Knows how both are started, what their lines and bytes look like, and what of them differs from run to run; nothing of what a test wants
to see. The apps are those of apps/, which say by /notes and /go (apps/usual.py) what they saw and wait for.
"""

import functools
import itertools
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

APPS = Path(__file__).parent / "apps"
PATIENCE = 20.0
MODULES = {"uvicorn": "uvicorn", "bridge": "bridgecheck.bridge"}
LOOPS = ("uvloop", "asyncio")
TARGETS = [f"{server}-{loop}" for server in MODULES for loop in LOOPS]
RUNNING = "Uvicorn running on"

_keys = itertools.count(1)


def wait_until(condition: Callable[[], Any], what: str = "it", patience: float = PATIENCE) -> Any:
    """The first true value of the condition."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} has not come true within {patience} s"
        time.sleep(0.005)
    return found


def wait_while_it_moves(value: Callable[[], Any], still: float = 0.3) -> Any:
    """What the value is when it has not changed for a while."""
    last, since = value(), time.monotonic()
    deadline = since + PATIENCE
    while time.monotonic() - since < still:
        assert time.monotonic() < deadline, f"moves for ever: {last}"
        time.sleep(0.02)
        if (now := value()) != last:
            last, since = now, time.monotonic()
    return last


def masked(text: bytes) -> bytes:
    """Bytes of responses without what tells the servers apart: the server's name, the date."""
    text = re.sub(rb"(?m)^server: (uvicorn|bridgecheck)\r$", b"server: NAME\r", text)
    return re.sub(rb"(?m)^date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r$", b"date: NOW\r", text)


def said(text: str) -> list[str]:
    """Lines of a server without what differs from run to run: process ids, ports, and the frames of tracebacks."""
    text = re.sub(r"(process \[(?:\x1b\[36m)?)\d+", r"\1PID", text)
    text = re.sub(r"((?:127\.0\.0\.1|::1\]?):)\d+", r"\1PORT", text)
    text = re.sub(r"(\('(?:127\.0\.0\.1|::1)', )\d+", r"\1PORT", text)
    return [line for line in text.splitlines() if not re.match(r"( *+\| )? {2,}+[^+|]", line)]


@dataclass
class Response:
    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    raw: bytes
    interim: list[int] = field(default_factory=list)

    def __getitem__(self, name: bytes) -> bytes:
        """The value of the one field of this name."""
        (value,) = [value for other, value in self.fields if other == name]
        return value

    def __contains__(self, name: bytes) -> bool:
        return any(name == other for other, _ in self.fields)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection. Reads give up after PATIENCE."""

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(PATIENCE)
        with suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self.unread = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> Self:
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def get(self, path: str, *fields: str, method: str = "GET") -> Self:
        return self.send(request(path, *fields, method=method))

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def is_silent(self, seconds: float) -> bool:
        """Whether neither bytes nor an end come in this time."""
        return not self.unread and not select.select([self.socket], [], [], seconds)[0]

    def rest(self) -> bytes:
        """All that comes until the server closes; what a reset cuts off is left out."""
        found = [bytes(self.unread)]
        self.unread.clear()
        with suppress(ConnectionResetError):
            while piece := self.socket.recv(1 << 18):
                found.append(piece)
        return b"".join(found)

    def is_closed(self) -> bool:
        """Waits for the server's end, and says whether it comes without a further byte."""
        return self.rest() == b""

    def line_after(self, start: int, end: bytes) -> int:
        """The place behind the next END at or behind START; reads until there is one."""
        while (at := self.unread.find(end, start)) < 0:
            self._read()
        return at + len(end)

    def response(self, method: str = "GET") -> Response:
        """The next response, which may come in chunks, with a length or until the end."""
        interim = []
        while True:
            end = self.line_after(0, b"\r\n\r\n")
            head = bytes(self.unread[:end])
            lines = head[:-4].split(b"\r\n")
            status = int(lines[0].split(b" ", 2)[1])
            if status >= 200:
                break
            interim.append(status)
            del self.unread[:end]
        fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines[1:])]
        names = dict(fields)
        body = b""
        if method == "HEAD" or status in (204, 304):
            pass
        elif b"content-length" in names:
            size = int(names[b"content-length"])
            while len(self.unread) < end + size:
                self._read()
            body, end = bytes(self.unread[end : end + size]), end + size
        elif names.get(b"transfer-encoding") == b"chunked":
            pieces = []
            while True:
                line = self.line_after(end, b"\r\n")
                size = int(self.unread[end : line - 2], 16)
                while len(self.unread) < line + size + 2:
                    self._read()
                pieces.append(self.unread[line : line + size])
                end = line + size + 2
                if size == 0:
                    break
            body = b"".join(pieces)
        else:
            self.unread += self.rest()
            body, end = bytes(self.unread[end:]), len(self.unread)
        raw = bytes(self.unread[:end])
        del self.unread[:end]
        return Response(status, fields, body, raw, interim)

    def _read(self) -> None:
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise EOFError(f"the server closed after {bytes(self.unread[-200:])!r}")
        self.unread += piece


def request(path: str, *fields: str, method: str = "GET", body: bytes | None = None, version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: a", *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class Server:
    """One server process, from its start. TARGET is one of TARGETS; options are those that both servers have."""

    def __init__(self, target: str, app: str, *options: str, environment: Mapping[str, str] | None = None) -> None:
        self.target = target
        name, loop = target.split("-")
        self._folder = tempfile.TemporaryDirectory(prefix="bridge-live-")
        self.folder = Path(self._folder.name)
        self.uds = options[options.index("--uds") + 1] if "--uds" in options else None
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("UVICORN_", "FORWARDED_", "BRIDGECHECK_"))}
        self.is_quiet = not {"warning", "error", "critical"}.isdisjoint(options)
        where = [] if self.uds else ["--port", str(free_port() if self.is_quiet else 0)]
        if self.is_quiet:
            self.address = "127.0.0.1", int(where[1])
        command = [sys.executable, "-m", MODULES[name], app, "--app-dir", str(APPS), "--loop", loop, *where, *options]
        with (self.folder / "stdout").open("wb") as stdout, (self.folder / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=variables | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def until(self, text: str, where: str = "stderr") -> Self:
        """Waits until the server has said so."""

        def said() -> bool:
            if text in getattr(self, where):
                return True
            assert self.process.poll() is None or text in getattr(self, where), f"ended without {text!r}:\n{self.stderr}"
            return False

        wait_until(said, f"{text!r} of {self.target}")
        return self

    def until_it_listens(self) -> Self:
        """Where it does not say so by itself, too."""
        if not self.is_quiet:
            return self.until(RUNNING)

        def listens() -> bool:
            with suppress(OSError):
                self.connect().socket.close()
                return True
            assert self.process.poll() is None, self.stderr
            return False

        wait_until(listens, f"listening of {self.target}")
        return self

    @functools.cached_property
    def address(self) -> tuple[str, int]:
        self.until(RUNNING)
        host, port = re.findall(RUNNING + r".*http://(.*):(\d+)", self.stderr)[0]
        return host.strip("[]"), int(port)

    def connect(self, receive_buffer: int | None = None) -> Client:
        address: Any = str(self.folder / self.uds) if self.uds else self.address
        family = socket.AF_UNIX if self.uds else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        connected = socket.socket(family)
        if receive_buffer is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connected.settimeout(PATIENCE)
        connected.connect(address)
        return Client(connected)

    def ask(self, path: str, *fields: str, method: str = "GET") -> Response:
        """One request on a connection of its own."""
        with self.connect() as client:
            return client.get(path, *fields, method=method).response(method)

    # What apps/usual.py offers.

    def notes(self, key: str) -> list[Any]:
        """What this call of the app has noted so far; "over" comes last, when it has ended."""
        return self.ask(f"/notes/{key}").json

    def noted(self, key: str, note: Any) -> list[Any]:
        return wait_until(lambda: note in (notes := self.notes(key)) and notes, f"{note!r} of {self.target}")

    def outcome(self, key: str) -> list[Any]:
        """What the call has noted, when it has ended."""
        return self.noted(key, "over")[:-1]

    def go(self, key: str) -> None:
        """Lets the call go on where it waits for it."""
        assert self.ask(f"/go/{key}").status == 200

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code, when it ends."""
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def skip_where_freed_memory_is_kept() -> None:
    """The address sanitizer does so; a bound on resident memory means nothing there."""
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the address sanitizer keeps what is freed")


def resident(server: Server) -> int:
    """Bytes of memory."""
    skip_where_freed_memory_is_kept()
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def key() -> str:
    """A new name for a call of the app."""
    return f"k{next(_keys)}"


def signals_as_from_a_terminal() -> None:
    """A shell ignores SIGINT for what runs in the background, and so would what is started from there."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def running(
    app: str, *options: str, targets: list[str] | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[list[Server]]:
    """These targets, uvicorn and the bridge on uvloop by default, started at the same time."""
    signals_as_from_a_terminal()
    chosen = targets or ["uvicorn-uvloop", "bridge-uvloop"]
    servers = [Server(target, app, *options, environment=environment) for target in chosen]
    try:
        yield servers
    finally:
        for server in servers:
            server.close()


def on_each(servers: list[Server], script: Callable[[Server], Any]) -> list[Any]:
    """What the script comes to with each, at the same time."""
    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(script, servers))


@functools.cache
def usual() -> dict[str, Server]:
    """Each target with apps/usual.py, for all tests of a run."""
    started = {target: Server(target, "usual:app") for target in TARGETS}
    for server in started.values():
        server.until(RUNNING)
    return started


# Fixtures, for a test file to import (they need no conftest.py that all would share).


@pytest.fixture(name="server", params=TARGETS)
def server_fixture(request: pytest.FixtureRequest) -> Server:
    """A test with this fixture says what holds for both servers, on both loops."""
    return usual()[request.param]


@pytest.fixture(name="bridge", params=LOOPS)
def bridge_fixture(request: pytest.FixtureRequest) -> Server:
    """What holds for the bridge alone, on both loops."""
    return usual()[f"bridge-{request.param}"]


@pytest.fixture(name="servers")
def servers_fixture() -> dict[str, Server]:
    """All of them, to be held against each other."""
    return usual()


@pytest.fixture(scope="package", autouse=True)
def _end_of_usual() -> Iterator[None]:
    """They end with the tests of this folder: tests elsewhere count the processes that are there."""
    yield
    if usual.cache_info().currsize:
        for server in usual().values():
            server.close()
        usual.cache_clear()
