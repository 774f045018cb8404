"""`bridgecheck gate`: the options, what is printed, the exit code. The work is in bridgecheck.conformance.gate."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bridgecheck.conformance import report
from bridgecheck.conformance.autobahn import drive
from bridgecheck.conformance.compare.bucket import Bucket
from bridgecheck.conformance.compare.verdict import BOTH, UNDEFINED
from bridgecheck.conformance.compare.weight import SEVERITIES
from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.gate import Gate, Outcome, Plan, Tick
from bridgecheck.conformance.minimise.search import PLAYS
from bridgecheck.conformance.reproduction import Times
from bridgecheck.conformance.route import NATIVE, Route
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.target import Target, check_app
from bridgecheck.spec.validator import RELIANCE

from . import options

TAPS = ("spec", "recorded", "routes", "autobahn")
ROUTES_SHOWN = 8
DEEPER = 8  # times as many plays to make an exchange smaller, in a deep run
CARRIED_MAX = 12  # lines of what is carried
_STYLES = {"break": "bold red", "rule": "yellow", "drift": "dim"}


@click.command()
@click.argument("application", metavar="[APP]", required=False)
@click.option("--candidate", metavar="SERVER", default="bridge", show_default=True, help="What is to take the reference's place.")
@click.option("--reference", metavar="SERVER", default="uvicorn", show_default=True, help="What serves the app today.")
@click.option(
    "--taps",
    help=f"Where exchanges come from: {', '.join(TAPS)}.  "
    "[default: spec,recorded with --traffic, else spec,routes; and autobahn with --tier deep]",
)
@click.option(
    "--traffic", multiple=True, type=click.Path(path_type=Path), help="Exchange files, or folders of them, of the app's own traffic."
)
@options.carry
@click.option(
    "--tier",
    type=click.Choice(["quick", "default", "deep"]),
    default="default",
    show_default=True,
    help="quick leaves out the cases that wait; deep adds Autobahn's WebSocket cases, which takes 10 to 20 minutes, makes exchanges "
    "smaller with eight times the plays, and plays what is left a hundred times.",
)
@click.option(
    "--autobahn",
    "autobahn_cases",
    multiple=True,
    metavar="CASE",
    help="Of Autobahn's cases these alone, in any tier: by number, or by a pattern such as '7.*'.",
)
@click.option("--without", multiple=True, metavar="NEED", help="Leave out exchanges that need this, such as websocket or process.")
@click.option("--twin", type=click.Choice(["on", "off"]), default="on", show_default=True, help="Run the reference twice, to know noise.")
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), default="rule", show_default=True, help="The lightest finding that is no longer the same."
)
@click.option("--report", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("bridgecheck-report"), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="For taps that choose; none of these does.")
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=16, show_default=True, help="Exchanges side by side, where they share no state."
)
@click.option("--minimise/--no-minimise", default=True, show_default=True, help="Make each finding's exchange as small as it can be.")
@click.option(
    "--reproduce",
    metavar="TIMES",
    type=click.IntRange(0, 1000),
    help="Play each finding's exchange so often again; what does not come back each time is intermittent.  "
    "[default: 10, and not what needs a start of its own; 100 of all with --tier deep]",
)
@options.target
@options.config
@click.pass_context
def gate(
    context: click.Context,
    application: str | None,
    candidate: str,
    reference: str,
    taps: str | None,
    traffic: tuple[Path, ...],
    carry: bool,
    tier: str,
    autobahn_cases: tuple[str, ...],
    without: tuple[str, ...],
    twin: str,
    fail_on: str,
    folder: Path,
    seed: int,
    jobs: int,
    minimise: bool,
    reproduce: int | None,
    factory: bool,
    app_dir: str,
    interpreter: str | None,
    start_timeout: float,
    patience: float,
) -> int:
    """Run APP under the reference and the candidate, play the same traffic to both, and say what differs.

    Without APP, the one that bridgecheck.toml names, or else the one that is found in this folder.

    SERVER is name[:key=value[,key=value…]], with the server's own long options as keys (uvicorn:http=h11,loop=asyncio), or a command
    with {app} and {port} in it.

    Exit code: 0 same, 1 different, 2 usage, configuration or traffic that does not fit, 3 a target never listened.
    """
    python = interpreter or sys.executable
    usual = f"spec,{'recorded' if traffic else 'routes'}{',autobahn' if tier == 'deep' or autobahn_cases else ''}"
    chosen = [name.strip() for name in (taps or usual).split(",") if name.strip()]
    if set(chosen) - set(TAPS) or not chosen:
        raise UsageError(f"--taps {taps}: the taps are {', '.join(TAPS)}")
    servers = [parse_server(reference), parse_server(candidate)]
    entrypoint = options.entrypoint(application, factory, app_dir, context)
    application, factory, app_dir = entrypoint.reference, entrypoint.factory, entrypoint.app_dir
    own = options.app(application, factory, app_dir, context)
    probe = options.probe()
    found = [tap.spec(quick=tier == "quick")] if "spec" in chosen else []
    if "recorded" in chosen and traffic:
        found.append(tap.recorded(traffic, carry))
    if "autobahn" in chosen and drive.available():
        found.append(tap.autobahn(autobahn_cases))
    found = [tap.without(one, set(without)) for one in found]
    not_tried = _not_tried(chosen, traffic, tier, autobahn_cases, without, tap.speaks_websocket(found))
    if not found and "routes" not in chosen:
        raise UsageError("\n".join(["nothing to play:", *(f"  {item}" for item in not_tried)]))
    check_app(own, python)

    console = Console(stderr=True, soft_wrap=True)
    sides = [("reference", servers[0]), ("candidate", servers[1])]
    if twin == "on":
        sides.insert(1, ("twin", servers[0]))

    def targets(own_app: bool) -> list[Target]:
        return [Target(name, server, own if own_app else probe, python=python, start_timeout=start_timeout) for name, server in sides]

    if entrypoint.where:
        console.print(f"{escape(application)} is the app: {escape(entrypoint.where)}", highlight=False)
    console.print(
        f"{escape(application)} runs {len(sides)} times: {', '.join(escape(f'{name} {server.given}') for name, server in sides)}",
        highlight=False,
    )
    _print_carried(console, [told for one in found for told in one.carried])
    candidates = PLAYS * (DEEPER if tier == "deep" else 1) if minimise else 0
    usually = Times(100, 100) if tier == "deep" else Times(10, 0)
    times = usually if reproduce is None else Times(reproduce, reproduce)
    plan = Plan(found, targets, twin == "on", jobs, patience, fail_on, "routes" in chosen, candidates, times)
    with _progress(console) as tick:
        outcome = Gate(plan, lambda line: console.print(f"  {escape(line)}", highlight=False), tick).run()
    outcome.not_tried[:0] = not_tried
    shown = [servers[0].given, servers[1].given]
    extra = [word for word, given in ((f"--app-dir={app_dir}", app_dir != "."), ("--factory", factory)) if given]
    report.write(folder, outcome, application, shown, extra)
    _print(Console(soft_wrap=True), application, outcome, shown, extra, folder)
    return 0 if outcome.same else 1


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Tick]:
    """A bar with rate, remaining time and findings so far on a terminal; nothing in a log."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[differ]} differ"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def tick(tap: str, played: int, total: int, differ: int) -> None:
            if tap not in tasks:
                tasks[tap] = progress.add_task(tap, total=total, rate=0, differ=0)
            speed = progress.tasks[tasks[tap]].speed or 0
            progress.update(tasks[tap], completed=played, rate=round(speed), differ=differ)

        yield tick


