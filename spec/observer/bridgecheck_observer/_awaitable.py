"""Watches an awaitable that a plain callable returned, without becoming something else.

A coroutine is watched by a coroutine. Any other awaitable (granian's) gets a stand-in of the same name, with the same attributes: what
refuses the real one refuses the stand-in, and a future-like object stays future-like. The event loop deals with the real one throughout.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

_OF_ANY_OBJECT = frozenset(dir(object)) | {"__dict__", "__weakref__", "__slots__", "__del__"}


def watch(awaitable: Any, finished: Callable[[Any], Any], failed: Callable[[BaseException], Any]) -> Any:
    """The same, and `finished(value)` or `failed(exception)` is called as it comes to its end."""
    if asyncio.iscoroutine(awaitable):
        return _watch_coroutine(awaitable, finished, failed)
    kind = type(awaitable)
    if not hasattr(kind, "__await__"):
        finished(awaitable)
        return awaitable
    return _stand_in(kind)(awaitable, finished, failed)


async def _watch_coroutine(coroutine, finished, failed):
    try:
        value = await coroutine
    except BaseException as error:
        failed(error)
        raise
    finished(value)
    return value


class _StandIn:
    __slots__ = ("_bridgecheck_real", "_bridgecheck_finished", "_bridgecheck_failed", "__weakref__")

    def __init__(self, real, finished, failed):
        self._bridgecheck_real = real
        self._bridgecheck_finished = finished
        self._bridgecheck_failed = failed

    def __repr__(self):
        return repr(self._bridgecheck_real)

    def _bridgecheck_end(self, finished, outcome):
        """The value may be asked for again (a future's result); it is recorded once."""
        tell = self._bridgecheck_finished if finished else self._bridgecheck_failed
        if tell is not None:
            self._bridgecheck_finished = self._bridgecheck_failed = None
            tell(outcome)


def _run(self):
    try:
        value = yield from self._bridgecheck_real.__await__()
    except BaseException as error:
        self._bridgecheck_end(False, error)
        raise
    self._bridgecheck_end(True, value)
    return value


def _next(self):
    try:
        return next(self._bridgecheck_real)
    except StopIteration as stop:
        self._bridgecheck_end(True, stop.value)
        raise
    except BaseException as error:
        self._bridgecheck_end(False, error)
        raise


def _result(self):
    try:
        value = self._bridgecheck_real.result()
    except BaseException as error:
        if self._bridgecheck_real.done():
            self._bridgecheck_end(False, error)
        raise
    self._bridgecheck_end(True, value)
    return value


_WATCHED = {"__await__": _run, "__iter__": _run, "__next__": _next, "result": _result}


def _forward(name):
    return property(
        lambda self: getattr(self._bridgecheck_real, name),
        lambda self, value: setattr(self._bridgecheck_real, name, value),
        lambda self: delattr(self._bridgecheck_real, name),
    )


@functools.lru_cache(maxsize=64)
def _stand_in(kind: type) -> type:
    """The stand-in for a type's instances."""
    attributes = {name: _WATCHED.get(name) or _forward(name) for name in dir(kind) if name not in _OF_ANY_OBJECT}
    attributes.update(__slots__=(), __module__=kind.__module__, __qualname__=kind.__qualname__)
    return type(kind.__name__, (_StandIn,), attributes)
