"""bridge: bridgecheck's own front end, met as any other server is, by its command line."""

from . import Adapter, Start


class Bridge(Adapter):
    module = "bridgecheck.bridge"
    taken = frozenset({"host", "port", "uds", "app-dir", "factory"})
    own_options = None
    packages = ("bridgecheck", "uvloop")

    def arguments(self, start: Start) -> list[str]:
        return [start.app, "--host", start.host, "--port", str(start.port), *start.long_options()]

    @staticmethod
    def resolved(arguments: list[str]) -> dict[str, str]:
        from bridgecheck.bridge.command import serve
        from bridgecheck.bridge.server import loop_factory

        make_loop = loop_factory(serve.make_context("serve", list(arguments)).params["loop"])
        loop = make_loop() if make_loop else None
        return {"http": "llhttp", "loop": type(loop).__module__.partition(".")[0] if loop else "none"}
