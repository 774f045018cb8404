"""A run from first to last line, held against uvicorn's: the same app, options, clients and signals; the same lines and exit code."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop

from bridgecheck.bridge import _bridge, faces, server
from bridgecheck.bridge.lifespan import Lifespan
from bridgecheck.bridge.logs import log_access
from bridgecheck.bridge.options import Options

from .lines import recorded

HERE = Path(__file__).parent
RUNNING = "Uvicorn running on"
TIMEOUT = 20


class Run:
    """One server process, what it has said so far, and the clients it has."""

    def __init__(self, module: str, arguments: list[str], folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "served.py").touch()  # not the one that is meant: --app-dir comes before the current folder
        self.folder = folder
        self.said = folder / "stderr"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("UVICORN_")}
        with self.said.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *module.split(), *arguments, "--app-dir", str(HERE)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def until(self, text: str) -> None:
        deadline = time.monotonic() + TIMEOUT
        while text not in self.said.read_text():
            assert time.monotonic() < deadline and self.process.poll() is None, f"no {text!r} in:\n{self.said.read_text()}"
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def connect(self) -> socket.socket:
        port = re.search(r"http://127.0.0.1:(\d+)", self.said.read_text())
        assert port
        return socket.create_connection(("127.0.0.1", int(port[1])), timeout=TIMEOUT)

    def request(self) -> socket.socket:
        client = self.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return client

    def lines(self) -> list[str]:
        """Log lines and the app's, and the last one of a traceback, without what differs from run to run."""
        text = re.sub(r"(process \[(\x1b\[36m)?)\d+", r"\1PID", self.said.read_text())
        text = re.sub(r"(127.0.0.1|localhost):\d+", r"\1:PORT", text)
        lines = [line for line in text.splitlines() if re.match(r"(\x1b\[\d+m)?[A-Z]+\b|\w+(Error|Exception|Interrupt)\b", line)]
        finished = [number for number, line in enumerate(lines) if "Finished" in line] or [len(lines)]
        return lines[: finished[0] + 1] + sorted(lines[finished[0] + 1 :])  # what is left then is cancelled in any order


Outcome = tuple[int, list[str], Any]
Script = Callable[[Run], Any]


def outcome(module: str, arguments: list[str], script: Script, folder: Path) -> Outcome:
    """Exit code, lines, and what the script has found."""
    run = Run(module, arguments, folder / module)
    try:
        found = script(run)
        return run.process.wait(TIMEOUT), run.lines(), found
    finally:
        run.process.kill()
        run.process.wait()


def both(arguments: list[str], script: Script, folder: Path) -> tuple[Outcome, Outcome]:
    """Ours and uvicorn's, at the same time."""
    with ThreadPoolExecutor(2) as pool:
        ours, theirs = (pool.submit(outcome, module, arguments, script, folder) for module in ("bridgecheck.bridge", "uvicorn"))
        return ours.result(), theirs.result()


def end(number: int) -> Callable[[Run], None]:
    def script(run: Run) -> None:
        run.until(RUNNING)
        run.signal(number)

    return script


def only_wait(run: Run) -> None: ...


def end_in_startup(run: Run) -> None:
    run.until("lifespan.startup")
    run.signal(signal.SIGTERM)


def ask(run: Run) -> bool:
    run.until(RUNNING)
    with run.request() as client:
        return comes(client, b"done")


def comes(client: socket.socket, text: bytes) -> bool:
    """Whether the client gets these bytes before its connection ends."""
    pieces = b""
    with contextlib.suppress(ConnectionError):
        while text not in pieces and (piece := client.recv(65536)):
            pieces += piece
    return text in pieces


def end_with_client(*numbers: int) -> Script:
    """Signals while a request is running; whether its client gets the app's last words, and whether another one may still connect."""

    def script(run: Run) -> tuple[bool, bool]:
        run.until(RUNNING)
        with run.request() as client:
            run.until("begun")
            for number in numbers:
                run.signal(number)
                run.until("Waiting for connections to close")
            connected = connects(run)
            return comes(client, b"ended"), connected

    return script


def connects(run: Run) -> bool:
    try:
        run.connect().close()
    except ConnectionRefusedError:
        return False
    return True


def end_with_client_that_leaves(run: Run) -> bool:
    run.until(RUNNING)
    with run.request():
        run.until("begun")
        run.signal(signal.SIGINT)
        run.until("Waiting for connections to close")
        return connects(run)


def idle_client(run: Run) -> bytes:
    """A connection without a request ends with the server."""
    run.until(RUNNING)
    with run.connect() as client:
        time.sleep(0.1)
        run.signal(signal.SIGTERM)
        return client.recv(1)


