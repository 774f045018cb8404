"""bridge: bridgecheck's own front end, met as any other server is, by its command line."""

import asyncio
import logging
import socket
from collections.abc import Sequence

from . import Adapter, App, Start, serve_until


class Bridge(Adapter):
    module = "bridgecheck.bridge"
    taken = frozenset({"host", "port", "uds", "app-dir", "factory"})
    own_options = None
    packages = ("bridgecheck", "uvloop")

    def arguments(self, start: Start) -> list[str]:
        return [start.app, "--host", start.host, "--port", str(start.port), *start.long_options()]

    async def serve(self, app: App, sock: socket.socket, options: Sequence[str], lifespan: bool, stop: asyncio.Event) -> None:
        from dataclasses import replace

        from bridgecheck.bridge import logs
        from bridgecheck.bridge.command import serve
        from bridgecheck.bridge.options import Options
        from bridgecheck.bridge.server import Server

        for logger in (logs.logger, logs.access_logger):
            logger.setLevel(logging.CRITICAL)
        given = Options(**serve.make_context("serve", ["app:app", *options]).params)
        server = Server(replace(given, app=app, access_log=False, lifespan=given.lifespan if lifespan else "off"))
        await serve_until(stop, server, sock)

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        from bridgecheck.bridge.command import serve
        from bridgecheck.bridge.server import loop_factory

        given = serve.make_context("serve", list(arguments)).params
        make_loop = loop_factory(given["loop"])
        loop = make_loop() if make_loop else None
        name = type(loop).__module__.partition(".")[0] if loop else "none"
        return {"http": "llhttp", "loop": name, "ws": "none" if given["ws"] == "none" else "native"}
