"""Log lines and logging set-up, held against uvicorn's own formatters and configuration."""

import io
import json
import logging
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.logging import AccessFormatter, DefaultFormatter
from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string

from bridgecheck.bridge import logs

from .lines import NAMES, untouched

LEVELS = (5, 10, 20, 25, 30, 40, 50, 60)
FORMATS = (
    ("%(levelprefix)s %(message)s", "%"),
    ("{levelprefix} {name} {message} {asctime}", "{"),
    ("$levelprefix ${message}", "$"),
)
INI = """
[loggers]
keys=root,error
[handlers]
keys=out
[formatters]
keys=plain
[logger_root]
level=WARNING
handlers=out
[logger_error]
level=DEBUG
handlers=out
qualname=uvicorn.error
propagate=0
[handler_out]
class=StreamHandler
args=(sys.stdout,)
formatter=plain
[formatter_plain]
format=%(message)s
"""


def record(level: int, message: str, *arguments: Any, name: str = "uvicorn.error", **extra: Any) -> logging.LogRecord:
    made = logging.getLogger(name).makeRecord(name, level, "file", 1, message, arguments, None, extra=extra)
    made.created, made.msecs = 1.0, 0.0
    return made


@pytest.fixture
def untouched_loggers() -> Any:
    with untouched():
        yield


@pytest.mark.parametrize("use_colors", [True, False, None])
@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(("fmt", "style"), FORMATS)
def test_messages(monkeypatch: pytest.MonkeyPatch, fmt: str, style: Any, terminal: bool, use_colors: bool | None) -> None:
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(isatty=lambda: terminal, write=sys.stdout.write, flush=sys.stdout.flush))
    ours, theirs = logs.DefaultFormatter(fmt, None, style, use_colors), DefaultFormatter(fmt, None, style, use_colors)
    color = "Started [" + logs.cyan("%d") + "] " + logs.bold("x")
    for level in LEVELS:
        for made in (
            record(level, "plain"),
            record(level, "with %s and %d", "text", 3),
            record(level, "Started [%d] x", 7, color_message=color),
            record(level, "{not} $formatted %%"),
        ):
            assert ours.format(made) == theirs.format(made)
            assert "levelprefix" not in made.__dict__ and "\x1b" not in made.msg  # other handlers get the record as it was
    assert ("\x1b" in ours.format(record(20, "m"))) is (use_colors if use_colors is not None else terminal)


def test_a_traceback_follows_its_message() -> None:
    try:
        raise ValueError("wrong")
    except ValueError:
        made = logging.getLogger("a").makeRecord("a", 40, "file", 1, "Exception\n", (), sys.exc_info())
    ours = logs.DefaultFormatter("%(levelprefix)s %(message)s", use_colors=True).format(made)
    made.exc_text = None
    assert ours == DefaultFormatter("%(levelprefix)s %(message)s", use_colors=True).format(made)
    assert ours.endswith("ValueError: wrong")


@pytest.mark.parametrize("use_colors", [True, False])
def test_access_lines(use_colors: bool) -> None:
    fmt = '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s'
    ours, theirs = logs.AccessFormatter(fmt, use_colors=use_colors), AccessFormatter(fmt, use_colors=use_colors)
    seen = set()
    for status in (*range(100, 600), 0, 99, 600, 999):
        made = record(20, '%s - "%s %s HTTP/%s" %d', "127.0.0.1:5", "GET", "/a%20b?c", "1.1", status, name="uvicorn.access")
        seen.add(ours.format(made))
        assert ours.format(made) == theirs.format(made)
        assert made.args and made.args[4] == status and "levelprefix" not in made.__dict__  # other handlers get the record as it was
    assert len(seen) == 504


def test_access_lines_are_made_of_five_arguments() -> None:
    made = record(20, "one %s", "argument", name="uvicorn.access")
    for formatter in (logs.AccessFormatter(use_colors=False), AccessFormatter(use_colors=False)):
        with pytest.raises(ValueError, match="not enough values to unpack"):
            formatter.format(made)


SCOPE = {"client": ("127.0.0.1", 5), "method": "GET", "path": "/", "query_string": b"", "http_version": "1.1"}
SCOPES: list[dict[str, Any]] = [
    SCOPE,
    SCOPE | {"client": None},
    SCOPE | {"client": ()},
    {name: value for name, value in SCOPE.items() if name != "client"},
    SCOPE | {"client": ("::1", 0)},
    SCOPE | {"client": ("/run/socket", 0)},
    SCOPE | {"client": ["127.0.0.1", 5]},  # as no server makes it, yet an app can
    SCOPE | {"client": ("127.0.0.1",)},
    SCOPE | {"path": "/a b/é\u20ac%?#\"'<>~;=@:&+$,!*()[]\x00\n", "query_string": b"a=%20&b"},
    SCOPE | {"path": "*", "method": "OPTIONS"},
    SCOPE | {"path": "", "query_string": b"?"},
    SCOPE | {"query_string": b"\xe9"},
    SCOPE | {"path": 5},
    SCOPE | {"path": "\udc80"},
    SCOPE | {"query_string": None},
    {"type": "http"},
]


