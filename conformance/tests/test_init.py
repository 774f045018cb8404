"""`bridgecheck init`, and what the gate takes for the app where none is named."""

import sys
import tomllib
from pathlib import Path

import click
import pytest

from bridgecheck.conformance.errors import UsageError
from bridgecheck.init import init
from bridgecheck.main import commands, main
from bridgecheck.options import CONFIG, entrypoint

MADE = "from fastapi import FastAPI\napp = FastAPI()\n"
FACTORY = "from fastapi import FastAPI\ndef create_app():\n    return FastAPI()\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["bridgecheck", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def bridgecheck(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    return lambda *arguments: run(*arguments, monkeypatch=monkeypatch, capsys=capsys)


def test_the_file_names_the_app_and_is_understood(folder: Path, bridgecheck) -> None:
    (folder / "main.py").write_text(MADE)
    assert bridgecheck("init") == (0, "bridgecheck.toml: main:app (main.py:2). Next: bridgecheck gate\n", "")
    written = (folder / CONFIG).read_text()
    assert tomllib.loads(written) == {"candidate": "bridge", "app": {"entrypoint": "main:app"}}
    assert written.count("\n#") > 10 and "main.py:2" in written


def test_what_stands_there_as_an_example_can_be_used(folder: Path, bridgecheck) -> None:
    (folder / "main.py").write_text(MADE)
    bridgecheck("init")
    lines = (folder / CONFIG).read_text().splitlines()
    examples = [line.removeprefix("# ") for line in lines if line.startswith("# ") and " = " in line]
    assert len(examples) >= 8
    given = [line for line in lines if not line.startswith("# ") or " = " not in line]
    table = given.index("[app]")
    own = [line for line in examples if line.startswith(("state", "environment"))]
    text = "\n".join([*given[:table], *(line for line in examples if line not in own), *given[table:], *own])
    keys = set(tomllib.loads(text)) - {"app"}
    known = {option.lstrip("-") for parameter in commands.commands["gate"].params for option in parameter.opts}
    assert keys <= known
    (folder / CONFIG).write_text(text)
    (folder / "traffic").mkdir()
    code, _, err = bridgecheck("gate")
    assert (code, err) == (2, "bridgecheck: traffic: no .exchange file in this folder\n")


def test_a_factory_in_src(folder: Path, bridgecheck) -> None:
    (folder / "src").mkdir()
    (folder / "src" / "main.py").write_text(FACTORY)
    assert bridgecheck("init")[0] == 0
    assert tomllib.loads((folder / CONFIG).read_text()) == {
        "candidate": "bridge",
        "app-dir": "src",
        "factory": True,
        "app": {"entrypoint": "main:create_app"},
    }


def test_a_file_that_is_there_stays_unless_it_is_forced(folder: Path, bridgecheck) -> None:
    (folder / "main.py").write_text(MADE)
    (folder / CONFIG).write_text("# mine\n")
    assert bridgecheck("init") == (2, "", "bridgecheck: bridgecheck.toml is there already; --force overwrites it\n")
    assert (folder / CONFIG).read_text() == "# mine\n"
    assert bridgecheck("init", "--force")[0] == 0
    assert "main:app" in (folder / CONFIG).read_text()
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, "main.py"]  # nothing is left over


def test_several_apps_are_listed_with_the_command_for_each(folder: Path, bridgecheck) -> None:
    (folder / "main.py").write_text(MADE)
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text(FACTORY.replace("def create_app():\n    return", "application ="))
    for command in ("init", "gate"):
        code, out, err = bridgecheck(command)
        assert (code, out) == (2, "")
        assert err.splitlines() == [
            "bridgecheck: 2 apps were found; name one:",
            f"  bridgecheck {command} main:app                       # main.py:2",
            f"  bridgecheck {command} app:application --app-dir src  # src/app.py:2",
        ]
    assert not (folder / CONFIG).exists()
    assert bridgecheck("init", "app:application", "--app-dir", "src")[0] == 0
    assert tomllib.loads((folder / CONFIG).read_text())["app"]["entrypoint"] == "app:application"


def test_no_app_is_a_clear_message(folder: Path, bridgecheck) -> None:
    for command in ("init", "gate"):
        code, _, err = bridgecheck(command)
        assert code == 2
        assert f"no ASGI app was found; name it: bridgecheck {command} module:attribute" in err
        assert "main.py, app.py" in err and "0 other Python files" in err


@pytest.mark.parametrize(
    ("arguments", "message"), [(("main",), "module:attribute"), (("--app-dir", "nowhere"), "no such folder")], ids=["name", "folder"]
)
def test_bad_input_of_init(bridgecheck, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = bridgecheck("init", *arguments)
    assert code == 2 and message in err


def context(**meta: object) -> click.Context:
    made = click.Context(init)
    made.meta.update(meta)
    return made


def test_the_command_line_wins_then_the_configuration_then_the_search(folder: Path) -> None:
    (folder / "main.py").write_text(MADE)
    configured = context(**{"bridgecheck.entrypoint": ("other:app", Path(CONFIG))})
    assert entrypoint("third:app", False, ".", configured).reference == "third:app"
    found = entrypoint(None, True, "src", configured)
    assert (found.reference, found.factory, found.app_dir, found.where) == ("other:app", True, "src", "bridgecheck.toml [app] entrypoint")
    assert entrypoint(None, False, ".", context()).reference == "main:app"


def test_a_search_in_another_folder_is_relative_to_this_one(folder: Path) -> None:
    (folder / "backend" / "src").mkdir(parents=True)
    (folder / "backend" / "src" / "main.py").write_text(MADE)
    assert entrypoint(None, False, "backend", context()).app_dir == "backend/src"
    with pytest.raises(UsageError):
        entrypoint(None, False, "elsewhere", context())


@pytest.mark.parametrize("line", ['entrypoint = ["main:app"]', "entry = 3"])
def test_a_wrong_entry_in_the_configuration_is_named(folder: Path, bridgecheck, line: str) -> None:
    (folder / CONFIG).write_text(f"[app]\n{line}\n")
    code, _, err = bridgecheck("gate")
    assert code == 2 and "bridgecheck.toml: [app]" in err
