"""The app that targets serve: how it is named, what environment it gets, and whether it is there at all.

Knows the observer's environment and the interpreter's search path. Knows nothing of servers, ports or processes.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from ..errors import UsageError
from . import interpreter

OBSERVED = "bridgecheck_observer:app"  # the app under the observer

_REFERENCE = re.compile(r"[^\s:]+:[^\s:]+")


@dataclass(frozen=True)
class App:
    """`module:attribute`, as uvicorn's."""

    reference: str
    factory: bool = False
    app_dir: str = "."
    state: Sequence[str] = ()  # files and folders that are copied into each target's working folder
    environment: Mapping[str, str] = field(default_factory=dict)  # with {target} and {workdir} in the values
    observed: bool = True  # the observer stands between it and its server
    disposable: bool = False  # nothing is lost where its server is killed: it is not asked to stop and waited for

    def __post_init__(self) -> None:
        if not _REFERENCE.fullmatch(self.reference):
            raise UsageError(f"{self.reference}: an app is named module:attribute")

    @property
    def imported(self) -> str:
        """What its server is told to import."""
        return OBSERVED if self.observed else self.reference

    def variables(self, target: str = "{target}", workdir: str = "{workdir}") -> dict[str, str]:
        """The environment in which a target's Python has this app under the observer: our own and the app's, with the observer first on
        the search path and the app's folder next."""
        own = {key: value.replace("{target}", target).replace("{workdir}", workdir) for key, value in self.environment.items()}
        observer = str(files("bridgecheck.spec").joinpath("observer"))
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("BRIDGECHECK_")} | own
        path = [observer, os.path.abspath(self.app_dir), *filter(None, [inherited.get("PYTHONPATH")])]
        observed = {"BRIDGECHECK_APP": self.reference, **({"BRIDGECHECK_FACTORY": "1"} if self.factory else {})}
        return {**inherited, "PYTHONPATH": os.pathsep.join(path), **observed}

    def copy_state(self, workdir: Path) -> None:
        """Raises UsageError."""
        for item in map(Path, self.state):
            try:
                copy = shutil.copytree if item.is_dir() else shutil.copy2
                copy(item, workdir / item.resolve().name)
            except (OSError, shutil.Error) as error:
                raise UsageError(f"[app] state {item}: {getattr(error, 'strerror', None) or error}") from None


_CHECK = """
def answer():
    import importlib, inspect, traceback

    def raised(doing, error):
        place = error.__traceback__
        while place and place.tb_frame.f_code.co_filename.startswith(("<", importlib.__file__)):
            place = place.tb_next
        lines = "".join(traceback.format_exception(type(error), error, place)).splitlines()
        return {"problem": "%s raised %s" % (doing, type(error).__name__), "lines": lines}

    module_name, _, attributes = question["reference"].partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            return {"problem": "there is no module %s" % error.name, "searched": True}
        return raised("the import of %s" % module_name, error)
    except BaseException as error:
        return raised("the import of %s" % module_name, error)
    place = "module %s (%s)" % (module_name, getattr(module, "__file__", None) or "without a file")
    found = module
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            return {"problem": "there is no attribute %s in %s" % (attributes, place)}

    def parameters(callable_object, count):
        try:
            inspect.signature(callable_object).bind(*[None] * count)
        except TypeError:
            return False
        except ValueError:  # no signature to be had
            return True
        return True

    if question["factory"]:
        if not callable(found):
            return {"problem": "%s is no factory: %s is not callable" % (attributes, type(found).__name__)}
        try:
            found = found()
        except BaseException as error:
            return raised("the factory %s" % attributes, error)
    kind = type(found).__module__ + "." + type(found).__qualname__
    if not callable(found):
        return {"problem": "%s is no ASGI app: %s is not callable" % (attributes, kind)}
    if not parameters(found, 3) and not parameters(found, 1):
        hint = ""
        if not question["factory"] and parameters(found, 0):
            hint = "; if it makes the app, say --factory"
        elif parameters(found, 2):
            hint = "; with two parameters it looks like WSGI"
        return {"problem": "%s is no ASGI app: it cannot be called with scope, receive and send%s" % (attributes, hint)}
    try:
        import bridgecheck_observer
        bridgecheck_observer.app
    except BaseException as error:
        return raised("under the observer %s" % attributes, error)
    return {}
"""


def check_app(app: App, python: str) -> None:
    """Import the app once in the target's Python, under the observer. Raises UsageError, whose message is all that the user needs."""
    folder = Path(app.app_dir)
    if not folder.is_dir():
        raise UsageError(f"--app-dir {app.app_dir}: no such folder")
    question = {"reference": app.reference, "factory": app.factory}
    with tempfile.TemporaryDirectory(prefix="bridgecheck-") as workdir:
        app.copy_state(Path(workdir))
        try:
            found = interpreter.ask(python, _CHECK, question, app.variables("check", workdir))
        except OSError as error:
            raise UsageError(f"--python {python}: {error.strerror}") from None
        except interpreter.NoAnswer as error:
            raise UsageError(f"{app.reference}: its import {error}") from None
    if not found:
        return
    lines = [f"{app.reference}: {found['problem']}"]
    if found.get("searched"):
        lines.append(f"  looked in {folder.resolve()} (--app-dir) and on the search path of {python}")
    if raised := found.get("lines", [])[-interpreter.LAST_LINES :]:
        lines += [f"  {line}" for line in raised]
        lines.append("  what it needs in its environment can be set there, or by environment under [app] in bridgecheck.toml")
    raise UsageError("\n".join(lines))
