"""What a server in the target's own Python comes to: resolved settings and versions, as that interpreter says. No guess is made."""

import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from typing import Any

from .. import adapters
from ..errors import NotReady
from . import interpreter

FRAMEWORKS = ("fastapi", "starlette")

_ANSWER = """
def answer():
    import platform
    from importlib import metadata

    versions = {"python": platform.python_version()}
    for name in question["packages"]:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    try:
        found = resolved(question["arguments"])
    except BaseException as error:
        found = {"unknown": "%s: %s" % (type(error).__name__, error)}
    return {"resolved": found, "versions": versions}
"""


_FIND = """
def answer():
    import importlib.util

    try:
        return importlib.util.find_spec(question) is None
    except ModuleNotFoundError:  # its package
        return True
"""


def not_installed(python: str, adapter: adapters.Adapter, environment: Mapping[str, str]) -> str | None:
    """The distribution to install, where the interpreter has not what the adapter starts. For who asks why a server did not start."""
    if not adapter.packages:
        return None
    try:
        return adapter.packages[0] if interpreter.ask(python, _FIND, adapter.module, environment) else None
    except (OSError, interpreter.NoAnswer):
        return None


def installed(python: str, name: str, arguments: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """{"resolved": …, "versions": …} of the adapter `name`. Asked once for the same installation."""
    said = _asked(python, name, tuple(arguments), tuple(sorted(environment.items())))
    return {key: dict(value) for key, value in said.items()}


@cache
def _asked(python: str, name: str, arguments: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    adapter = adapters.load(name)
    source = textwrap.dedent(inspect.getsource(adapter.resolved))
    script = source[source.index("def ") :] + _ANSWER  # without its decorator
    question = {"arguments": list(arguments), "packages": [*adapter.packages, *FRAMEWORKS]}
    try:
        return interpreter.ask(python, script, question, dict(environment))
    except (OSError, interpreter.NoAnswer) as error:
        raise NotReady(f"{python}: cannot say what {name} is installed: {error}") from None
