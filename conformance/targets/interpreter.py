"""Questions to a target's own Python: a script that runs there and answers in JSON.

Owns how a question is asked and what a useless answer looks like. Knows nothing of servers or apps; the scripts are those of whoever asks.
The interpreter may be of another version and another virtual environment, so nothing of bridgecheck is imported there.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

PATIENCE = 60.0  # seconds; an app may be slow to import, but not for ever
LAST_LINES = 20

# The answer goes to a file of its own, since whatever is imported may print.
_FRAME = """\
import json as _json, os as _os, sys as _sys
_out = _os.dup(1)
_os.dup2(2, 1)
question = _json.loads(_sys.argv.pop())
{script}
_os.write(_out, _json.dumps(answer()).encode())
_os._exit(0)
"""


class NoAnswer(Exception):
    """The script did not come to its end; the message says how it ended, with the last lines that it wrote."""


def ask(python: str, script: str, question: Any, environment: Mapping[str, str]) -> Any:
    """Run `script`, which finds `question` and defines `answer()`. Raises NoAnswer; OSError where `python` is no executable."""
    command = [python, "-c", _FRAME.format(script=script), json.dumps(question)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=dict(environment), timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise NoAnswer(_story(f"did not come to an end within {PATIENCE:g} s", error.stderr or b"")) from None
    try:
        return json.loads(done.stdout)
    except ValueError:
        how = f"ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with exit code {done.returncode}"
        raise NoAnswer(_story(how, done.stderr)) from None


def _story(how: str, written: bytes) -> str:
    lines = last_lines(written)
    return "\n".join([how + (":" if lines else ""), *(f"  {line}" for line in lines)])


def last_lines(written: bytes) -> Sequence[str]:
    """The end of what a program wrote, to show it to a person."""
    return written.decode("utf-8", "replace").rstrip().splitlines()[-LAST_LINES:]