def _not_tried(
    chosen: list[str], traffic: tuple[Path, ...], tier: str, autobahn_cases: tuple[str, ...], without: tuple[str, ...], websocket: bool
) -> list[str]:
    missing = ["tap spec: left out by --taps"] if "spec" not in chosen else []
    if traffic and "recorded" not in chosen:
        missing.append("tap recorded: left out by --taps")
    if "recorded" not in chosen or not traffic:
        looked = "only GET of those that need no value" if "routes" in chosen else "nothing of them"
        missing.append(f"the app's own routes: {looked}, since no --traffic was played")
    if tier == "quick" and "spec" in chosen:
        missing.append("spec cases that wait or start a server of their own: left out by --tier quick")
    if "autobahn" not in chosen:
        missing.append(f"Autobahn's cases: {'left out by --taps' if tier == 'deep' else 'only --tier deep plays them'}")
    elif not drive.available():
        missing.append(f"Autobahn's cases: kosoku, which runs them, is not installed ({drive.HOW_TO_GET_IT})")
    elif autobahn_cases:
        missing.append(f"Autobahn's other cases: --autobahn chose {', '.join(autobahn_cases)}")
    if tier == "deep":
        missing.append("exploration: no tap explores yet")
    missing += [f"what needs {need}: left out by --without" for need in dict.fromkeys(without)]
    if not websocket and "websocket" not in without:
        missing.append("WebSocket: no exchange speaks it")
    return missing


def _print_carried(console: Console, carried: list[str]) -> None:
    """Which values of requests will not be the recorded ones."""
    if carried:
        console.print("carried, from an answer to later requests (--no-carry plays what was recorded):", highlight=False)
    for told in carried[:CARRIED_MAX]:
        console.print(f"  {escape(told)}", highlight=False)
    if len(carried) > CARRIED_MAX:
        console.print(f"  and {len(carried) - CARRIED_MAX} more, which the report lists", highlight=False)


