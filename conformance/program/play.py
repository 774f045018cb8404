"""`bridgecheck play`: one file of exchanges on some servers, side by side, as a person reads it."""

import contextlib
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bridgecheck.conformance._player import Exchange
from bridgecheck.conformance.adapters import Unsupported
from bridgecheck.conformance.autobahn import case, drive
from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.difference import differences
from bridgecheck.conformance.compare.fact import Address, facts_of
from bridgecheck.conformance.compare.verdict import REFERENCE, UNDEFINED
from bridgecheck.conformance.compare.weight import at_least, quirk
from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.report import show
from bridgecheck.conformance.report.transcript import transcript
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.lifetime import Lifetime
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.stage import Stage, has_own_start
from bridgecheck.conformance.targets.target import Target, check_app

from . import options


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--on", "servers", metavar="SERVER", multiple=True, required=True, help="A server to play it on; the first is the reference.")
@click.option("--app", "application", metavar="APP", help="The app.  [default: the one that the file names, else the probe app]")
@click.option("--only", metavar="NAME", help="Show this exchange alone; what goes before it in its session is played all the same.")
@options.carry
@options.target
@options.config
@click.pass_context
def play(
    context: click.Context,
    file: Path,
    servers: tuple[str, ...],
    application: str | None,
    only: str | None,
    carry: bool,
    factory: bool,
    app_dir: str,
    interpreter: str | None,
    start_timeout: float,
    patience: float,
) -> int:
    """Play the exchanges of FILE on each server and show both sides next to each other.

    Exit code: 0 all the same, 1 something differs that the gate would not excuse.
    """
    sessions, carried = tap.carrying(file, carry)
    exchanges = [exchange for session in sessions for exchange in session]
    if only and only not in {exchange.name for exchange in exchanges}:
        raise UsageError(f"{file}: no exchange {only}")
    named = {exchange.meta.get("app", "") for exchange in exchanges}
    imports = sorted(name for name in named if ":" in name)
    if application is None and len(imports) > 1:
        raise UsageError(f"{file}: names several apps ({', '.join(imports)}); choose one with --app")
    reference = application or (imports[0] if imports else tap.PROBE)
    python = interpreter or sys.executable
    app = options.probe() if reference == tap.PROBE else options.app(reference, factory, app_dir, context)
    parsed = [parse_server(server) for server in servers]
    check_app(app, python)
    targets = [
        Target(
            server.given if servers.count(server.given) == 1 else f"{server.given} #{number}",
            server,
            app,
            python=python,
            start_timeout=start_timeout,
        )
        for number, server in enumerate(parsed, 1)
    ]
    console = Console(soft_wrap=False)
    differ = False
    stage = Stage(targets, patience=patience)
    if carried:
        console.print("carried:", *carried, sep="\n  ", markup=False, highlight=False)
    shared = [session for session in sessions if not has_own_start(session)]
    for session in sessions:
        if has_own_start(session) and only in (None, session[0].name):
            differ |= _live(console, session[0], targets, patience)
    with stage.running() if shared else contextlib.nullcontext():
        for session in shared:
            stage.prepare([session])
            assert stage.player is not None
            for exchange, observations in zip(session, stage.player.play([session], jobs=1)[0], strict=True):
                if observations is None:
                    console.print(f"{exchange.name}: not played, a target is gone", markup=False)
                    differ = True
                    continue
                if only in (None, exchange.name):
                    differ |= _show(console, exchange, observations, targets)
        for target in targets:
            story = target.died()
            if story is not None:
                console.print(f"{target.name} died: {story}", markup=False)
                differ = True
    return int(differ)


def _live(console: Console, exchange: Exchange, targets: list[Target], patience: float) -> bool:
    """One exchange with process steps, or whose script is Autobahn's, on a start of its own."""
    if case.KEY in exchange.meta:
        (observations,) = drive.play([exchange.meta[case.KEY]], targets)
        if observations is None:
            console.print(f"{exchange.name}: not played, a target is gone", markup=False)
            return True
        return _show(console, exchange, observations, targets)
    try:
        lifetime = Lifetime(exchange, targets, patience=patience)
    except Unsupported as error:
        console.print(f"{exchange.name}: unsupported: {error}", markup=False, highlight=False)
        return False
    return _show(console, exchange, lifetime.play(), lifetime.targets)


def _show(console: Console, exchange: Exchange, observations: tuple[dict, ...], targets: list[Target]) -> bool:
    """One exchange: what was sent, each side's answer, what differs. True where a gate would fail."""
    console.rule(escape(exchange.name))
    for key in ("about", "rules", "must"):
        if key in exchange.meta:
            console.print(f"{key}: {exchange.meta[key]}", markup=False, highlight=False)
    for line, kind, sent in exchange.steps:
        shown = f" {sent[:2000]!r}" if sent else ""
        console.print(f"{line:5}  {kind}{shown}", markup=False, highlight=False)
    table = Table(expand=True, show_lines=False)
    for target in targets:
        table.add_column(escape(target.name), ratio=1, overflow="fold")
    table.add_row(*(escape(transcript(observation)) for observation in observations))
    console.print(table)
    facts = [facts_of(observation, Address(target.host, target.port)) for observation, target in zip(observations, targets, strict=True)]
    demand = Demand.of(exchange.meta)
    failing = False
    for target, candidate in zip(targets[1:], facts[1:], strict=True):
        found = [d for d in differences(facts[0], candidate, demand) if not quirk(d.path, d.kind)]
        causes = [d for d in found if d.because is None or d.because not in found]
        if not causes:
            console.print(f"{target.name}: same", markup=False, highlight=False)
        for difference in causes:
            what = f"{difference.severity} {difference.side} {difference.path} {difference.kind}"
            values = f"{show(difference.reference)} | {show(difference.candidate)}"
            verdict = "" if difference.verdict == UNDEFINED else f" ({difference.verdict})"
            console.print(f"{target.name}: {what}: {values}{verdict}", markup=False, highlight=False, soft_wrap=True)
            failing |= difference.verdict != REFERENCE and at_least(difference.severity, "rule")
    return failing
