"""`bridgecheck init`: writes bridgecheck.toml, with the app that it found and what else may stand there."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

import click

from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.project.entrypoint import Entrypoint
from bridgecheck.conformance.targets.application import App

from . import options

_FILE = """\
# What `bridgecheck gate` does here, without further words. Every key is an option of it (--fail-on is fail-on) and loses against that
# option on the command line; paths stand relative to this file. A key with a # before it shows its default, or an example.

# What is to take the place of the server that serves the app today: bridge, granian, hypercorn, …, with the server's own long options
# as in "granian:loop=asyncio", or a command with {{app}} and {{port}} in it.
candidate = "bridge"
# reference = "uvicorn"

# Your own traffic: exchange files or folders of them, from `bridgecheck record` or `bridgecheck import`. Without any, the gate asks GET of
# the app's routes that need no value, and nothing else of them.
# traffic = ["traffic"]

# The lightest finding that is no longer the same: drift, rule or break.
# fail-on = "rule"
# Cases that wait are left out with "quick".
# tier = "default"
# Seconds until a target must listen. An app that loads a model may need more.
# start-timeout = 30.0
# Where report.html, report.json and the exchanges go.
# report = "bridgecheck-report"
# The interpreter of another environment that has the app and the servers.
# python = ".venv/bin/python"
{placing}
[app]
entrypoint = {reference}  # {where}
# The app runs three times. What these runs must not share is copied for each, or made in its own folder by an environment variable;
# in values {{workdir}} is that folder, {{target}} is reference, twin or candidate.
# state = ["seed.sqlite"]
# environment = {{ DATABASE_URL = "sqlite:///{{workdir}}/seed.sqlite" }}
"""
_APP_DIR = """
# The folder that the app is imported from.
{mark}app-dir = {app_dir}
"""
_FACTORY = """
# The entry point is a function that makes the app.
factory = true
"""


@click.command()
@click.argument("application", metavar="[APP]", required=False)
@click.option("--factory", is_flag=True, help="APP is a function that makes the app.")
@click.option("--app-dir", type=click.Path(), default=".", show_default=True, help="Folder the app is looked for in, and imported from.")
@click.option("--force", is_flag=True, help=f"Overwrite a {options.CONFIG} that is there.")
def init(application: str | None, factory: bool, app_dir: str, force: bool) -> None:
    """Find the app of this folder and write a commented bridgecheck.toml for it.

    The app is found by reading the project's files; nothing is imported or run. Where there are several, name one as APP.
    """
    if application:
        App(application)  # says what is wrong with the name
        entrypoint = Entrypoint(application, app_dir, factory, "as you named it")
    else:
        entrypoint = options.found(app_dir, "init")
    _write(Path(options.CONFIG), text(entrypoint), force)
    click.echo(f"{options.CONFIG}: {entrypoint.reference} ({entrypoint.where}). Next: bridgecheck gate")


def text(entrypoint: Entrypoint) -> str:
    """The file for that app."""
    placing = _APP_DIR.format(mark="# " if entrypoint.app_dir == "." else "", app_dir=json.dumps(entrypoint.app_dir))
    where = entrypoint.where.replace("\n", " ")
    return _FILE.format(reference=json.dumps(entrypoint.reference), where=where, placing=placing + (_FACTORY if entrypoint.factory else ""))


def _write(path: Path, content: str, force: bool) -> None:
    """The whole file or none, and, unless it is forced, never in the place of another one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(name, 0o644)
        if force:
            os.replace(name, path)
        else:
            os.link(name, path)  # which fails where there is one, however late it came
    except FileExistsError:
        raise UsageError(f"{path} is there already; --force overwrites it") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
