"""A small shop on FastAPI and SQLite: the app that bridgecheck shows itself on.

It is written as any project's app would be, and must not know that it is being watched.
"""

from .application import app

__all__ = ["app"]
