"""granian."""

from . import Adapter, Start


class Granian(Adapter):
    module = "granian"
    taken = frozenset({"host", "port", "uds", "factory"})
    own_options = {"root-path": "url-path-prefix", "backlog": "backlog"}
    packages = ("granian", "uvloop", "rloop")

    def arguments(self, start: Start) -> list[str]:
        own = ["--interface", "asgi", "--host", start.host, "--port", str(start.port)]
        return [*own, *start.long_options(), start.app]

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
