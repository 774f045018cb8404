"""Adapters: how each server is started, and how an installation says what it resolves to. One file per server, found by being here.

An adapter starts, and nothing else: no verdict, no comparison and no quirk depends on which one it is. docs/adapters.md says how to
add one.
"""

import asyncio
import contextlib
import importlib
import pkgutil
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

App = Callable[..., Awaitable[Any]]  # an ASGI 3 app

TEMPLATE = "template"  # the one that is chosen by the form of SERVER, not by name


@dataclass(frozen=True)
class Start:
    """What a target is started with."""

    python: str  # the interpreter that has the app and the servers
    app: str  # module:attribute that the server is to import
    host: str
    port: int
    workdir: str  # a folder of this start alone
    options: tuple[tuple[str, str | None], ...] = ()  # the user's, in order; None for a flag
    template: tuple[str, ...] = ()

    def long_options(self) -> list[str]:
        """`http=h11` as `--http h11`, a flag as `--flag`. They belong behind the adapter's own, so that the user's word is the last."""
        return [word for key, value in self.options for word in (f"--{key}", value) if word is not None]


class Unsupported(Exception):
    """The server has no such option."""


class Adapter:
    """One server. `python -m MODULE ARGUMENTS`, unless `command` says otherwise."""

    module: str  # run with -m
    taken: frozenset[str] = frozenset({"host", "port"})  # long options that are not the user's to give
    # What exchanges may ask for at a start (docs/exchange.md), and the server's own option of that meaning. None: by the same names.
    own_options: Mapping[str, str] | None = {}
    packages: tuple[str, ...] = ()  # distributions whose versions belong in a report: the server, its parsers, its loops

    def arguments(self, start: Start) -> list[str]:
        raise NotImplementedError

    def command(self, start: Start) -> list[str]:
        return [start.python, "-m", self.module, *self.arguments(start)]

    def environment(self, start: Start) -> dict[str, str]:
        """What the server needs besides the app's own environment."""
        return {}

    def options(self, words: Sequence[str], template: tuple[str, ...] = ()) -> tuple[tuple[str, str | None], ...]:
        """The options that an exchange asks for, as the server's own. Raises Unsupported."""
        found: list[tuple[str, str | None]] = []
        for word in words:
            if not word.startswith("--"):
                key, _ = found.pop()
                found.append((key, word))
                continue
            key = word.removeprefix("--")
            if self.own_options is not None and key not in self.own_options:
                raise Unsupported(word)
            found.append((self.own_options[key] if self.own_options is not None else key, None))
        return tuple(found)

    @property
    def embeds(self) -> bool:
        """Whether it can serve an app object."""
        return type(self).serve is not Adapter.serve

    async def serve(self, app: App, sock: socket.socket, options: Sequence[str], lifespan: bool, stop: asyncio.Event) -> None:
        """Serve this app object in the running loop, silently and without taking signals, until `stop` is set.

        `sock` is bound to the address to serve at, and not listening; it may be taken over. `options` are the server's own long options.
        Raises Unsupported where the server imports its app by name, in a process of its own.
        """
        raise Unsupported("it imports the app by name, in a process of its own")

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        """What these arguments come to in this installation: http, loop, ws.

        This one function's source runs in the target's own interpreter, where nothing else of bridgecheck may be: it imports what it needs
        itself, and asks the server instead of guessing.
        """
        return {}


async def serve_until(stop: asyncio.Event, server: Any, sock: socket.socket) -> None:
    """Run a server object that has the methods of uvicorn's. Signals stay with the program that it is embedded in."""
    server.capture_signals = contextlib.nullcontext

    async def end() -> None:
        await stop.wait()
        server.should_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve(sockets=[sock])
    finally:
        ending.cancel()


@cache
def names() -> tuple[str, ...]:
    """The servers that there is a file for."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != TEMPLATE))


@cache
def load(name: str) -> Adapter:
    """The adapter in the file of that name."""
    module: Any = importlib.import_module(f"{__name__}.{name}")
    found = [item for item in vars(module).values() if isinstance(item, type) and issubclass(item, Adapter) and item is not Adapter]
    if len(found) != 1:
        raise TypeError(f"{module.__file__}: defines {len(found)} adapters, not one")
    return found[0]()
