"""Logging as uvicorn's users know it: the same loggers, levels and lines, byte for byte, so that what reads a team's logs goes on doing so.

Knows the logging module and the fields of a scope that an access line shows; nothing of who logs when.
"""

import copy
import http
import json
import logging
import logging.config
import sys
from typing import Any, Literal
from urllib.parse import quote

TRACE = 5
LEVELS = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}

logger = logging.getLogger("uvicorn.error")
access_logger = logging.getLogger("uvicorn.access")

_RESET, _BOLD = "\x1b[0m", "\x1b[1m"
_RED, _GREEN, _YELLOW, _BLUE, _CYAN, _BRIGHT_RED, _BRIGHT_WHITE = (f"\x1b[{code}m" for code in (31, 32, 33, 34, 36, 91, 97))
_LEVEL_COLORS = {
    TRACE: _BLUE,
    logging.DEBUG: _CYAN,
    logging.INFO: _GREEN,
    logging.WARNING: _YELLOW,
    logging.ERROR: _RED,
    logging.CRITICAL: _BRIGHT_RED,
}
_STATUS_COLORS = {1: _BRIGHT_WHITE, 2: _GREEN, 3: _YELLOW, 4: _RED, 5: _BRIGHT_RED}


def bold(text: str) -> str:
    return f"{_BOLD}{text}{_RESET}"


def cyan(text: str) -> str:
    return f"{_CYAN}{text}{_RESET}"


class DefaultFormatter(logging.Formatter):
    """Gives formats the field `levelprefix`; colours it, and messages that have a `color_message`, where the terminal wants that."""

    def __init__(
        self, fmt: str | None = None, datefmt: str | None = None, style: Literal["%", "{", "$"] = "%", use_colors: bool | None = None
    ) -> None:
        self.use_colors = use_colors if use_colors in (True, False) else sys.stdout.isatty()
        super().__init__(fmt, datefmt, style)

    def formatMessage(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)  # other handlers get the same record
        level, padding = record.levelname, " " * (8 - len(record.levelname))
        if self.use_colors:
            if color := _LEVEL_COLORS.get(record.levelno):
                level = f"{color}{level}{_RESET}"
            if "color_message" in record.__dict__:
                record.msg = record.__dict__["color_message"]
                record.message = record.getMessage()
        record.__dict__["levelprefix"] = f"{level}:{padding}"
        return super().formatMessage(record)


class AccessFormatter(DefaultFormatter):
    """Gives formats the fields `client_addr`, `request_line` and `status_code` of the lines that log_access makes."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        client, method, path, version, status = record.args  # type: ignore[misc]
        line = f"{method} {path} HTTP/{version}"
        record.__dict__ |= {
            "client_addr": client,
            "request_line": bold(line) if self.use_colors else line,
            "status_code": self._status(int(status)),  # type: ignore[arg-type]
        }
        return super().formatMessage(record)

    def _status(self, status: int) -> str:
        text = f"{status} {phrase(status)}"
        color = _STATUS_COLORS.get(status // 100) if self.use_colors else None
        return f"{color}{text}{_RESET}" if color else text


def phrase(status: int) -> str:
    """The reason phrase of a status, "" for one that this Python does not know."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def log_access(scope: dict[str, Any], status: int) -> None:
    """The access line of one response. It shows the scope as it is now, whatever the app has made of it."""
    client = scope.get("client")
    path = quote(scope["path"])
    if query := scope["query_string"]:
        path = f"{path}?{query.decode('ascii')}"
    # Formatters of users read these five arguments, too.
    client = "%s:%d" % client if client else ""  # noqa: UP031
    access_logger.info('%s - "%s %s HTTP/%s" %d', client, scope["method"], path, scope["http_version"], status)


def log_websocket(scope: dict[str, Any], status: int | None) -> None:
    """The line of how an app has answered a WebSocket handshake: None is accepted. It goes where the server's own lines go."""
    client = scope.get("client")
    client = "%s:%d" % client if client else ""  # noqa: UP031
    path = quote(scope["path"])
    if query := scope["query_string"]:
        path = f"{path}?{query.decode('ascii')}"
    if status is None:
        logger.info('%s - "WebSocket %s" [accepted]', client, path)
    else:
        logger.info('%s - "WebSocket %s" %d', client, path, status)


def log_rejected(status: int, reason: str) -> None:
    logger.info("connection rejected (%d %s)", status, reason)


def log_broken_text(data: bytes) -> None:
    """A text message was none."""
    try:
        data.decode()
    except UnicodeDecodeError:
        logger.exception("Invalid UTF-8 sequence received from client.")


def _default(use_colors: bool | None) -> dict[str, Any]:
    """Messages to standard error, access lines to standard output."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "default": {"()": DefaultFormatter, "fmt": "%(levelprefix)s %(message)s", "use_colors": use_colors},
            "access": {
                "()": AccessFormatter,
                "fmt": '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s',
                "use_colors": use_colors,
            },
        },
        "handlers": {
            "default": {"formatter": "default", "class": "logging.StreamHandler", "stream": "ext://sys.stderr"},
            "access": {"formatter": "access", "class": "logging.StreamHandler", "stream": "ext://sys.stdout"},
        },
        "loggers": {
            "uvicorn": {"handlers": ["default"], "level": "INFO", "propagate": False},
            "uvicorn.error": {"level": "INFO"},
            "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
        },
    }


def configure(file: str | None = None, *, level: str | None = None, access_log: bool = True, use_colors: bool | None = None) -> None:
    """Set up logging from a user's .json, .yaml or .ini file, or as uvicorn does without one; then the options that come on top."""
    logging.addLevelName(TRACE, "TRACE")
    if file is None:
        logging.config.dictConfig(_default(use_colors))
    elif file.endswith(".json"):
        with open(file) as stream:
            logging.config.dictConfig(json.load(stream))
    elif file.endswith((".yaml", ".yml")):
        try:
            import yaml  # an extra of the user's
        except ImportError as error:
            raise ImportError("Install the PyYAML package to use `--log-config` with YAML files.") from error
        with open(file) as stream:
            logging.config.dictConfig(yaml.safe_load(stream))
    else:
        logging.config.fileConfig(file, disable_existing_loggers=False)

    if level is not None:
        for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
            logging.getLogger(name).setLevel(LEVELS[level])
    if not access_log:
        access_logger.handlers = []
        access_logger.propagate = False
