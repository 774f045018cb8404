"""The source of a module: which names in it are ASGI apps, or functions that make one, as far as the text alone says.

Owns what an app looks like in Python's syntax. Knows ast; imports and runs nothing of what it reads, since that may need a database, a key
or an hour.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# What makes an app when it is called, by the name that it is imported under.
_MAKERS = {
    "fastapi.FastAPI",
    "fastapi.applications.FastAPI",
    "starlette.applications.Starlette",
    "litestar.Litestar",
    "quart.Quart",
    "falcon.asgi.App",
    "blacksheep.Application",
    "blacksheep.server.Application",
    "connexion.AsyncApp",
    "django.core.asgi.get_asgi_application",
    "channels.routing.ProtocolTypeRouter",
    "socketio.ASGIApp",
    "engineio.ASGIApp",
}
_CONVENTIONAL = ("app", "application", "api")  # names under which what is only imported is an app of this module, too
_CALL = ("scope", "receive", "send")
_DEPTH_MAX = 8  # of imports from module to module


@dataclass(frozen=True)
class Definition:
    """Where an app is made, or named to a server."""

    file: Path
    reference: str  # the name in that file; for what a call of uvicorn.run names, module:attribute
    line: int
    factory: bool = False


class Project:
    """The modules of a folder, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, ModuleSource | None] = {}

    def file(self, path: Path) -> "ModuleSource | None":
        """None where there is no such file, or where it is no Python of this version."""
        if path not in self._read:
            try:
                tree = ast.parse(path.read_bytes(), str(path))
            except (OSError, SyntaxError, ValueError, RecursionError):
                tree = None
            self._read[path] = ModuleSource(path, tree, self) if tree is not None else None
        return self._read[path]

    def module(self, dotted: str, beside: Path | None = None) -> "ModuleSource | None":
        """The module of that name: in this folder, in its src, or beside the file that imports it."""
        for home in (self.folder, self.folder / "src", *([beside] if beside else [])):
            if module := self.module_in(home, dotted):
                return module
        return None

    def module_in(self, home: Path, dotted: str) -> "ModuleSource | None":
        """The module of that name where `home` is on the path; without a name, the package that `home` is."""
        inside = Path(*dotted.split(".")) if dotted else Path()
        for path in (home / inside / "__init__.py", (home / inside).with_suffix(".py")) if dotted else (home / "__init__.py",):
            if path.is_file():
                return self.file(path)
        return None


