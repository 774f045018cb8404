"""hypercorn."""

import asyncio
import socket
from collections.abc import Sequence

from . import Adapter, App, Start


class Hypercorn(Adapter):
    module = "hypercorn"
    taken = frozenset({"bind", "insecure-bind", "quic-bind"})
    own_options = {"root-path": "root-path", "timeout-keep-alive": "keep-alive", "timeout-graceful-shutdown": "graceful-timeout"}
    packages = ("hypercorn", "h11", "h2", "wsproto", "uvloop", "trio")

    def arguments(self, start: Start) -> list[str]:
        return ["--bind", f"{start.host}:{start.port}", *start.long_options(), start.app]

    async def serve(self, app: App, sock: socket.socket, options: Sequence[str], lifespan: bool, stop: asyncio.Event) -> None:
        import hypercorn.__main__ as program
        from hypercorn.asyncio import serve

        configured = []
        run, program.run = program.run, lambda config: configured.append(config) or 0
        try:
            program.main(["app:app", *options])
        finally:
            program.run = run
        config = configured[0]
        config.bind = [f"fd://{sock.detach()}"]
        config.accesslog = config.errorlog = None
        await serve(app, config, shutdown_trigger=stop.wait)

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        import hypercorn.__main__ as program

        configured = []
        program.run = lambda config: configured.append(config) or 0
        program.main(list(arguments))
        return {"loop": configured[0].worker_class}
