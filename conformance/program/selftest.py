"""`bridgecheck selftest`: which checks have been seen to fail. The work is in bridgecheck.conformance.selftest."""

import contextlib
from collections.abc import Iterator, Mapping

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.selftest.zoo import Proof, Tick, Zoo

from . import options
from .suite import chosen

BASES = ("uvicorn", "uvicorn:http=h11", "bridge", "gunicorn", "hypercorn", "granian")


@click.command()
@click.option("--cases", is_flag=True, help="Show that each spec case turns red on a server that is wrong in the way it is about.")
@click.option("--only", metavar="CASE", multiple=True, help="Show these alone; several behind commas, or the option again.")
@click.option("--on", "bases", metavar="SERVER", multiple=True, default=BASES, show_default=True, help="Servers that are made wrong.")
@click.option("--jobs", type=click.IntRange(1, 256), default=8, show_default=True, help="Cases side by side.")
@click.option("--patience", type=click.FloatRange(0.05, 60), default=1.0, show_default=True, help="Seconds that a wait may take.")
def selftest(cases: bool, only: tuple[str, ...], bases: tuple[str, ...], jobs: int, patience: float) -> int:
    """Play each spec case to a server that does it right, and to the same server made wrong in one named way: it has to turn red.

    Exit code: 0 all are shown, 1 one is not.
    """
    if not cases:
        raise UsageError("say what is to be tested: --cases")
    console = Console(stderr=True, soft_wrap=True)
    with _progress(console) as tick:
        proofs = Zoo(chosen(only), bases, options.probe(), patience=patience, jobs=jobs, tick=tick).run()
    return _print(options.console(), proofs)


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Tick]:
    """A bar on a terminal; nothing in a log."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def tick(done: int, total: int, name: str) -> None:
            progress.update(task, completed=done, total=total or None, description=name)

        yield tick


def _print(console: Console, proofs: Mapping[str, Proof]) -> int:
    table = Table(pad_edge=False, box=None)
    for title in ("case", "turns red under", "on"):
        table.add_column(title, no_wrap=True)
    for name, proof in proofs.items():
        if proof.shown:
            table.add_row(name, proof.mutation, escape(proof.server))
    console.print(table)
    left = {name: proof for name, proof in proofs.items() if not proof.shown}
    if left:
        console.print("\n[bold]Not shown[/bold]")
    for name, proof in left.items():
        console.print(f"  {name}{f' ({proof.mutation})' * bool(proof.mutation)}: {escape(proof.why_not)}", highlight=False)
    console.print(f"\n{len(proofs) - len(left)} of {len(proofs)} cases are shown to turn red", highlight=False)
    return int(bool(left))
