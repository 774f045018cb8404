"""What is said about an app before anything is started."""

import sys
from pathlib import Path

import pytest

from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.targets.application import App, check_app

APPS = """
import sys
print("noise on stdout")
class Asgi2:
    def __init__(self, scope): ...
    async def __call__(self, receive, send): ...
class Callable:
    async def __call__(self, scope, receive, send): ...
async def app(scope, receive, send): ...
def wsgi(environ, start_response): ...
def make(): return app
def make_nothing(): return None
def make_trouble(): raise ValueError("no settings")
def leave(): sys.exit(4)
instance = Callable()
number = 3
class inside:
    app = app
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "apps.py").write_text(APPS)
    (tmp_path / "raises.py").write_text("def inner():\n    return {}['key']\ninner()\n")
    (tmp_path / "needs.py").write_text("import not_installed_anywhere\n")
    (tmp_path / "exits.py").write_text("raise SystemExit('not today')\n")
    (tmp_path / "crashes.py").write_text("import os, sys\nprint('about to fall', file=sys.stderr, flush=True)\nos.abort()\n")
    return tmp_path


@pytest.mark.parametrize("reference", ["apps:app", "apps:instance", "apps:Asgi2", "apps:inside.app"])
def test_an_app_is_fine(folder: Path, reference: str) -> None:
    check_app(App(reference, app_dir=str(folder)), sys.executable)


def test_a_factory_is_fine(folder: Path) -> None:
    check_app(App("apps:make", factory=True, app_dir=str(folder)), sys.executable)


@pytest.mark.parametrize(
    ("reference", "factory", "messages"),
    [
        ("nowhere:app", False, ["there is no module nowhere", "{folder} (--app-dir)", sys.executable]),
        ("package.nowhere:app", False, ["there is no module package.nowhere"]),
        ("apps:nothing", False, ["there is no attribute nothing in module apps ({folder}/apps.py)"]),
        ("apps:inside.nothing", False, ["there is no attribute inside.nothing"]),
        ("apps:number", False, ["number is no ASGI app: builtins.int is not callable"]),
        ("apps:wsgi", False, ["wsgi is no ASGI app", "looks like WSGI"]),
        ("apps:make", False, ["make is no ASGI app", "--factory"]),
        ("apps:make_nothing", True, ["make_nothing is no ASGI app: builtins.NoneType is not callable"]),
        ("apps:number", True, ["number is no factory"]),
        ("apps:make_trouble", True, ["the factory make_trouble raised ValueError", "ValueError: no settings\n  what it needs"]),
        ("apps:leave", True, ["the factory leave raised SystemExit"]),
        (
            "raises:app",
            False,
            [
                'the import of raises raised KeyError\n  Traceback (most recent call last):\n    File "{folder}/raises.py"',
                "in inner",
                "KeyError: 'key'",
            ],
        ),
        ("needs:app", False, ["the import of needs raised ModuleNotFoundError", "No module named 'not_installed_anywhere'"]),
        ("exits:app", False, ["the import of exits raised SystemExit", "not today"]),
        ("crashes:app", False, ["its import ended by signal 6", "about to fall"]),
    ],
)
def test_what_is_no_app_is_a_usage_error_that_says_why(folder: Path, reference: str, factory: bool, messages: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        check_app(App(reference, factory=factory, app_dir=str(folder)), sys.executable)
    for message in messages:
        assert message.replace("{folder}", str(folder)) in str(error.value)
    assert str(error.value).startswith(f"{reference}: ")


@pytest.mark.parametrize("reference", ["app", "apps:", ":app", "", "apps:app:app", "my app:app"])
def test_a_reference_is_module_and_attribute(reference: str) -> None:
    with pytest.raises(UsageError, match="module:attribute"):
        App(reference)


def test_an_interpreter_that_is_none(folder: Path) -> None:
    with pytest.raises(UsageError, match="--python /nowhere/python: No such file"):
        check_app(App("apps:app", app_dir=str(folder)), "/nowhere/python")


def test_a_program_that_is_no_interpreter(folder: Path) -> None:
    with pytest.raises(UsageError, match="ended with exit code 0"):
        check_app(App("apps:app", app_dir=str(folder)), "/bin/true")


def test_a_folder_and_a_state_that_are_none(folder: Path) -> None:
    with pytest.raises(UsageError, match="--app-dir /nowhere"):
        check_app(App("apps:app", app_dir="/nowhere"), sys.executable)
    with pytest.raises(UsageError, match="state /nowhere/file"):
        check_app(App("apps:app", app_dir=str(folder), state=["/nowhere/file"]), sys.executable)


def test_an_app_that_the_environment_decides(folder: Path) -> None:
    """Its files are there already when it is imported, and the user's own are not touched."""
    (folder / "shop.sqlite").write_text("origin")
    (folder / "needy.py").write_text(
        "from apps import app\nimport os\nstate = open(os.environ['STATE'], 'r+')\nassert state.read() == 'origin' and state.write('!')\n"
    )
    app = App("needy:app", app_dir=str(folder), state=[str(folder / "shop.sqlite")], environment={"STATE": "{workdir}/shop.sqlite"})
    check_app(app, sys.executable)
    assert (folder / "shop.sqlite").read_text() == "origin"
