"""A process under the project's guard (conformance/guard): nothing of it is left once it has ended, or the one that started it was killed.

Owns the process and its guard from start to end. Knows nothing of pytest.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from .. import _guard


class Child:
    """Runs from here on; at the end of `with` it is over, and all that it started."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], output: int) -> None:
        self.code: int | None = None  # as subprocess gives it, once it has ended
        words = tuple(map(os.fsencode, command))
        settings = tuple(os.fsencode(f"{name}={value}") for name, value in environment.items())
        self._pid, _, control = _guard.spawn(words, settings, os.fsencode(folder), output)
        self._control = socket.socket(fileno=control)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # it is gone already
            self._control.shutdown(socket.SHUT_WR)  # which tells the guard to kill
        while self._read():
            pass
        self._control.close()
        os.waitpid(self._pid, 0)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, waited for that long."""
        while self.code is None and select.select([self._control], [], [], seconds)[0] and self._read():
            pass
        return self.code is not None

    def _read(self) -> bool:
        """One report of the guard. False if there will be none any more."""
        try:
            message = self._control.recv(64)
        except ConnectionResetError:
            message = b""
        kind, value = _guard.report(message) if message else ("no guard", 9)
        if self.code is None and kind in ("exited", "signalled", "no guard"):
            self.code = value if kind == "exited" else -value
        return bool(message)