def _print(console: Console, application: str, outcome: Outcome, servers: list[str], extra: list[str], folder: Path) -> None:
    """The verdict as a person reads it: what was not tried, what differs, the word."""
    console.print()
    for target in outcome.targets:
        resolved = ", ".join(f"{key}={value}" for key, value in target["resolved"].items())
        version = next((value for key, value in target["versions"].items() if key != "python"), "")
        console.print(f"{target['name']:9} {escape(' '.join((target['given'], version, resolved)))}", highlight=False)
    console.print("\n[bold]Not tried[/bold]")
    for item in outcome.not_tried or ["nothing of what bridgecheck can try"]:
        console.print(f"  {escape(item)}", highlight=False)
    _print_routes(console, outcome, folder)
    judged = [bucket for bucket in outcome.buckets if not bucket.excused]
    excused = [bucket for bucket in outcome.buckets if bucket.excused]
    if judged:
        console.print("\n[bold]Differences[/bold]")
    for bucket in judged:
        style, difference = _STYLES[bucket.severity], bucket.difference
        console.print(
            f"  [{style}]{bucket.severity:5}[/{style}] {escape(bucket.title)}{_steady(bucket)}  [dim]{escape(_where(bucket))}[/dim]",
            highlight=False,
        )
        if bucket.verdict != UNDEFINED:
            console.print(f"        {escape(_verdict(bucket))}", highlight=False)
        if bucket.severity != "drift":
            values = (_short(value) for value in (difference.reference, difference.candidate))
            console.print(
                f"        {escape(servers[0])}: {escape(next(values))}   {escape(servers[1])}: {escape(next(values))}", highlight=False
            )
            console.print(f"        {escape(report.reproduce(bucket, servers, extra, folder))}", style="cyan", highlight=False)
    if excused:
        console.print("\n[bold]Where the reference breaks a rule[/bold]")
    for bucket in excused:
        console.print(f"  {escape(bucket.title)}  [dim]{escape(_where(bucket))}[/dim]  {escape(', '.join(bucket.rules))}", highlight=False)
    if outcome.breaches:
        console.print("\n[bold]What your app does that the specification does not allow, or does not promise[/bold]")
    for breach in outcome.breaches:
        routes = sorted(breach.routes)
        where = routes[0] + (f" and {len(routes) - 1} more" if len(routes) > 1 else "")
        word = "relies" if breach.level == RELIANCE else breach.level
        console.print(f"  {word:6} {escape(breach.what)}  [dim]{escape(where)}[/dim]  {breach.rule}", highlight=False)
        console.print(f"        {escape(report.reproduce(breach, servers[:1], extra, folder))}", style="cyan", highlight=False)
    total = sum(outcome.exchanges.values())
    taps = ", ".join(f"{name} {count}" for name, count in outcome.exchanges.items())
    console.print(f"\n{total} exchanges ({taps}); {len(outcome.noise)} noisy facts; report in {escape(str(folder))}", highlight=False)
    word, style = ("same", "bold green") if outcome.same else ("different", "bold red")
    counts = ", ".join(f"{sum(b.severity == s for b in judged)} {s}" for s in reversed(SEVERITIES))
    beside = f"; {len(excused)} where the reference breaks a rule" if excused else ""
    console.print(
        f"[{style}]{word}[/{style}]: {escape(application)} under {escape(servers[1])} against {escape(servers[0])} ({counts}{beside})",
        highlight=False,
    )


def _print_routes(console: Console, outcome: Outcome, folder: Path) -> None:
    """What was never reached, and what the candidate answered by itself; all of it is in the report."""
    if not outcome.routes:
        return
    reached = [row for row in outcome.routes if row.taps]
    console.print("\n[bold]Routes[/bold]")
    _print_names(console, "never reached", [row for row in outcome.routes if not row.taps])
    _print_names(console, "native under the candidate", [row for row in reached if NATIVE in row.answered.get("candidate", ())])
    listed = [row for row in outcome.routes if row.listed]
    own = f"{sum(bool(row.taps) for row in listed)} of {len(listed)} that the app lists" if listed else "the app keeps no list of them"
    differ = sum(row.differs for row in reached)
    line = f"reached: {own}, and {len(reached) - sum(row.listed for row in reached)} besides; {differ} differ"
    console.print(f"  {line}; the table is in {escape(str(folder / 'report.html'))}", highlight=False)


def _print_names(console: Console, what: str, rows: list[Route]) -> None:
    if rows:
        more = f" and {len(rows) - ROUTES_SHOWN} more" if len(rows) > ROUTES_SHOWN else ""
        console.print(f"  {what}: {escape(', '.join(row.name for row in rows[:ROUTES_SHOWN]))}{more}", highlight=False)


def _where(bucket: Bucket) -> str:
    count = len(bucket.exchanges)
    return bucket.shortest.exchange.name + (f" and {count - 1} more" if count > 1 else "")


def _steady(bucket: Bucket) -> str:
    """Nothing where it always came back; else how often, as far as that is known."""
    if bucket.steady:
        return ""
    return f" (intermittent: {bucket.reproduced.times} of {bucket.reproduced.of})" if bucket.reproduced else " (intermittent)"


def _verdict(bucket: Bucket) -> str:
    """`the candidate breaks FR-BODY-07`."""
    who = bucket.verdict if bucket.verdict == BOTH else f"the {bucket.verdict}"
    return f"{who}{' by' if bucket.verdict == BOTH else ''} {', '.join(bucket.rules) or 'what its exchange demands'}"


def _short(value: object) -> str:
    line = report.show(value.partition("\n")[0] if isinstance(value, str) else value)
    return line if len(line) <= 80 else f"{line[:79]}…"
