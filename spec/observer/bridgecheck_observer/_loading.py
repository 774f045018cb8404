"""Finds the real app. The messages are uvicorn's own, since that is what its users know."""

import importlib
from typing import Any


class AppNotFound(ImportError):
    """The name does not lead to an app."""


def load(name: str, factory: bool = False) -> Any:
    """The app that `module:attribute` names; what the app's own code raises while it is imported or made passes through."""
    module_name, _, attributes = name.partition(":")
    if not module_name or not attributes:
        raise AppNotFound(f'Import string "{name}" must be in format "<module>:<attribute>".')
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise AppNotFound(f'Could not import module "{module_name}".') from None
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise AppNotFound(f'Attribute "{attributes}" not found in module "{module_name}".') from None
    if factory:
        if not callable(found):
            raise AppNotFound(f'Factory "{attributes}" in module "{module_name}" is not callable.')
        found = found()
    if not callable(found):
        raise AppNotFound(f'"{attributes}" in module "{module_name}" is no ASGI app: {type(found).__name__} is not callable.')
    return found
