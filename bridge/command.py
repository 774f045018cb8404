"""`bridgecheck serve`: uvicorn's command line, environment variables included, for the bridge. Knows click and the options, no more."""

import os
import re
import sys
from typing import Any

import click

from .logs import LEVELS
from .options import Options

_LARGEST = 2**31 - 1  # what C and the loop's clock take alike
_COUNT = click.IntRange(0, _LARGEST)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110: token
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Variables of uvicorn's that ask for what the bridge has not: to go on without it would serve something else than was asked for.
_ABSENT = ("UVICORN_FD", "UVICORN_WORKERS", "UVICORN_SSL_KEYFILE", "UVICORN_SSL_CERTFILE", "UVICORN_ENV_FILE")


def _headers(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Name:Value pairs. Refused here is what no response could carry."""
    found = []
    for text in values:
        name, colon, value = text.partition(":")
        if not colon:
            raise click.BadParameter(f"{text!r} is not Name:Value")
        if not _NAME.fullmatch(name):
            raise click.BadParameter(f"{name!r} is no field name")
        if not _VALUE.fullmatch(value):
            raise click.BadParameter(f"{value!r} is no field value")
        found.append((name, value))
    return tuple(found)


def _root_path(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value.isascii():
        raise click.BadParameter(f"{value!r} is not ASCII")
    return value


def _path(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value == "":
        raise click.BadParameter("an empty path")
    return value


@click.command(context_settings={"auto_envvar_prefix": "UVICORN"})
@click.argument("app", envvar="UVICORN_APP")
@click.option("--host", default=Options.host, show_default=True, help="Address or name to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=Options.port, show_default=True, help="Port to listen on; 0: any free one.")
@click.option("--uds", default=None, callback=_path, help="Listen on this Unix socket instead.")
@click.option("--loop", metavar="[auto|asyncio|uvloop|none|MODULE:ATTR]", default=Options.loop, show_default=True, help="Event loop.")
@click.option(
    "--ws", type=click.Choice(["auto", "none", "websockets-sansio"]), default=Options.ws, show_default=True, help="WebSocket protocol."
)
@click.option("--ws-max-size", type=int, default=Options.ws_max_size, show_default=True, help="Bytes of a WebSocket message.")
@click.option("--ws-max-queue", type=int, default=Options.ws_max_queue, show_default=True, help="WebSocket messages that may wait.")
@click.option("--ws-ping-interval", type=float, default=Options.ws_ping_interval, show_default=True, metavar="SECONDS", help="0: no pings.")
@click.option(
    "--ws-ping-timeout",
    type=float,
    default=Options.ws_ping_timeout,
    show_default=True,
    metavar="SECONDS",
    help="Close a WebSocket whose client leaves a ping without an answer for this long.",
)
@click.option(
    "--ws-per-message-deflate",
    type=bool,
    default=Options.ws_per_message_deflate,
    show_default=True,
    help="Compress WebSocket messages where the client offers to.",
)
@click.option(
    "--lifespan", type=click.Choice(["auto", "on", "off"]), default=Options.lifespan, show_default=True, help="Lifespan protocol."
)
@click.option(
    "--interface",
    type=click.Choice(["auto", "asgi3", "asgi2"]),
    default=Options.interface,
    show_default=True,
    help="The app's ASGI version.",
)
@click.option(
    "--log-config", type=click.Path(exists=True, dir_okay=False), default=None, help="Logging configuration: .json, .yaml or .ini file."
)
@click.option("--log-level", type=click.Choice(list(LEVELS)), default=None, help="Log level.  [default: info]")
@click.option("--access-log/--no-access-log", default=Options.access_log, help="A line for each response.")
@click.option("--use-colors/--no-use-colors", default=None, help="Colours in the log.  [default: on a terminal]")
@click.option(
    "--proxy-headers/--no-proxy-headers", default=Options.proxy_headers, help="Believe trusted peers' X-Forwarded-For and -Proto."
)
@click.option(
    "--forwarded-allow-ips",
    default=None,
    help="Trusted peers: addresses, networks and Unix socket paths with commas between, or * for all."
    "  [default: $FORWARDED_ALLOW_IPS, or 127.0.0.1,::1]",
)
@click.option("--server-header/--no-server-header", default=Options.server_header, help="A server field in each response.")
@click.option("--date-header/--no-date-header", default=Options.date_header, help="A date field in each response.")
@click.option("--header", "headers", multiple=True, callback=_headers, metavar="NAME:VALUE", help="A field for each response; repeatable.")
@click.option("--root-path", default=Options.root_path, callback=_root_path, help="The path that the app is mounted at.")
@click.option("--limit-concurrency", type=_COUNT, default=None, help="With this many connections or tasks, answer 503.", metavar="INTEGER")
@click.option("--limit-max-requests", type=_COUNT, default=None, help="End after this many requests.", metavar="INTEGER")
@click.option(
    "--limit-max-requests-jitter",
    type=_COUNT,
    default=Options.limit_max_requests_jitter,
    show_default=True,
    metavar="INTEGER",
    help="End after up to this many more.",
)
@click.option(
    "--backlog",
    type=_COUNT,
    default=Options.backlog,
    show_default=True,
    metavar="INTEGER",
    help="Connections that may wait to be accepted.",
)
@click.option(
    "--timeout-keep-alive",
    type=_COUNT,
    default=Options.timeout_keep_alive,
    show_default=True,
    metavar="SECONDS",
    help="Close connections that are idle for this long.",
)
@click.option(
    "--timeout-graceful-shutdown",
    type=_COUNT,
    default=None,
    metavar="SECONDS",
    help="Cancel what still runs this long after the end began.",
)
@click.option("--app-dir", default="", help="Folder to import APP from.  [default: this one]")
@click.option("--factory", is_flag=True, default=Options.factory, help="APP is a function that makes the app.")
@click.option("--reset-contextvars", is_flag=True, default=Options.reset_contextvars, help="Run each request in an empty context.")
def serve(**chosen: Any) -> None:
    """Serve APP (module:attribute) natively, as uvicorn would: its options, its UVICORN_ variables, its log lines."""
    for name in _ABSENT:
        if os.environ.get(name) and (name, os.environ[name]) != ("UVICORN_WORKERS", "1"):
            raise click.UsageError(f"${name} is set, and the bridge has no such option")
    from .server import run  # the native part, which --help can do without

    try:
        run(Options(**chosen))
    except Exception:
        # The user's own code, most likely: shown as any program's end is, whoever calls this command.
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
