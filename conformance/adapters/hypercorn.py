"""hypercorn."""

from . import Adapter, Start


class Hypercorn(Adapter):
    module = "hypercorn"
    taken = frozenset({"bind", "insecure-bind", "quic-bind"})
    own_options = {"root-path": "root-path", "timeout-keep-alive": "keep-alive", "timeout-graceful-shutdown": "graceful-timeout"}
    packages = ("hypercorn", "h11", "h2", "wsproto", "uvloop", "trio")

    def arguments(self, start: Start) -> list[str]:
        return ["--bind", f"{start.host}:{start.port}", *start.long_options(), start.app]

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        import hypercorn.__main__ as program

        configured = []
        program.run = lambda config: configured.append(config) or 0
        program.main(list(arguments))
        return {"loop": configured[0].worker_class}
