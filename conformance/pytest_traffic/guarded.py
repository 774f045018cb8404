"""A child process of which nothing is left behind, however this process ends: it runs under a guard (conformance/guard).

Knows nothing of what runs there.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from .. import _guard


class Guarded:
    """Started when it is made; killed, with all that it started, when the block ends. OSError where it cannot be started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, output: int) -> None:
        self.code: int | None = None  # as subprocess has it: negative for a signal; None while it runs
        self._guard, self.pid, control = _guard.spawn(
            tuple(map(os.fsencode, command)),
            tuple(os.fsencode(f"{key}={value}") for key, value in environment.items()),
            os.fsencode(folder),
            output,
        )
        self._control = socket.socket(fileno=control)

    def __enter__(self) -> Guarded:
        return self

    def ended(self, seconds: float) -> bool:
        """Whether it has ended within that time."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while self.code is None and poll.poll(seconds * 1000):
            self._hear()
        return self.code is not None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._control.shutdown(socket.SHUT_WR)  # which tells the guard to kill
        while self._hear():
            pass
        self._control.close()
        os.waitpid(self._guard, 0)

    def _hear(self) -> bool:
        """One report of the guard; False where none will come any more."""
        message = self._control.recv(64)
        if message:
            kind, value = _guard.report(message)
            if kind in ("exited", "signalled"):
                self.code = value if kind == "exited" else -value
        elif self.code is None:
            self.code = -9  # the guard itself was killed, and its child with it
        return bool(message)
