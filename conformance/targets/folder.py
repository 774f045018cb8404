"""The folder of one start of a target, and the removal of those whose owner was killed before it could remove them.

An owner holds a lock on a file in its folder; the kernel lets go of it when the owner ends, however it ends. Knows nothing of what is in a
folder.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

PREFIX = "bridgecheck-"
LOCK = "lock"
YOUNG = 60.0  # seconds in which an owner surely has its lock


class Folder:
    """A new folder, ours until `remove` or our end."""

    def __init__(self) -> None:
        _sweep_once()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


@cache
def _sweep_once() -> None:
    sweep(time.time() - YOUNG)


def sweep(before: float) -> None:
    """Remove the folders that nobody owns, as far as they were made before that time."""
    for path in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        with contextlib.suppress(OSError):  # somebody else's, or just gone
            if path.stat().st_mtime >= before:
                continue
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
