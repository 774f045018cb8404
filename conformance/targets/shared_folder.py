"""The folder that all targets run in, the user's project: which of its files were written while they ran.

What an app writes there is not its target's own, so that targets disturb one another, and a start is no fresh one. Knows files; knows
nothing of targets.
"""

import os
from pathlib import Path

NAMED = 5
_FILES_MAX = 20_000  # in a folder with more nothing is looked for
_SKIPPED = {"__pycache__", "node_modules"}
_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite keeps beside a database, now and then

State = dict[str, tuple[int, int]]  # by path: time of the last change in nanoseconds, and size in bytes


def look(folder: Path) -> State | None:
    """The files of the folder but for hidden ones, compiled ones and environments; None where there are too many."""
    found: State = {}
    for at, folders, files in os.walk(folder):
        inside = (name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        folders[:] = [name for name in inside if not os.path.exists(os.path.join(at, name, "pyvenv.cfg"))]
        for name in files:
            path = os.path.join(at, name)
            try:
                status = os.stat(path, follow_symlinks=False)
            except OSError:  # it is gone by now
                continue
            found[os.path.relpath(path, folder)] = (status.st_mtime_ns, status.st_size)
            if len(found) > _FILES_MAX:
                return None
    return found


def written(before: State | None, after: State | None) -> list[str]:
    """Files that are new or were changed, by name; the first few, and how many more."""
    if before is None or after is None:
        return []
    changed = {path for path, status in after.items() if before.get(path) != status}
    names = sorted({next((path.removesuffix(end) for end in _BESIDE if path.endswith(end)), path) for path in changed})
    return names[:NAMED] + ([f"{len(names) - NAMED} more"] if len(names) > NAMED else [])