@pytest.mark.parametrize("scope", SCOPES, ids=repr)
def test_an_access_line_has_the_values_of_uvicorns(scope: dict[str, Any], untouched_loggers: None) -> None:
    def theirs(scope: Any, status: int) -> None:
        arguments = get_client_addr(scope), scope["method"], get_path_with_query_string(scope), scope["http_version"], status
        logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', *arguments)

    def outcome(log: Any) -> Any:
        made: list[logging.LogRecord] = []
        handler = logging.Handler()
        handler.emit = made.append  # type: ignore[method-assign]
        logs.access_logger.handlers, logs.access_logger.propagate = [handler], False
        logs.access_logger.setLevel(logging.INFO)
        try:
            log(scope, 200)
        except Exception as error:
            return type(error)
        return [(one.msg, one.args, one.levelno, one.name) for one in made]

    assert outcome(logs.log_access) == outcome(theirs)


def state() -> Any:
    """Everything of the loggers that decides where a line goes and how it looks."""
    return [
        (name, logger.level, logger.propagate, logger.disabled, [shape(handler) for handler in logger.handlers])
        for name, logger in ((name, logging.getLogger(name)) for name in NAMES)
    ]


def shape(handler: Any) -> Any:
    formatter = handler.formatter
    colors = getattr(formatter, "use_colors", None)
    return (
        type(handler),
        handler.level,
        handler.stream is sys.stderr,
        handler.stream is sys.stdout,
        type(formatter).__name__,
        formatter._fmt,
        colors,
    )


def uvicorns(**options: Any) -> None:
    config = json.loads(json.dumps(uvicorn.config.LOGGING_CONFIG))  # Config writes into the one it is given
    uvicorn.Config("app", **({"log_config": config} | options))


@pytest.mark.parametrize("use_colors", [True, False, None])
@pytest.mark.parametrize("access_log", [True, False])
@pytest.mark.parametrize("level", [None, *logs.LEVELS])
def test_set_up(level: str | None, access_log: bool, use_colors: bool | None, untouched_loggers: None) -> None:
    logs.configure(level=level, access_log=access_log, use_colors=use_colors)
    ours = state()
    assert logging.getLogger("uvicorn.access").hasHandlers() is access_log
    for name in NAMES:
        logging.getLogger(name).handlers = []
    uvicorns(log_level=level, access_log=access_log, use_colors=use_colors)
    assert ours == state()
    assert logging.getLevelName(5) == "TRACE"


def test_levels_are_uvicorns() -> None:
    assert logs.LEVELS == uvicorn.config.LOG_LEVELS
    assert list(logs.LEVELS) == list(uvicorn.config.LOG_LEVELS)


def test_access_lines_go_to_standard_output_and_others_to_standard_error(untouched_loggers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    logs.configure()
    logs.logger.info("message")
    logs.logger.debug("unseen")
    logs.log_access(SCOPE, 404)
    assert out.getvalue() == 'INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 404 Not Found\n'
    assert err.getvalue() == "INFO:     message\n"


def own(formatter: str) -> dict[str, Any]:
    return {
        "version": 1,
        "formatters": {"one": {"()": formatter, "fmt": "mine %(levelprefix)s %(message)s"}},
        "handlers": {"one": {"class": "logging.StreamHandler", "formatter": "one", "stream": "ext://sys.stdout"}},
        "loggers": {"uvicorn": {"handlers": ["one"], "level": "DEBUG", "propagate": False}},
    }


@pytest.mark.parametrize("ending", ["json", "yaml", "yml"])
def test_a_users_file_that_names_uvicorns_formatter(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untouched_loggers: None
) -> None:
    file = tmp_path / f"log.{ending}"
    file.write_text(json.dumps(own("uvicorn.logging.DefaultFormatter")))  # JSON is YAML
    monkeypatch.setitem(sys.modules, "yaml", types.SimpleNamespace(safe_load=json.load))
    logs.configure(str(file), level="error", access_log=False, use_colors=True)
    ours = state()
    assert type(logging.getLogger("uvicorn").handlers[0].formatter) is DefaultFormatter
    assert logging.getLogger("uvicorn.error").level == logging.ERROR
    uvicorns(log_config=str(file), log_level="error", access_log=False, use_colors=True)
    assert ours == state()


def test_yaml_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untouched_loggers: None) -> None:
    (tmp_path / "log.yaml").write_text("{}")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportError, match="^Install the PyYAML package to use `--log-config` with YAML files.$"):
        logs.configure(str(tmp_path / "log.yaml"))


def test_an_ini_file(tmp_path: Path, untouched_loggers: None) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    file = tmp_path / "log.ini"
    file.write_text(INI)
    try:
        logs.configure(str(file))
        ours = state()
        assert logging.getLogger("uvicorn.error").handlers and not logging.getLogger("uvicorn").disabled
        uvicorns(log_config=str(file))
        assert ours == state()
    finally:
        root.handlers, _ = before
        root.setLevel(before[1])
