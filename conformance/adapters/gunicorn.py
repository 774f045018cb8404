"""gunicorn with its own ASGI worker; `worker-class=…` names another one."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence

from . import Adapter, App, Start, Unsupported


class Gunicorn(Adapter):
    module = "gunicorn"
    taken = frozenset({"bind", "daemon", "control-socket"})
    own_options = {
        "root-path": "root-path",
        "timeout-keep-alive": "keep-alive",
        "timeout-graceful-shutdown": "graceful-timeout",
        "lifespan": "asgi-lifespan",
        "forwarded-allow-ips": "forwarded-allow-ips",
    }
    packages = ("gunicorn", "gunicorn_h1c", "uvloop")

    def arguments(self, start: Start) -> list[str]:
        # Its control socket lies in the user's home by default, where two targets, or a gunicorn at work there, would meet.
        own = ["-k", "asgi", "--bind", f"{start.host}:{start.port}", "--control-socket", os.path.join(start.workdir, "gunicorn.ctl")]
        return [*own, *start.long_options(), start.app]

    async def serve(self, app: App, sock: socket.socket, options: Sequence[str], lifespan: bool, stop: asyncio.Event) -> None:
        """The worker without the arbiter, which would fork it."""
        import sys
        import types

        from gunicorn.app.wsgiapp import WSGIApplication
        from gunicorn.workers.gasgi import ASGIWorker

        given, sys.argv = sys.argv, ["gunicorn", "-k", "asgi", "--log-level", "critical", *options, "app:app"]
        try:
            settings = WSGIApplication().cfg
        finally:
            sys.argv = given
        if settings.worker_class is not ASGIWorker:
            raise Unsupported("only its own ASGI worker serves an app that is made in a test")
        if not lifespan:
            settings.set("asgi_lifespan", "off")
        listening = types.SimpleNamespace(sock=sock)
        worker = ASGIWorker(0, os.getppid(), [listening], None, 0, settings, settings.logger_class(settings))
        worker.loop, worker.asgi = asyncio.get_running_loop(), app
        task = asyncio.current_task()
        assert task is not None

        async def end() -> None:
            await stop.wait()
            task.cancel()  # which the worker takes for the end of its second's sleep

        ending = asyncio.create_task(end())
        try:
            await worker._serve()
        finally:
            ending.cancel()
            with contextlib.suppress(OSError):
                worker.tmp.close()

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        import logging
        import sys
        import types

        from gunicorn.app.wsgiapp import WSGIApplication

        sys.argv = ["gunicorn", *arguments]
        settings = WSGIApplication().cfg
        found = {"worker": settings.worker_class_str}
        if found["worker"] == "asgi":
            from gunicorn.asgi.protocol import ASGIProtocol
            from gunicorn.workers.gasgi import ASGIWorker

            worker = types.SimpleNamespace(cfg=settings, log=logging.getLogger("gunicorn"))
            ASGIWorker._setup_event_loop(worker)
            found["loop"] = type(worker.loop).__module__.partition(".")[0]
            fast = settings.http_parser != "python" and ASGIProtocol._check_h1c_protocol_available()
            found["http"] = "gunicorn_h1c" if fast else "python"
        return found
