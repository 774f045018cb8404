"""Finds the user's app by its import string and makes one ASGI 3 callable of whatever is found.

Knows Python's import system and what tells ASGI 2 from 3; nothing of servers. Every failure is one line in the log and exit code 3, save
what the user's own code raises: that keeps its traceback.
"""

import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from .logs import TRACE, logger
from .trace import Traced

if sys.version_info >= (3, 14):
    from inspect import iscoroutinefunction
else:
    from asyncio import iscoroutinefunction  # knows marks of old libraries that inspect's does not

STARTUP_FAILURE = 3  # exit code


class ImportStringError(Exception):
    """An import string that leads nowhere."""


class Application(NamedTuple):
    call: Callable[..., Awaitable[Any]]
    asgi_version: str  # "3.0" or "2.0"


def find(reference: Any) -> Any:
    """The object that `module:attribute.attribute` names. What is no string is the object already."""
    if not isinstance(reference, str):
        return reference
    module_name, _, attributes = reference.partition(":")
    if not module_name or not attributes:
        raise ImportStringError(f'Import string "{reference}" must be in format "<module>:<attribute>".')
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise  # the module is there, and misses one itself
        raise ImportStringError(f'Could not import module "{module_name}".') from None
    try:
        for name in attributes.split("."):
            found = getattr(found, name)
    except AttributeError:
        raise ImportStringError(f'Attribute "{attributes}" not found in module "{module_name}".') from None
    return found


def find_app(reference: Any) -> Any:
    try:
        return find(reference)
    except ImportStringError as error:
        logger.error("Error loading ASGI app. %s", error)
        sys.exit(STARTUP_FAILURE)


def load(reference: Any, *, factory: bool = False, interface: str = "auto") -> Application:
    """The app, ready to be called. A factory is called here, so here is where its loop must run already."""
    app = find_app(reference)
    try:
        app = app()
    except TypeError as error:
        if factory:
            logger.error("Error loading ASGI app factory: %s", error)
            sys.exit(STARTUP_FAILURE)
    else:
        if not factory:
            logger.warning("ASGI app factory detected. Using it, but please consider setting the --factory flag explicitly.")

    if interface == "auto":
        interface = "asgi3" if _is_asgi3(app) else "asgi2"
    call = app if interface == "asgi3" else DoubleCallable(app)
    if logger.getEffectiveLevel() <= TRACE:
        call = Traced(call)
    return Application(call, "3.0" if interface == "asgi3" else "2.0")


def _is_asgi3(app: Any) -> bool:
    if inspect.isclass(app):
        return hasattr(app, "__await__")
    return iscoroutinefunction(app if inspect.isfunction(app) else getattr(app, "__call__", None))  # noqa: B004


class DoubleCallable:
    """An ASGI 2 app, app(scope)(receive, send), called as ASGI 3 does."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope)(receive, send)
