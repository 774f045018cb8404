"""Options that several commands share, and the configuration file behind them.

Knows click and TOML. Every key of bridgecheck.toml is an option: `fail-on = "drift"` is `--fail-on drift`.
"""

import os
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.project.entrypoint import Entrypoint, find
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.target import App

CONFIG = "bridgecheck.toml"
LOG_WIDTH = 240
_PATHS = ("traffic", "app-dir", "waivers", "report")  # keys that name files, which stand relative to the configuration file


def _configure(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Make the file's keys the defaults of the command's options. Without --config, ./bridgecheck.toml where it exists."""
    path = value or Path(CONFIG)
    if value is None and not path.is_file():
        return None
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    app = data.pop("app", {})
    known = {option.lstrip("-"): p.name for p in context.command.params for option in p.opts if option.startswith("--")}
    group = context.parent.command if context.parent else context.command
    others = group.commands.values() if isinstance(group, click.Group) else [context.command]
    everywhere = {option.lstrip("-") for command in others for p in command.params for option in p.opts if option.startswith("--")}
    defaults: dict[str, Any] = {}
    for key, entry in data.items():
        if key not in everywhere:
            raise UsageError(f"{path}: no option --{key}; known keys: {', '.join(sorted(everywhere))}")
        if key not in known:
            continue  # another command's
        if key in _PATHS:
            entry = [str(path.parent / item) for item in entry] if isinstance(entry, list) else str(path.parent / entry)
        defaults[known[key]] = entry
    if not isinstance(app, dict) or set(app) - {"entrypoint", "state", "environment"}:
        raise UsageError(f"{path}: [app] has the keys entrypoint, state and environment")
    if not isinstance(app.get("entrypoint", ""), str):
        raise UsageError(f'{path}: [app] entrypoint is a text such as "main:app"')
    context.meta["bridgecheck.entrypoint"] = (app.get("entrypoint"), path)
    context.default_map = {**(context.default_map or {}), **defaults}
    context.meta["bridgecheck.app"] = (
        [str(path.parent / item) for item in app.get("state", [])],
        {str(key): str(item) for key, item in app.get("environment", {}).items()},
    )
    return path


def config(command: Callable[..., Any]) -> Callable[..., Any]:
    """--config FILE, read before the other options so that it can give them defaults."""
    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_configure,
        help=f"Configuration file; every key is an option.  [default: {CONFIG} where it exists]",
    )(command)


def carry(command: Callable[..., Any]) -> Callable[..., Any]:
    """--no-carry, for every command that plays recordings."""
    return click.option(
        "--carry/--no-carry", default=True, show_default=True, help="Give values of answers to later requests, where a recording has both."
    )(command)


def target(command: Callable[..., Any]) -> Callable[..., Any]:
    """How targets are started, for every command that starts some."""
    for option in (
        click.option("--patience", type=click.FloatRange(0.05, 60), default=2.0, show_default=True, help="Seconds that a wait may take."),
        click.option(
            "--start-timeout", type=click.FloatRange(0.1, 600), default=30.0, show_default=True, help="Seconds until a target must listen."
        ),
        click.option(
            "--python",
            "interpreter",
            type=click.Path(),
            default=None,
            help="Interpreter that has the app and the servers.  [default: this one]",
        ),
        click.option("--app-dir", type=click.Path(), default=".", show_default=True, help="Folder the app is imported from."),
        click.option("--factory", is_flag=True, help="APP is a function that makes the app."),
    ):
        command = option(command)
    return command


def console() -> Console:
    """For what is printed as a table: as wide as the terminal; in a log, where nobody minds, wide enough."""
    made = Console(soft_wrap=True)
    return made if made.is_terminal else Console(soft_wrap=True, width=LOG_WIDTH)


def probe() -> App:
    """The app that the spec cases are written for."""
    return App(tap.PROBE, app_dir=str(files("bridgecheck.spec")), disposable=True)


def app(reference: str, factory: bool, app_dir: str, context: click.Context) -> App:
    """The user's app with the state and environment that the configuration names."""
    state, environment = context.meta.get("bridgecheck.app", ([], {}))
    return App(reference, factory=factory, app_dir=app_dir, state=state, environment=environment)


def entrypoint(given: str | None, factory: bool, app_dir: str, context: click.Context) -> Entrypoint:
    """The app that is meant: as it is named on the command line, else in the configuration, else as it is found in its folder."""
    named, path = context.meta.get("bridgecheck.entrypoint", (None, None))
    if given or named:
        return Entrypoint(given or named, app_dir, factory, "" if given else f"{path} [app] entrypoint")
    return found(app_dir, "gate")


def found(app_dir: str, command: str) -> Entrypoint:
    """The one app of a folder. UsageError where there is none, or more than one: nobody but the user can say which is meant."""
    if not Path(app_dir).is_dir():
        raise UsageError(f"--app-dir {app_dir}: no such folder")
    search = find(Path(app_dir))
    if not search.found:
        name_it = f"bridgecheck {command} module:attribute (--factory for a function)"
        raise UsageError("\n  ".join([f"no ASGI app was found; name it: {name_it}. Looked in", *search.looked]))
    if len(search.found) > 1:
        lines = [_command(command, item, app_dir) for item in search.found]
        width = max(map(len, lines))
        listed = "".join(f"\n  {line:{width}}  # {item.where}" for line, item in zip(lines, search.found, strict=True))
        raise UsageError(f"{len(search.found)} apps were found; name one:{listed}")
    (item,) = search.found
    return Entrypoint(item.reference, os.path.normpath(os.path.join(app_dir, item.app_dir)), item.factory, item.where)


def _command(command: str, item: Entrypoint, app_dir: str) -> str:
    home = os.path.normpath(os.path.join(app_dir, item.app_dir))
    return f"bridgecheck {command} {item.reference}{' --factory' * item.factory}{f' --app-dir {home}' * (home != '.')}"
