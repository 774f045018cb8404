"""uvicorn with faults of our own, for the tests of the measuring tools: wrong_server.py FAULT[,FAULT…] APP PORT LOOP [--no-access-log]

A fault that is a leak happens once per request; a thread is left by every hundredth. What fills a cache is no fault.
"""

import asyncio
import ctypes
import importlib
import itertools
import mmap
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HELD_BYTES = 200
MANY = 350  # requests, until the fault of a server that is well at first
kept: list[Any] = []
calls = itertools.count()
tasks: set[asyncio.Task[Any]] = set()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p


def lose(thing: Any) -> None:
    """A reference that nobody gives back."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def keep_mapping() -> None:
    mapping = mmap.mmap(-1, 16384)
    mapping[::4096] = b"touch"[: len(mapping[::4096])]
    lose(mapping)


def start_thread() -> None:
    if next(calls) % 100 == 0:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()


LEAKS: dict[str, Callable[[], object]] = {
    "objects": lambda: kept.append({}),
    "references": lambda: lose(start_thread),
    "blocks": lambda: lose(os.urandom(8)),
    "malloc": lambda: libc.malloc(HELD_BYTES),
    "descriptors": lambda: os.dup(0),
    "tasks": lambda: tasks.add(asyncio.get_running_loop().create_task(asyncio.sleep(600))),
    "threads": start_thread,
    "mapping": keep_mapping,
}


class Impatient(HttpToolsProtocol):
    """Closes a connection after a second, whatever it does."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.loop.call_later(1.0, transport.close)


def other_order(send: Any) -> Any:
    async def reversing(event: Any) -> None:
        await send({**event, "headers": event["headers"][::-1]} if "headers" in event else event)

    return reversing


def wrong(app: Any, faults: list[str]) -> Any:
    leaks = [LEAKS[fault] for fault in faults if fault in LEAKS]
    requests = 0

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        nonlocal requests
        if scope["type"] == "http" and scope["path"] != "/counts":
            requests += 1
            for leak in leaks:
                leak()
            if "fills-a-cache" in faults and requests == MANY:
                kept.extend({} for _ in range(1000))
            if "stalls" in faults and requests % MANY == 0:
                time.sleep(6)
            if "errs" in faults and requests % MANY == 0:
                scope = {**scope, "path": "/stream"}
            if "dies" in faults and requests % MANY == 0:
                os._exit(7)
        await app(scope, receive, other_order(send) if "other-order" in faults else send)

    return wrapped


def main() -> None:
    faults, app, port, loop, *rest = sys.argv[1:]
    named = faults.split(",")
    module, _, attribute = app.partition(":")
    if "never-stops-writing" in named:
        FlowControl.pause_writing = lambda self: None  # type: ignore[method-assign]
    if "never-stops-reading" in named:
        FlowControl.pause_reading = lambda self: None  # type: ignore[method-assign]
    uvicorn.run(
        wrong(getattr(importlib.import_module(module), attribute), named),
        port=int(port),
        loop=loop,
        http=Impatient if "impatient" in named else "httptools",
        access_log="--no-access-log" not in rest,
    )


if __name__ == "__main__":
    main()
