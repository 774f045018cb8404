"""gunicorn with its own ASGI worker; `worker-class=…` names another one."""

import os

from . import Adapter, Start


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
