"""`bridgecheck spec`: the options, the matrix as it is printed, the exit code. The work is in bridgecheck.conformance.suite."""

import contextlib
import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bridgecheck.conformance.compare.rule import catalogue
from bridgecheck.conformance.errors import BridgecheckError, UsageError
from bridgecheck.conformance.report import matrix
from bridgecheck.conformance.suite import CRASH, FAIL, PASS, SKIP, STATUSES, Sheet, Suite, Tick
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.taps.tap import Session
from bridgecheck.conformance.targets.server import Server, parse_server
from bridgecheck.conformance.targets.target import Target, check_app

from . import options

_STYLES = {PASS: "green", f"{FAIL} (should)": "yellow", FAIL: "bold red", CRASH: "bold white on red"}


@click.command("spec")
@click.argument("servers", metavar="SERVER…", nargs=-1)
@click.option("--only", metavar="CASE", multiple=True, help="Play these cases alone; several behind commas, or the option again.")
@click.option("--list", "listing", is_flag=True, help="List rules and cases, and run nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --list: as JSON.")
@click.option("--report", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write spec.json and spec.md into this folder.")
@click.option("--jobs", type=click.IntRange(1, 256), default=16, show_default=True, help="Cases side by side.")
@options.target
@options.config
def spec(
    servers: tuple[str, ...],
    only: tuple[str, ...],
    listing: bool,
    as_json: bool,
    folder: Path | None,
    jobs: int,
    factory: bool,
    app_dir: str,
    interpreter: str | None,
    start_timeout: float,
    patience: float,
) -> int:
    """Play the spec cases to each SERVER, and say which of them it does right.

    Each case is judged alone, by what the specification asks; no server is a reference. SERVER is written as for `gate`.

    Exit code: 0 no must is broken, 1 one is or a server ended, 2 usage, 3 a server never listened.
    """
    sessions = chosen(only)
    if listing:
        _list(sessions, as_json)
        return 0
    if as_json:
        raise UsageError("--json goes with --list; for the results there is --report")
    if not servers:
        raise UsageError("no SERVER is named, such as: bridgecheck spec uvicorn granian")
    if twice := sorted({name for name in servers if servers.count(name) > 1}):
        raise UsageError(f"{twice[0]} is named twice")
    python = interpreter or sys.executable
    parsed = [parse_server(name) for name in servers]
    probe = options.probe()
    check_app(probe, python)
    console = Console(stderr=True, soft_wrap=True)
    sheets: list[Sheet] = []
    failures: list[BridgecheckError] = []  # one server's is not the others'
    for server in parsed:
        target = Target(server.given, server, probe, python=python, start_timeout=start_timeout)
        try:
            with _progress(console, server) as tick:
                sheets.append(Suite(target, sessions, patience=patience, jobs=jobs, tick=tick).run())
        except BridgecheckError as error:
            failures.append(error)
        except Exception as error:  # our own fault, and no reason to lose what the others came to
            traceback.print_exc()
            failures.append(BridgecheckError(f"{server.given}: a fault of bridgecheck itself, the traceback says where: {error!r}"))
    if sheets:
        if folder is not None:
            matrix.write(folder, sheets, sessions)
        _print(options.console(), sheets, sessions)
    if failures:
        said = [*map(str, failures)]
        if folder is not None and not sheets:
            said.append(f"{folder}: no report is written, since no server was played to its end")
        raise type(max(failures, key=lambda error: error.exit_code))("\n".join(said))
    return int(any(sheet.breaks or sheet.deaths for sheet in sheets))


def chosen(only: Sequence[str]) -> list[Session]:
    """The sessions of these cases, all where none is named."""
    sessions = tap.spec().sessions
    names = {name.strip() for text in only for name in text.split(",") if name.strip()}
    if unknown := sorted(names - {exchange.name for session in sessions for exchange in session}):
        raise UsageError(f"--only {', '.join(unknown)}: no such case; `bridgecheck spec --list` names them")
    return [session for session in sessions if not names or any(exchange.name in names for exchange in session)]


def _list(sessions: Sequence[Session], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(matrix.listed(sessions), indent=2, ensure_ascii=False))
        return
    for session in sessions:
        for exchange in session:
            click.echo(f"{exchange.name}: {exchange.meta['about']} ({exchange.meta['rules']})")
    named = {rule for session in sessions for exchange in session for rule in exchange.meta["rules"].split()}
    click.echo(f"{sum(map(len, sessions))} cases about {len(named)} of {len(catalogue())} rules")


@contextlib.contextmanager
def _progress(console: Console, server: Server) -> Iterator[Tick]:
    """A bar on a terminal; nothing in a log."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape(server.given), total=None)

        def tick(played: int, total: int) -> None:
            progress.update(task, completed=played, total=total)

        yield tick


def _print(console: Console, sheets: Sequence[Sheet], sessions: Sequence[Session]) -> None:
    """The matrix of what is judged, then what was seen where it fails, then a line for each server."""
    exchanges = {exchange.name: exchange for session in sessions for exchange in session}
    table = Table(pad_edge=False, box=None)
    table.add_column("case", no_wrap=True)
    for sheet in sheets:
        table.add_column(escape(sheet.server), no_wrap=True)
    for name in exchanges:
        words = [matrix.word(sheet.cases[name].status, sheet.cases[name].level) for sheet in sheets]
        if set(words) != {SKIP}:
            table.add_row(name, *(f"[{_STYLES.get(text, 'dim')}]{text}[/]" for text in words))
    console.print(table)
    for sheet in sheets:
        for name, case in sheet.cases.items():
            if case.status not in (FAIL, CRASH):
                continue
            meta = exchanges[name].meta
            rule = meta.get("rules", "").partition(" ")[0]
            console.print(f"\n{escape(sheet.server)}: {name} ({rule}): {escape(meta.get('about', ''))}", highlight=False)
            if case.level:
                console.print(f"  {case.level:6} {escape(meta[case.level])}", highlight=False)
            console.print(f"  {'seen':6} {escape(case.observed)}", highlight=False)
        for name, statuses in sheet.unsteady.items():
            console.print(f"\n{escape(sheet.server)}: {name} is unsteady: {', '.join(statuses)}", highlight=False)
        for story in sheet.deaths:
            console.print(f"\n{escape(sheet.server)}: ended ({escape(story)}), but not again, case by case", highlight=False)
    console.print()
    for sheet in sheets:
        words = [matrix.word(case.status, case.level) for case in sheet.cases.values()]
        shown = [PASS, FAIL, f"{FAIL} (should)", *(status for status in STATUSES if status not in (PASS, FAIL))]
        counts = ", ".join(f"{words.count(kind)} {kind}" for kind in shown if kind in words)
        console.print(f"{escape(' '.join(filter(None, (sheet.server, sheet.version))))}: {counts}", highlight=False)
