"""The two recorders, ready to be held to one another: each with a folder of its own, and the records it wrote."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .observer_trace import Record, read
from .served import OBSERVER

sys.path.insert(0, str(OBSERVER))
from bridgecheck_observer import _python_recorder, _recorder  # noqa: E402

MODULES = {"c": _recorder, "python": _python_recorder}
COROUTINE_FUNCTION = "coroutine function"
SMALLEST_FILE = 2 << 20


async def receive() -> Any: ...


async def send(message: Any) -> Any: ...


def describe(function: Any) -> str:
    return COROUTINE_FUNCTION if function in (receive, send) else type(function).__name__


class Traced:
    """A recorder and the folder it writes to."""

    def __init__(self, name: str, folder: Path, doorbell: str | None = None, **options: Any) -> None:
        self.name, self.folder = name, folder / name
        self.folder.mkdir(exist_ok=True)
        module = MODULES[name]
        self.recorder = module.Recorder(
            str(self.folder), doorbell, module.Call, describe, COROUTINE_FUNCTION, threading.main_thread().ident, **options
        )

    def begin(self, scope: Any = None) -> Any:
        return self.recorder.begin({"type": "http"} if scope is None else scope, receive, send)

    def records(self) -> list[Record]:
        return [record for file in read(self.folder) for record in file]


def both(tmp_path: Path, act: Callable[[Traced], Any], **options: Any) -> list[list[Record]]:
    found = []
    for name in MODULES:
        traced = Traced(name, tmp_path, **options)
        act(traced)
        found.append(traced.records())
    return found
