"""uvicorn."""

import asyncio
import inspect
import socket
from collections.abc import Sequence

from . import Adapter, App, Start, serve_until


class Uvicorn(Adapter):
    module = "uvicorn"
    taken = frozenset({"host", "port", "uds", "fd", "app-dir", "factory"})
    own_options = None
    packages = ("uvicorn", "httptools", "h11", "uvloop", "websockets", "wsproto")

    def arguments(self, start: Start) -> list[str]:
        return [start.app, "--host", start.host, "--port", str(start.port), *start.long_options()]

    async def serve(self, app: App, sock: socket.socket, options: Sequence[str], lifespan: bool, stop: asyncio.Event) -> None:
        from uvicorn.config import Config
        from uvicorn.main import main
        from uvicorn.server import Server

        given = main.make_context("uvicorn", ["app:app", *options]).params
        given["headers"] = [header.split(":", 1) for header in given["headers"]]
        known = {name: value for name, value in given.items() if name in inspect.signature(Config).parameters}
        quiet = {"log_config": None, "log_level": "critical", "access_log": False}
        server = Server(Config(**known | quiet | {"app": app, "lifespan": known["lifespan"] if lifespan else "off"}))
        try:
            await serve_until(stop, server, sock)
        finally:
            for listening in getattr(server, "servers", ()):
                listening.close()

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        from uvicorn.config import Config
        from uvicorn.main import main

        async def app(scope, receive, send): ...

        given = main.make_context("uvicorn", list(arguments)).params
        config = Config(app, http=given["http"], loop=given["loop"], ws=given["ws"], log_config=None)
        config.load()
        make_loop = config.get_loop_factory()
        loop = make_loop() if make_loop else None

        def named(protocol):
            return protocol.__module__.rpartition(".")[2].removesuffix("_impl").replace("_", "-") if protocol else "none"

        return {
            "http": named(config.http_protocol_class),
            "loop": type(loop).__module__.partition(".")[0] if loop else "none",
            "ws": named(config.ws_protocol_class),
        }