def end_on_file(number: int) -> Callable[[Run], Any]:
    """How the socket's file looks while the server runs; whether it is there afterwards."""

    def script(run: Run) -> Any:
        run.until(RUNNING)
        mode = oct((run.folder / "socket").stat().st_mode)
        run.signal(number)
        run.process.wait(TIMEOUT)
        return mode, (run.folder / "socket").exists()

    return script


TERM, INT = signal.SIGTERM, signal.SIGINT
CASES: dict[str, tuple[list[str], Callable[[Run], Any]]] = {
    "SIGTERM": (["served:app"], end(TERM)),
    "SIGINT": (["served:app"], end(INT)),
    "SIGTERM, asyncio": (["served:app", "--loop", "asyncio"], end(TERM)),
    "SIGINT, no loop": (["served:app", "--loop", "none"], end(INT)),
    "SIGTERM in startup": (["served:slow_startup"], end_in_startup),
    "own loop": (["served:app", "--loop", "served:loop"], end(INT)),
    "limit reached": (["served:app", "--limit-max-requests", "1"], ask),
    "limit of nothing": (["served:app", "--limit-max-requests", "0"], only_wait),
    "idle client": (["served:app"], idle_client),
    "client that leaves": (["served:lasting"], end_with_client_that_leaves),
    "client that waits": (["served:lasting"], end_with_client(TERM)),
    "SIGTERM twice": (["served:lasting"], end_with_client(TERM, TERM)),
    "forced": (["served:hanging"], end_with_client(INT, INT)),
    "forced after SIGTERM": (["served:hanging", "--loop", "asyncio"], end_with_client(TERM, INT)),
    "graceful shutdown too long": (["served:hanging", "--timeout-graceful-shutdown", "1"], end_with_client(INT)),
    "lifespan that raises": (["served:raising"], end(INT)),
    "lifespan that raises, on": (["served:raising", "--lifespan", "on"], only_wait),
    "startup failed": (["served:failing_startup"], only_wait),
    "shutdown failed": (["served:failing_shutdown"], end(INT)),
    "factory": (["served:factory", "--factory"], end(TERM)),
    "factory that raises": (["served:faulty_factory"], only_wait),
    "no such app": (["served:nothing"], only_wait),
    "no such name": (["served:app", "--host", "no-such-name.invalid"], only_wait),
    "SIGTERM, on a file": (["served:app", "--uds", "socket"], end_on_file(TERM)),
    "SIGINT, on a file": (["served:app", "--uds", "socket"], end_on_file(INT)),
    "coloured": (["served:app", "--use-colors"], end(INT)),
}


if sys.version_info >= (3, 12):
    # There asyncio's own server waits for its connections in wait_closed(), and uvicorn with it, for ever; the bridge ends.
    del CASES["forced after SIGTERM"]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_run(case: str, tmp_path: Path) -> None:
    arguments, script = CASES[case]
    ours, theirs = both(arguments + ([] if "--uds" in arguments else ["--port", "0"]), script, tmp_path)
    assert ours == theirs
    assert ours[1]  # so that something was compared


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ours, theirs = both(["served:app", "--port", str(listener.getsockname()[1])], only_wait, tmp_path)
    assert ours == theirs
    code, lines, _ = ours
    assert code == 3 and "APP:      lifespan.shutdown" in lines


def test_a_file_in_the_place_of_the_socket_stays(tmp_path: Path) -> None:
    """uvicorn deletes it, shows a traceback and leaves the app without its shutdown."""
    mine = tmp_path / "mine"
    mine.write_text("mine")
    code, lines, _ = outcome("bridgecheck.bridge", ["served:app", "--uds", str(mine)], only_wait, tmp_path)
    assert mine.read_text() == "mine"
    assert code == 3
    assert (
        f"ERROR:    [Errno 98] Address {str(mine)!r} is already in use" in lines and lines[-1] == "INFO:     Application shutdown complete."
    )


@pytest.mark.parametrize(("app", "code"), [("served:nothing", 3), ("served:faulty_factory", 1), ("served:failing_startup", 3)])
def test_bridgecheck_serve_ends_like_the_server_alone(app: str, code: int, tmp_path: Path) -> None:
    found = [outcome(module, [app, "--port", "0"], only_wait, tmp_path) for module in ("bridgecheck serve", "bridgecheck.bridge")]
    assert found[0] == found[1] and found[0][0] == code


HEADERS: list[tuple[tuple[str, str], ...]] = [
    (),
    (("X-A", " b"), ("x-a", "c")),
    (("SERVER", "mine"),),
    (("server", ""), ("Date", "never")),
    (("latin", "\xe9"),),
]


@pytest.mark.parametrize("server_header", [True, False])
@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_default_fields(headers: tuple[tuple[str, str], ...], server_header: bool) -> None:
    config = uvicorn.Config(native, headers=list(headers), server_header=server_header, log_config=None)
    config.load()
    expected = [(name, b"bridgecheck" if (name, value) == (b"server", b"uvicorn") else value) for name, value in config.encoded_headers]
    assert server.default_fields(Options(app="a:b", headers=headers, server_header=server_header)) == expected


