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

        given = serve.make_context("serve", list(arguments)).params
        make_loop = loop_factory(given["loop"])
        loop = make_loop() if make_loop else None
        name = type(loop).__module__.partition(".")[0] if loop else "none"
        return {"http": "llhttp", "loop": name, "ws": "none" if given["ws"] == "none" else "native"}
