"""The command's options: uvicorn's names, defaults, variables; and what it refuses before anything starts."""

import sys
import types
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import uvicorn
from click.testing import CliRunner, Result

from bridgecheck.bridge.command import serve
from bridgecheck.bridge.options import Options

UVICORN = sys.modules["uvicorn.main"]  # the package has put its function in the place of the module
Invoke = Callable[..., tuple[Result, Options | None]]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Runs the command with a server that only notes its options."""
    ran: list[Options] = []
    monkeypatch.setitem(sys.modules, "bridgecheck.bridge.server", types.SimpleNamespace(run=ran.append))

    def invoke(*arguments: str, **environment: str) -> tuple[Result, Options | None]:
        ran.clear()
        result = CliRunner().invoke(serve, arguments, env=environment)
        return result, ran[0] if ran else None

    return invoke


def theirs(monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(UVICORN, "run", lambda app, **options: seen.append({"app": app, **options}))
    result = CliRunner().invoke(uvicorn.main, arguments, env=environment)
    assert result.exit_code == 0, result.output
    return seen[0]


def same(ours: Options | None, expected: dict[str, Any]) -> None:
    assert ours is not None
    for field in fields(Options):
        value, other = getattr(ours, field.name), expected[field.name]
        if field.name == "log_config" and other is uvicorn.config.LOGGING_CONFIG:
            other = None
        if field.name == "headers":
            other = tuple(tuple(pair) for pair in other)
        assert (type(value), value) == (type(other), other), field.name


ARGUMENTS = [
    ["a:b"],
    [
        "a:b",
        "--host",
        "::1",
        "--port",
        "0",
        "--uds",
        "s",
        "--loop",
        "x:y",
        "--lifespan",
        "on",
        "--interface",
        "asgi2",
        "--root-path",
        "/api",
    ],
    ["a:b", "--log-level", "trace", "--no-access-log", "--use-colors", "--no-proxy-headers", "--no-server-header", "--no-date-header"],
    ["a:b", "--access-log", "--no-use-colors", "--proxy-headers", "--server-header", "--date-header", "--forwarded-allow-ips", "*"],
    [
        "a:b",
        "--header",
        "X-A:b",
        "--header",
        "x-a: c:d ",
        "--header",
        "empty:",
        "--header",
        "latin:\xe9",
        "--factory",
        "--reset-contextvars",
    ],
    ["a:b", "--limit-concurrency", "5", "--limit-max-requests", "0", "--limit-max-requests-jitter", "3", "--backlog", "1"],
    ["a:b", "--timeout-keep-alive", "0", "--timeout-graceful-shutdown", "0", "--app-dir", "folder"],
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
def test_options_mean_what_uvicorns_do(arguments: list[str], invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    result, options = invoke(*arguments)
    assert result.exit_code == 0, result.output
    same(options, theirs(monkeypatch, *arguments))


@pytest.mark.parametrize(
    "environment",
    [
        {"UVICORN_APP": "c:d", "UVICORN_PORT": "9", "UVICORN_HOST": "h", "UVICORN_LOG_LEVEL": "debug", "UVICORN_ROOT_PATH": "/r"},
        {
            "UVICORN_APP": "c:d",
            "UVICORN_ACCESS_LOG": "false",
            "UVICORN_PROXY_HEADERS": "0",
            "UVICORN_USE_COLORS": "yes",
            "UVICORN_FACTORY": "1",
        },
        {"UVICORN_APP": "c:d", "UVICORN_HEADERS": "a:b c:d", "UVICORN_FORWARDED_ALLOW_IPS": "10.0.0.1", "UVICORN_TIMEOUT_KEEP_ALIVE": "7"},
        {"UVICORN_APP": "c:d", "UVICORN_WORKERS": "1", "UVICORN_RESET_CONTEXTVARS": "true", "UVICORN_UDS": "s", "UVICORN_APP_DIR": "x"},
    ],
    ids=str,
)
def test_variables_mean_what_uvicorns_do(environment: dict[str, str], invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    result, options = invoke(**environment)
    assert result.exit_code == 0, result.output
    same(options, theirs(monkeypatch, **environment))


def test_every_option_is_one_of_uvicorns() -> None:
    names = {name for parameter in uvicorn.main.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for parameter in serve.params:
        assert {*parameter.opts, *parameter.secondary_opts} <= names
    assert {parameter.name for parameter in serve.params} == {field.name for field in fields(Options)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "65536"], "65536 is not in the range"),
        (["--port", "-1"], "-1 is not in the range"),
        (["--port", "http"], "'http' is not a valid integer"),
        (["--timeout-keep-alive", "-1"], "-1 is not in the range"),
        (["--timeout-graceful-shutdown", "-1"], "-1 is not in the range"),
        (["--limit-concurrency", "-1"], "-1 is not in the range"),
        (["--limit-max-requests", "-1"], "-1 is not in the range"),
        (["--limit-max-requests-jitter", "-1"], "-1 is not in the range"),
        (["--backlog", "-1"], "-1 is not in the range"),
        (["--backlog", str(2**31)], "is not in the range"),
        (["--lifespan", "maybe"], "'maybe' is not one of"),
        (["--interface", "wsgi"], "'wsgi' is not one of"),
        (["--log-level", "loud"], "'loud' is not one of"),
        (["--log-config", "no-such-file.json"], "does not exist"),
        (["--log-config", "."], "is a directory"),
        (["--uds", ""], "an empty path"),
        (["--root-path", "/é"], "'/é' is not ASCII"),
        (["--header", "no colon"], "'no colon' is not Name:Value"),
        (["--header", ":value"], "'' is no field name"),
        (["--header", "a b:value"], "'a b' is no field name"),
        (["--header", "é:value"], "'é' is no field name"),
        (["--header", "a:b\r\nc:d"], "is no field value"),
        (["--header", "a:\x7f"], "is no field value"),
        (["--header", "a:€"], "'€' is no field value"),
        (["--workers", "2"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_served_is_refused(arguments: list[str], said: str, invoke: Invoke) -> None:
    result, options = invoke("a:b", *arguments)
    assert (result.exit_code, options) == (2, None)
    assert said in result.output and arguments[0] in result.output


@pytest.mark.parametrize("name", ["UVICORN_FD", "UVICORN_WORKERS", "UVICORN_SSL_KEYFILE", "UVICORN_SSL_CERTFILE", "UVICORN_ENV_FILE"])
def test_a_variable_that_asks_for_what_is_not_there(name: str, invoke: Invoke) -> None:
    result, options = invoke("a:b", **{name: "4"})
    assert (result.exit_code, options) == (2, None)
    assert f"${name} is set" in result.output
    assert invoke("a:b", **{name: ""})[1] == Options(app="a:b", app_dir="")


def test_the_app_is_needed(invoke: Invoke) -> None:
    result, _ = invoke()
    assert result.exit_code == 2 and "Missing argument 'APP'" in result.output


def test_what_the_app_raises_ends_as_any_program_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hooked: list[Any] = []

    def run(options: Options) -> None:
        raise ValueError("in the app")

    monkeypatch.setitem(sys.modules, "bridgecheck.bridge.server", types.SimpleNamespace(run=run))
    monkeypatch.setattr(sys, "excepthook", lambda *exception: hooked.append(exception))
    with pytest.raises(SystemExit) as end:
        click.Group(commands={"serve": serve}).main(["serve", "a:b"], standalone_mode=False)
    assert end.value.code == 1
    assert [(kind, str(error)) for kind, error, _ in hooked] == [(ValueError, "in the app")]