def test_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("auto", "asyncio", "uvloop", "none"):
        assert server.loop_factory(name) == uvicorn.Config("a:b", loop=name, log_config=None).get_loop_factory()  # type: ignore[arg-type]
    assert server.loop_factory("auto") is uvloop.new_event_loop
    assert server.loop_factory("asyncio:SelectorEventLoop") is asyncio.SelectorEventLoop
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert server.loop_factory("auto") is asyncio.SelectorEventLoop


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fast", 'Import string "fast" must be in format "<module>:<attribute>".'),
        ("no_such_module:loop", 'Could not import module "no_such_module".'),
        ("asyncio:fast", 'Attribute "fast" not found in module "asyncio".'),
        ("uvloop", 'Could not import module "uvloop".'),
    ],
)
def test_a_loop_that_cannot_be_found(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # not installed
    with recorded() as lines, pytest.raises(SystemExit) as end:
        server.loop_factory(name)
    assert end.value.code == 3
    assert lines == [("ERROR", f"Error loading custom loop setup function. {said}", None)]
    if name != "uvloop":  # there uvicorn shows a traceback
        with recorded() as theirs, pytest.raises(SystemExit):
            uvicorn.Config("a:b", loop=name, log_config=None).get_loop_factory()
        assert lines == theirs


def native(monkeypatch: pytest.MonkeyPatch, **options: Any) -> dict[str, Any]:
    """What the native server is made with."""

    async def make() -> Any:
        run = server.Server(Options(app="a:b", **options))
        run._lifespan = Lifespan(native, "3.0")
        made: Any = run._make_native(native, "3.0")
        assert made["state"] is run._lifespan.state and made["loop"] is asyncio.get_running_loop()
        return made

    with monkeypatch.context() as patch:
        patch.setattr(_bridge, "Server", dict)
        return asyncio.run(make())


def test_what_the_native_server_is_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    made = native(monkeypatch, root_path="/r", timeout_keep_alive=7, limit_concurrency=3, date_header=False, reset_contextvars=True)
    assert list(made["phrases"]) == list(range(100, 600))
    assert [made["phrases"][status] for status in (200, 404, 299, 599)] == ["OK", "Not Found", "", ""]
    assert (made["logger"].name, made["access_logger"].name) == ("uvicorn.error", "uvicorn.access")
    assert made["app"] is native and made["log_access"] is log_access
    assert (made["faces"], made["unavailable"]) == ((faces.run, faces.receive, faces.send), faces.unavailable)
    assert (
        made.items()
        >= {
            "root_path": "/r",
            "asgi_version": "3.0",
            "default_fields": [(b"server", b"bridgecheck")],
            "date_field": False,
            "timeout_keep_alive": 7,
            "limit_concurrency": 3,
            "reset_context": True,
        }.items()
    )


@pytest.mark.parametrize(
    ("options", "variable", "trusts"),
    [
        ({}, None, ("127.0.0.1", "::1")),
        ({}, "10.0.0.1", ("10.0.0.1",)),
        ({}, "", ()),
        ({"forwarded_allow_ips": "10.0.0.2"}, "10.0.0.1", ("10.0.0.2",)),
        ({"forwarded_allow_ips": ""}, "10.0.0.1", ()),
        ({"forwarded_allow_ips": "*"}, None, ("127.0.0.1", "::1", "10.0.0.1", "10.0.0.2")),
    ],
)
def test_whom_it_trusts(options: dict[str, Any], variable: str | None, trusts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    if variable is not None:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", variable)
    rewrite = native(monkeypatch, **options)["forwarded"]
    assert native(monkeypatch, proxy_headers=False, **options)["forwarded"] is None
    for peer in ("127.0.0.1", "::1", "10.0.0.1", "10.0.0.2"):
        scope = {"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-proto", b"https")]}
        rewrite(scope)
        assert ("scheme" in scope) is (peer in trusts)


def test_jitter() -> None:
    limits = {server.Server(Options(app=None, limit_max_requests=5, limit_max_requests_jitter=2))._max_requests for _ in range(200)}
    assert limits == {5, 6, 7}
    assert server.Server(Options(app=None, limit_max_requests_jitter=2))._max_requests is None


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    run = server.Server(Options(app=app, port=0, limit_max_requests=0))
    before = signal.getsignal(signal.SIGTERM)
    with recorded() as lines, ThreadPoolExecutor(1) as pool:
        pool.submit(run.run).result(TIMEOUT)
    assert run.started and lines[-1][1] == f"Finished server process [{os.getpid()}]"
    assert signal.getsignal(signal.SIGTERM) is before
