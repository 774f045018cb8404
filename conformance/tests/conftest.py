"""What all tests here start from."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# A shell ignores SIGINT for what it runs in the background, and whatever that starts inherits it. The processes that these tests interrupt
# must see Ctrl-C as in front of a terminal; a handler of ours is the default again behind exec.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="play-") as path:
        yield Path(path)
