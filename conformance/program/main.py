"""The command line's entry: commands, exit codes, the last word on every error.

Knows click and the exit codes of the contract. The commands are in files of their own, or in packages that name them as entry points, of
which it knows no more than that.
"""

import select
import sys
import traceback
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from bridgecheck.conformance.errors import BridgecheckError

from .gate import gate
from .importing import import_
from .init import init
from .play import play
from .record import record
from .selftest import selftest
from .suite import spec

INTERNAL = 70
INTERRUPTED = 130
GROUP = "bridgecheck.commands"  # of entry points, each a click command


def _unread() -> bool:
    """Whether who read our output has gone, as `head` does."""
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        poll.register(stream.fileno(), 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


class Commands(click.Group):
    """The commands of this package and of the entry points, which are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *entry_points(group=GROUP).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if found := super().get_command(ctx, cmd_name):
            return found
        for entry in entry_points(group=GROUP, name=cmd_name):
            try:
                return entry.load()
            except Exception as error:
                return _broken(entry, error)
        return None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if _unread():
                raise
            # As it is click would end without a word, since it takes any broken pipe for a reader that has gone.
            raise RuntimeError("a pipe or socket of ours broke") from error


def _broken(entry: EntryPoint, error: Exception) -> click.Command:
    """Stands for a command that cannot be imported: listed like any other, it says why when it is called, whatever its arguments are."""

    def fail() -> None:
        raise BridgecheckError(f"the command {entry.name} ({entry.value}) cannot be imported: {type(error).__name__}: {error}")

    anything = {"allow_extra_args": True, "ignore_unknown_options": True}
    return click.Command(entry.name, callback=fail, help="Cannot be imported.", context_settings=anything, add_help_option=False)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="bridgecheck")
def commands() -> None:
    """May we put this front end in uvicorn's place? Runs your app, unchanged, under both and says what differs."""


commands.add_command(gate)
commands.add_command(import_)
commands.add_command(init)
commands.add_command(play)
commands.add_command(record)
commands.add_command(selftest)
commands.add_command(spec)


def main() -> None:
    """Run the command that the arguments name and exit as the contract says: 2 usage, 3 never ready, 70 our own fault, 130 interrupted."""
    try:
        code = commands.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = INTERRUPTED
    except KeyboardInterrupt:
        click.echo("bridgecheck: interrupted", err=True)
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BridgecheckError as error:
        click.echo(f"bridgecheck: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except Exception:
        traceback.print_exc()
        click.echo("bridgecheck: this is a fault of bridgecheck itself; the lines above say where", err=True)
        code = INTERNAL
    sys.exit(code if isinstance(code, int) else 0)
