"""Entry points: which app a project's folder holds, as its own people name it to uvicorn or to `fastapi run`.

Owns where is looked, and in which order. Knows how an app's module looks from module_source.py, and how a server is started from
start_command.py, both beside it; imports nothing of the project and runs nothing of it. Chooses nothing: where several are found, all are
given.
"""

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .module_source import Definition, ModuleSource, Project
from .start_command import FILES as COMMAND_FILES
from .start_command import StartCommand, start_commands

FILES = ("main.py", "app.py", "api.py", "asgi.py", "application.py", "server.py")
FOLDERS = ("", "app", "src", "src/app")
_SKIPPED = {"node_modules", "build", "dist", "site-packages", "__pycache__", "test", "tests", "venv", "env"}
_FILES_MAX = 2000  # Python files that are read where none of the usual ones holds an app
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Entrypoint:
    """An app that was found."""

    reference: str  # module:attribute
    app_dir: str  # the folder that it is imported from, relative to the one that was searched
    factory: bool
    where: str  # file and line, or the key that names it


@dataclass(frozen=True)
class Search:
    """What a search came to: one entry point, several, or none and where it looked."""

    found: list[Entrypoint]
    looked: list[str]


def find(folder: Path) -> Search:
    """What the project says itself: in its settings, in calls of uvicorn.run, in the commands that start it; else what stands in the usual
    files; else what stands in any other. Apps come before factories."""
    looked = [
        "pyproject.toml ([tool.fastapi] entrypoint, [project.scripts])",
        f"commands that start a server ({', '.join(COMMAND_FILES)})",
    ]
    project = Project(folder)
    settings = _settings(folder)
    named = _value(settings, "tool", "fastapi", "entrypoint")
    if isinstance(named, str) and _REFERENCE.fullmatch(named):
        return Search([Entrypoint(named, _home(folder, named), False, "pyproject.toml [tool.fastapi] entrypoint")], looked)
    usual = [Path(inside, name) for inside in FOLDERS for name in FILES]
    looked.append(f"{', '.join(FILES)} here and in {', '.join(f'{inside}/' for inside in FOLDERS if inside)}")
    modules = [module for path in usual if (module := project.file(folder / path))]
    # What the project's own commands and main files give to a server is what it is served as.
    run = {run.reference: run for module in [*_scripts(project, settings), *modules] for run in module.runs}
    started = [Entrypoint(r.reference, _home(folder, r.reference), r.factory, _where(folder, r)) for r in run.values() if _known(folder, r)]
    if len(started) == 1:
        return Search(started, looked)
    commanded = {made.reference: made for command in start_commands(folder) if (made := _commanded(folder, project, command))}
    if len(commanded) == 1:
        return Search(list(commanded.values()), looked)
    if found := _found(folder, modules):
        return Search(found, looked)
    others = [module for path in _others(folder, set(usual)) if (module := project.file(path))]
    looked.append(f"{len(others)} other Python files under {folder.resolve()}, without tests and environments")
    return Search(_found(folder, others, own_file=True), looked)  # any of these files may import it, for whatever reason


def _settings(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):  # a project need not have one, and one that cannot be read is not ours to judge
        return {}


def _value(settings: Any, *keys: str) -> Any:
    for key in keys:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings


def _scripts(project: Project, settings: dict[str, Any]) -> Iterator[ModuleSource]:
    """The modules of the commands that the project installs."""
    tables = (_value(settings, "project", "scripts"), _value(settings, "tool", "poetry", "scripts"))
    for target in (target for table in tables if isinstance(table, dict) for target in table.values()):
        if isinstance(target, str) and (module := project.module(target.partition(":")[0].strip())):
            yield module


def _home(folder: Path, reference: str) -> str:
    """The folder, relative to this one, from which that module can be imported."""
    first = reference.partition(":")[0].partition(".")[0]
    there = [home for home in (".", "src") if (folder / home / first).is_dir() or (folder / home / f"{first}.py").is_file()]
    return there[0] if there else "."


def _known(folder: Path, definition: Definition) -> bool:
    """Whether the module that a literal names is one of this project's."""
    if not _REFERENCE.fullmatch(definition.reference):
        return False
    inside = Path(*definition.reference.partition(":")[0].split("."))
    return any((folder / home / inside).with_suffix(".py").is_file() or (folder / home / inside).is_dir() for home in (".", "src"))


def _commanded(folder: Path, project: Project, command: StartCommand) -> Entrypoint | None:
    """The app that a command names, where there is one. Where the command runs is not known: in the project's folder, where its file
    stands, or in a folder below that an image takes its files from."""
    dotted, _, name = command.reference.partition(":")
    beside = command.file.parent
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    homes = [folder, folder / "src", beside, beside / "src", *below]
    for home in ([home / command.app_dir for home in homes] if command.app_dir else []) + homes:
        module = project.module_in(home, dotted)
        if module and name in module.names:
            where = f"{os.path.relpath(command.file, folder)}:{command.line}"
            return Entrypoint(command.reference, os.path.relpath(home, folder), command.factory, where)
    return None


def _where(folder: Path, definition: Definition) -> str:
    return f"{os.path.relpath(definition.file, folder)}:{definition.line}"


def _found(folder: Path, modules: list[ModuleSource], own_file: bool = False) -> list[Entrypoint]:
    """The apps of these modules, or, where there is none, the factories; without those that another one holds inside. An app has the name
    that the first module has for it, or, with `own_file`, the one that makes it."""
    held = {definition for module in modules for definition in module.held}
    for factory in (False, True):
        entrypoints: dict[Definition, Entrypoint] = {}
        for module in modules:
            for name, definition in module.factories.items() if factory else module.apps.items():
                if definition not in held:
                    home, dotted = _importable(folder, module)
                    made = Entrypoint(f"{dotted}:{name}", home, factory, _where(folder, definition))
                    if definition not in entrypoints or (own_file and module.path == definition.file):
                        entrypoints[definition] = made
        if entrypoints:
            return list(entrypoints.values())
    return []


def _importable(folder: Path, module: ModuleSource) -> tuple[str, str]:
    """The folder to import from, relative to the searched one, and the dotted name. Packages are what has an __init__.py; a folder
    without one is on the path itself where its modules import each other by their bare names, or where it is called src."""
    path = module.path
    home = path.parent
    while home != folder and (home / "__init__.py").is_file():
        home = home.parent
    if home != folder and home == path.parent and home.name != "src" and not module.imports_siblings:
        above = folder / "src" if home.is_relative_to(folder / "src") else folder
        if all(part.isidentifier() for part in home.relative_to(above).parts):
            home = above
    parts = [*path.relative_to(home).parent.parts, *(() if path.stem == "__init__" else (path.stem,))]
    return os.path.relpath(home, folder), ".".join(parts)


def _others(folder: Path, usual: set[Path]) -> Iterator[Path]:
    count = 0
    for at, folders, files in os.walk(folder):
        inside = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED and not name.endswith(".egg-info"))
        folders[:] = [name for name in inside if not (Path(at, name) / "pyvenv.cfg").exists()]
        for name in sorted(files):
            path = Path(at, name)
            if not name.endswith(".py") or name.startswith("test_") or name == "conftest.py" or path.relative_to(folder) in usual:
                continue
            count += 1
            if count > _FILES_MAX:
                return
            yield path
