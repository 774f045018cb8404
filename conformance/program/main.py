"""The command line's entry: commands, exit codes, the last word on every error.

Knows click and the exit codes of the contract. The commands are in files of their own.
"""

import sys
import traceback

import click

from bridgecheck.conformance.errors import BridgecheckError

from .gate import gate
from .play import play

INTERNAL = 70
INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="bridgecheck")
def commands() -> None:
    """May we put this front end in uvicorn's place? Runs your app, unchanged, under both and says what differs."""


commands.add_command(gate)
commands.add_command(play)


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
