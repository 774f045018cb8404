"""What one run of the tests brought back: each test's outcome, and each exchange that it made over a socket.

Owns these records and the file that carries them from the run's process to the one that compares, written test by test, so that a server
that takes the process with it leaves all that came before. Knows nothing of pytest, sockets or comparison.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Exchange:
    """A request with what came back, or a WebSocket with all that was said over it."""

    method: str
    target: str
    app: str  # module:attribute, "" where no module holds it
    port: int = 0  # that the server listened on
    time: float = 0.0  # when its response came, in seconds since the epoch
    connection: dict[str, Any] = field(default_factory=dict)  # as the player writes it (_player.pyi)
    steps: list[tuple[str, Any]] = field(default_factory=list)  # what was sent and waited for, in order

    @property
    def status(self) -> int | None:
        responses = self.connection.get("responses", ())
        return responses[-1]["status"] if responses else None


@dataclass
class Test:
    """One test in one run."""

    name: str  # its node id; in a file, its identity
    outcome: str = ""  # passed, failed, error, skipped, xfailed, xpassed; "" while it runs
    message: str = ""  # the line that says why, where it did not pass
    notes: list[str] = field(default_factory=list)  # what it asked for that no socket carries
    exchanges: list[Exchange] = field(default_factory=list)


class Journal:
    """The file, for writing."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.test = Test("")  # traffic before the first test belongs to none

    def begin(self, name: str) -> None:
        self.test = Test(name)
        self._write(self.test)

    def end(self) -> None:
        self._write(self.test)

    def note(self, text: str) -> None:
        if text not in self.test.notes:
            self.test.notes.append(text)

    def close(self) -> None:
        self._file.close()

    def _write(self, test: Test) -> None:
        pickle.dump(test, self._file)
        self._file.flush()


def read(path: Path) -> dict[str, Test]:
    """The tests by name, in the order they ran. One whose outcome is "" was under way when the process ended."""
    return {test.name: test for test in _read(path)}


def _read(path: Path) -> Iterator[Test]:
    with path.open("rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except (EOFError, pickle.UnpicklingError):
                return
