"""daphne."""

from . import Adapter, Start


class Daphne(Adapter):
    module = "daphne"
    taken = frozenset({"bind", "port", "unix-socket", "fd", "endpoint"})
    own_options = {"root-path": "root-path", "proxy-headers": "proxy-headers", "no-server-header": "no-server-name"}
    packages = ("daphne", "twisted", "autobahn")

    def arguments(self, start: Start) -> list[str]:
        return ["-b", start.host, "-p", str(start.port), *start.long_options(), start.app]

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        import daphne.server  # noqa: F401  chooses the reactor
        from twisted.internet import reactor

        loop = getattr(reactor, "_asyncioEventloop", None)
        return {"loop": type(loop).__module__.partition(".")[0] if loop else type(reactor).__name__}