class ModuleSource:
    """One module."""

    def __init__(self, path: Path, tree: ast.Module, project: Project) -> None:
        self.path = path
        self._tree = tree
        self._project = project
        self._body = list(_statements(tree.body))
        self._functions = {node.name: node for node in self._body if isinstance(node, ast.FunctionDef)}
        self._coroutines = {node.name: node for node in self._body if isinstance(node, ast.AsyncFunctionDef)}
        self._classes = {node.name: node for node in self._body if isinstance(node, ast.ClassDef)}
        self._imported: dict[str, tuple[str, int, str]] = {}  # name here: module, level, name there ("" for the module itself)
        for node in ast.walk(tree):  # a function's own imports, too: an app is often made in one
            if isinstance(node, ast.Import):
                for name in node.names:
                    self._imported[name.asname or name.name.partition(".")[0]] = (name.name if name.asname else "", 0, "")
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    self._imported[name.asname or name.name] = (node.module or "", node.level, name.name)

    # --- what it holds ------------------------------------------------------------------------------------------------------------------

    @cached_property
    def apps(self) -> dict[str, Definition]:
        """The apps by name: made here, or imported from another module of the project under a name that says so."""
        found: dict[str, Definition] = {}
        for node in self._body:
            for name, value in _assigned(node):
                if name not in found and self._is_app(value, 0):
                    found[name] = Definition(self.path, name, node.lineno)
        for name, node in self._coroutines.items():
            if [argument.arg for argument in node.args.args] == list(_CALL):
                found.setdefault(name, Definition(self.path, name, node.lineno))
        for name in _CONVENTIONAL:
            if name not in found and (definition := self._elsewhere(name, 0)):
                found[name] = definition
        return found

    @cached_property
    def names(self) -> set[str]:
        """What stands in it under a name, be it an app or not."""
        return {*self._imported, *self._functions, *self._coroutines, *self._classes} | {
            name for node in self._body for name in _names(node)
        }

    @cached_property
    def factories(self) -> dict[str, Definition]:
        """Functions that need no argument and return an app."""
        return {
            name: Definition(self.path, name, node.lineno)
            for name, node in self._functions.items()
            if not name.startswith("_") and not _needs_arguments(node) and self._makes_app(node, 0)
        }

    @cached_property
    def held(self) -> set[Definition]:
        """Apps that stand inside another one: what is mounted, or wrapped in one that has a name of its own."""
        found: set[Definition] = set()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "mount":
                found |= self._named(node)
        for node in self._body:
            for name, value in _assigned(node):
                if isinstance(value, ast.Call) and self._is_app(value, 0):
                    found |= {definition for definition in self._named(value) if definition != self.apps.get(name)}
        return found

    @cached_property
    def runs(self) -> list[Definition]:
        """What is given to uvicorn.run by name."""
        found = []
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and self._dotted(node.func) in ("uvicorn.run", "uvicorn.main.run"):
                given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "app")]
                factory = any(k.arg == "factory" and isinstance(k.value, ast.Constant) and k.value.value is True for k in node.keywords)
                found += [
                    Definition(self.path, item.value, node.lineno, factory)
                    for item in given
                    if isinstance(item, ast.Constant) and isinstance(item.value, str)
                ]
        return found

    @cached_property
    def imports_siblings(self) -> bool:
        """Whether it imports a module of its own folder by its bare name, so that this folder has to be on the path."""
        firsts = {module.partition(".")[0] for module, level, _ in self._imported.values() if level == 0 and module}
        firsts |= {name for name, (module, level, _) in self._imported.items() if level == 0 and not module}
        beside = self.path.parent
        return any((beside / f"{name}.py").is_file() or (beside / name / "__init__.py").is_file() for name in firsts)

    # --- how ----------------------------------------------------------------------------------------------------------------------------

    def _named(self, call: ast.Call) -> set[Definition]:
        """The apps that a call has among its arguments."""
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        names = [item.id for item in given if isinstance(item, ast.Name)]
        return {found for name in names if (found := self.apps.get(name) or self._elsewhere(name, 0))}

    def _dotted(self, node: ast.AST) -> str:
        """The name under which the world knows it: `FastAPI` as `fastapi.FastAPI`; empty where that cannot be told."""
        if isinstance(node, ast.Attribute):
            inner = self._dotted(node.value)
            return f"{inner}.{node.attr}" if inner else ""
        if isinstance(node, ast.Name) and node.id in self._imported:
            module, level, name = self._imported[node.id]
            return "" if level else ".".join(filter(None, (module, name))) or node.id
        return ""

    def _origin(self, name: str) -> "tuple[ModuleSource, str] | None":
        """The project's own module that a name is imported from, and its name there."""
        if name not in self._imported:
            return None
        dotted, level, there = self._imported[name]
        if level:
            beside = self.path.parents[level - 1] if level <= len(self.path.parents) else self.path.parent
            inside = beside.joinpath(*dotted.split(".")) if dotted else beside
            module = self._project.file(inside.with_suffix(".py")) if dotted else None
            module = module or self._project.file(inside / "__init__.py")
        else:
            module = self._project.module(dotted, self.path.parent) if dotted and there else None
        return (module, there) if module and module is not self else None

    def _elsewhere(self, name: str, depth: int) -> Definition | None:
        """The app that a name of this module is, by import from another module of the project."""
        origin = self._origin(name) if depth < _DEPTH_MAX else None
        if origin is None:
            return None
        module, there = origin
        for node in module._body:
            for made, value in _assigned(node):
                if made == there and module._is_app(value, depth + 1):
                    return Definition(module.path, there, node.lineno)
        return module._elsewhere(there, depth + 1)

    def _is_maker(self, node: ast.AST, depth: int) -> bool:
        """Whether a call of it gives an app."""
        if depth >= _DEPTH_MAX:
            return False
        if self._dotted(node) in _MAKERS:
            return True
        if not isinstance(node, ast.Name):
            return False
        if node.id in self._classes:
            made = self._classes[node.id]
            return any(self._is_maker(base, depth + 1) for base in made.bases) or any(map(_is_asgi_call, made.body))
        if node.id in self._functions:
            return self._makes_app(self._functions[node.id], depth + 1)
        origin = self._origin(node.id)
        return origin is not None and origin[0]._is_maker(ast.Name(origin[1]), depth + 1)

    def _is_app(self, value: ast.AST, depth: int) -> bool:
        return isinstance(value, ast.Call) and self._is_maker(value.func, depth)

    def _makes_app(self, function: ast.FunctionDef, depth: int) -> bool:
        if function.returns is not None and self._dotted(function.returns) in _MAKERS:
            return True
        inside = list(_statements(function.body))
        local = {name for node in inside for name, value in _assigned(node) if self._is_app(value, depth)}
        returned = [node.value for node in inside if isinstance(node, ast.Return) and node.value is not None]
        return any(self._is_app(value, depth) or (isinstance(value, ast.Name) and value.id in local) for value in returned)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when this is run: those inside if, try and with, too, but for what stands behind `__name__ == "__main__"`."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and _is_main(node.test):
            yield from _statements(node.orelse)
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.AsyncWith):
            for field in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value


def _names(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return (inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name))


def _is_asgi_call(node: ast.stmt) -> bool:
    """`async def __call__(self, scope, receive, send)`."""
    named = isinstance(node, ast.AsyncFunctionDef) and node.name == "__call__"
    return named and [argument.arg for argument in node.args.args[1:]] == list(_CALL)  # type: ignore[attr-defined]


def _needs_arguments(function: ast.FunctionDef) -> bool:
    given = function.args
    positional = len(given.posonlyargs) + len(given.args) - len(given.defaults)
    return positional > 0 or any(default is None for default in given.kw_defaults)
