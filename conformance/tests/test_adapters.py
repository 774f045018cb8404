"""Each adapter against its real server: it starts, serves through the observer, says what it comes to, stops, and leaves nothing."""

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from bridgecheck.conformance import adapters
from bridgecheck.conformance.adapters import Start
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.target import App, Target

from .watched import get, pids, running, until

APP = App("served:app", app_dir=str(Path(__file__).parent))
TEMPLATE = "{python} -m uvicorn {app} --host {host} --port {port}"


def target(server: str, **keywords: str) -> Target:
    return Target("candidate", parse_server(server), APP, python=sys.executable, **keywords)


def command(server: str) -> list[str]:
    parsed = parse_server(server)
    start = Start("/venv/bin/python", "module:app", "127.0.0.1", 8123, "/work", parsed.options, parsed.template)
    return adapters.load(parsed.name).command(start)


@pytest.mark.parametrize("server", [*adapters.names(), "uvicorn:workers=2", "granian:workers=2", TEMPLATE])
def test_it_serves_through_the_observer_and_leaves_nothing(server: str) -> None:
    started = target(server)
    started.start()
    try:
        assert get(started, "/hello") == "hello"
        assert started.died() is None
        assert started.folder is not None
        folder, family = started.folder, pids(started.pid)
        traced = [int(path.name.partition("-")[0]) for path in (folder / "trace").iterdir()]
        assert traced and set(traced) <= set(family)
    finally:
        started.stop()
    assert running(family) == []
    assert not folder.exists()


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("uvicorn", {"http": "httptools", "loop": "uvloop", "ws": "websockets-sansio"}),
        ("uvicorn:http=h11,loop=asyncio,ws=wsproto", {"http": "h11", "loop": "asyncio", "ws": "wsproto"}),
        ("uvicorn:ws=none", {"http": "httptools", "loop": "uvloop", "ws": "none"}),
        ("granian", {"http": "auto", "interface": "asgi", "loop": "uvloop", "ws": "on"}),
        ("granian:loop=asyncio,http=1,no-ws", {"http": "1", "interface": "asgi", "loop": "asyncio", "ws": "off"}),
        ("hypercorn", {"loop": "asyncio"}),
        ("hypercorn:worker-class=uvloop", {"loop": "uvloop"}),
        ("daphne", {"loop": "asyncio"}),
        ("gunicorn", {"worker": "asgi", "http": "python", "loop": "uvloop"}),
        ("gunicorn:asgi-loop=asyncio", {"worker": "asgi", "http": "python", "loop": "asyncio"}),
        (TEMPLATE, {}),
    ],
)
def test_the_installation_says_what_it_comes_to(server: str, expected: dict[str, str]) -> None:
    described = target(server).describe()
    assert described["name"] == "candidate" and described["given"] == server
    assert described["resolved"] == expected
    assert described["versions"]["python"] == sys.version.partition(" ")[0]
    assert described["versions"]["starlette"] == version("starlette")
    if server != TEMPLATE:
        name = server.partition(":")[0]
        assert described["versions"][name] == version(name)


def test_a_variable_that_a_server_reads_counts_as_an_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UVICORN_HTTP", "h11")
    monkeypatch.setenv("GRANIAN_LOOP", "asyncio")
    assert target("uvicorn").describe()["resolved"]["http"] == "h11"
    assert target("granian").describe()["resolved"]["loop"] == "asyncio"


def test_an_option_that_the_server_does_not_have_is_reported_as_it_says() -> None:
    assert "No such option" in target("uvicorn:no-such-option=1").describe()["resolved"]["unknown"]


def test_options_are_the_servers_own_long_options_and_come_last() -> None:
    assert command("uvicorn:http=h11,no-access-log") == [
        *("/venv/bin/python", "-m", "uvicorn", "module:app", "--host", "127.0.0.1", "--port", "8123"),
        *("--http", "h11", "--no-access-log"),
    ]
    for name in adapters.names():
        words = command(f"{name}:some-key=some value,flag".replace(" ", ""))
        assert words[words.index("--some-key") :][:3] == ["--some-key", "somevalue", "--flag"]
        assert "module:app" in words and any("8123" in word for word in words)


def test_a_template_is_filled_word_by_word() -> None:
    words = command("serve --config '{{\"a\": 1}}' '{workdir}/with space' {python} {app} {host}:{port}")
    assert words[1:] == ["--config", '{"a": 1}', "/work/with space", "/venv/bin/python", "module:app", "127.0.0.1:8123"]


def test_gunicorns_control_socket_is_not_in_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    started = target("gunicorn")
    started.start()
    try:
        assert started.folder is not None
        assert until((started.folder / "work" / "gunicorn.ctl").exists)
        assert list(tmp_path.iterdir()) == []
    finally:
        started.stop()


MINE = """
from bridgecheck.conformance.adapters import Adapter, Start


class Mine(Adapter):
    module = "uvicorn"
    packages = ("uvicorn",)

    def arguments(self, start: Start) -> list[str]:
        return [start.app, "--port", str(start.port), *start.long_options()]

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        return {"http": arguments[-1]}
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose files are adapters too."""
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(tmp_path)])
    adapters.names.cache_clear()
    yield tmp_path
    adapters.names.cache_clear()
    sys.modules.pop(f"{adapters.__name__}.mine", None)


def test_a_file_in_the_folder_is_a_server(shelf: Path) -> None:
    (shelf / "mine.py").write_text(MINE)
    started = target("mine:http=h11")
    started.start()
    try:
        assert get(started, "/hello") == "hello"
    finally:
        started.stop()
    described = started.describe()
    assert described["resolved"] == {"http": "h11"}
    assert set(described["versions"]) == {"python", "uvicorn", "fastapi", "starlette"}
    assert adapters.names() == ("bridge", "daphne", "granian", "gunicorn", "hypercorn", "mine", "uvicorn")
