"""granian."""

import asyncio
import inspect
import socket
from collections.abc import Sequence

from . import Adapter, App, Start

_GIVEN = ("ParameterSource.COMMANDLINE", "ParameterSource.ENVIRONMENT")


class Granian(Adapter):
    module = "granian"
    taken = frozenset({"host", "port", "uds", "factory"})
    own_options = {"root-path": "url-path-prefix", "backlog": "backlog"}
    packages = ("granian", "uvloop", "rloop")

    def arguments(self, start: Start) -> list[str]:
        own = ["--interface", "asgi", "--host", start.host, "--port", str(start.port)]
        return [*own, *start.long_options(), start.app]

    async def serve(self, app: App, sock: socket.socket, options: Sequence[str], lifespan: bool, stop: asyncio.Event) -> None:
        from granian.cli import cli
        from granian.constants import Interfaces
        from granian.server.embed import Server

        context = cli.make_context("granian", ["app:app", *options], auto_envvar_prefix="GRANIAN")
        known = inspect.signature(Server).parameters
        chosen = {name for name in context.params if str(context.get_parameter_source(name)) in _GIVEN}
        given = {name: value for name, value in context.params.items() if name in known and name in chosen}
        host, port = sock.getsockname()  # it binds for itself, beside this socket, which holds the port and never listens
        own = {"target": app, "address": host, "port": port, "interface": Interfaces.ASGI if lifespan else Interfaces.ASGINL}
        server = Server(**given | own | {"log_enabled": False})
        serving = asyncio.create_task(server.serve())
        waiting = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            server.stop()
        await serving

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        from granian._loops import loops
        from granian.cli import cli

        given = cli.make_context("granian", list(arguments), auto_envvar_prefix="GRANIAN").params

        def text(value):
            return str(getattr(value, "value", value))

        return {
            "http": text(given["http"]),
            "interface": text(given["interface"]),
            "loop": type(loops.get(text(given["loop"]))).__module__.partition(".")[0],
            "ws": "on" if given["websockets"] else "off",
        }
