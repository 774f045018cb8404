"""How an app is found and what it is taken for, held against uvicorn's own loading."""

import asyncio
import functools
import logging
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from bridgecheck.bridge import application
from bridgecheck.bridge.trace import Traced

from .lines import recorded

MODULES = {
    "good.py": """
        from types import SimpleNamespace
        async def app(scope, receive, send): ...
        def factory(): return app
        def faulty(): raise ValueError("faulty")
        def typed(): return None + 1
        def needy(argument): ...
        def double(scope):
            async def call(receive, send): ...
            return call
        class Class:
            def __init__(self, scope): ...
            def __await__(self): ...
        class Nested:
            inner = SimpleNamespace(app=app, number=5)
        nothing = None
        """,
    "broken.py": "import no_such_module_at_all",
    "wrong.py": "1 +",
    "raises.py": "raise RuntimeError('at import')",
    "attribute.py": "import sys; sys.nothing_of_that_name",
    "dynamic.py": """
        asked = []
        def __getattr__(name):
            if name != "app":
                raise AttributeError(name)
            asked.append(name)
            async def app(scope, receive, send): ...
            return app
        """,
    "package/__init__.py": "",
    "package/inner.py": "async def app(scope, receive, send): ...",
}
REFERENCES = [
    "good:app", "good:factory", "good:faulty", "good:typed", "good:needy", "good:double", "good:Class", "good:Nested.inner.app",
    "good:Nested.inner.number",
    "good:Nested.inner.none", "good:none", "good:nothing", "good", "good:", ":app", "", ":", "good:app:more", "good:.app",
    "good:app.", "no_such:app",
    "no.such:app", "package.inner:app", "package.none:app", "package:inner", "broken:app", "wrong:app", "raises:app",
    "attribute:app", ".good:app",
    "dynamic:app", "dynamic:other", "good :app", "good.py:app", "good/app:app",
]  # fmt: skip


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in MODULES:
        sys.modules.pop(name.removesuffix(".py").replace("/", "."), None)
    for name in ("package", "package.inner"):
        sys.modules.pop(name, None)


def outcome(load: Callable[[], tuple[Any, str]]) -> Any:
    """What became of it (the app's kind and version, an exit code, an exception) and what was logged."""
    with recorded() as lines:
        try:
            app, version = load()
            end: Any = (getattr(app, "app", app), version)
        except SystemExit as error:
            end = ("exit", error.code)
        except Exception as error:
            end = (type(error), str(error))
    return end, lines


def ours(reference: Any, **options: Any) -> Any:
    def load() -> tuple[Any, str]:
        application.find_app(reference)
        return application.load(reference, **options)

    return outcome(load)


def theirs(reference: Any, **options: Any) -> Any:
    def load() -> tuple[Any, str]:
        config = uvicorn.Config(reference, log_config=None, proxy_headers=False, **options)
        config.load_app()
        config.load()
        return config.loaded_app, config.asgi_version

    return outcome(load)


@pytest.mark.parametrize("factory", [False, True])
@pytest.mark.parametrize("reference", REFERENCES)
def test_an_import_string(reference: str, factory: bool) -> None:
    found = ours(reference, factory=factory)
    asked = len(getattr(sys.modules.get("dynamic"), "asked", []))
    for name in list(sys.modules):
        if name.split(".")[0] in ("dynamic", "good"):
            del sys.modules[name]
    expected = theirs(reference, factory=factory)
    assert (named(found[0]), found[1]) == (named(expected[0]), expected[1])
    assert asked == len(getattr(sys.modules.get("dynamic"), "asked", []))


def named(end: Any) -> Any:
    """Without the identity of what was imported twice."""
    return tuple(getattr(part, "__qualname__", part) if not isinstance(part, int) else part for part in end)


def test_the_words_of_the_errors() -> None:
    said = {reference: ours(reference) for reference in ("good", "no_such:app", "good:none")}
    assert [lines for _, lines in said.values()] == [
        [("ERROR", 'Error loading ASGI app. Import string "good" must be in format "<module>:<attribute>".', None)],
        [("ERROR", 'Error loading ASGI app. Could not import module "no_such".', None)],
        [("ERROR", 'Error loading ASGI app. Attribute "none" not found in module "good".', None)],
    ]
    assert {end for end, _ in said.values()} == {("exit", 3)}


async def function(scope: Any, receive: Any, send: Any) -> None: ...


def plain(scope: Any) -> Any: ...


async def with_defaults(scope: Any = None, receive: Any = None, send: Any = None) -> None: ...


class Callee:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...

    def double(self, scope: Any) -> Any: ...


class Double:
    def __call__(self, scope: Any) -> Any: ...


class Awaitable:
    def __init__(self, scope: Any) -> None: ...

    def __await__(self) -> Any: ...


class Marked:
    def __init__(self, scope: Any) -> None: ...


class Other(type):
    def __call__(cls, *arguments: Any) -> Any:
        raise TypeError("never made")

    def __await__(cls) -> Any: ...


def marked(scope: Any, receive: Any, send: Any) -> Any: ...


if sys.version_info < (3, 14):
    marked._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]

APPS = [
    function, plain, with_defaults, Callee(), Callee().method, Callee().double, Double(), Awaitable, Marked, Other("Made", (), {}), marked,
    functools.partial(function), functools.partial(plain), functools.partial(Callee().method), lambda scope: None,
    lambda: function, lambda: plain,
    lambda: Callee(), Callee, 5, None, object(), print, len, dict, "".join,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("interface", ["auto", "asgi3", "asgi2"])
@pytest.mark.parametrize("app", APPS, ids=repr)
def test_what_an_app_is_taken_for(app: Any, interface: str) -> None:
    (found, version), lines = ours(app, interface=interface)
    (expected, expected_version), expected_lines = theirs(app, interface=interface)
    assert (version, lines) == (expected_version, expected_lines)
    assert found is expected or type(found) is type(expected)


@pytest.mark.parametrize("interface", ["auto", "asgi3", "asgi2"])
def test_asgi3_is_called_as_it_is_and_asgi2_through_a_coroutine_method(interface: str) -> None:
    assert application.load(function, interface=interface).call is function or interface == "asgi2"
    call, version = application.load(plain, interface=interface)
    assert (call is plain) is (interface == "asgi3")
    assert version == ("3.0" if interface == "asgi3" else "2.0")


def test_asgi2_is_called_twice() -> None:
    calls: list[Any] = []

    def app(scope: Any) -> Any:
        calls.append(scope)

        async def call(*faces: Any) -> str:
            calls.append(faces)
            return "dropped"

        return call

    assert asyncio.run(application.load(app, interface="asgi2").call("scope", "receive", "send")) is None
    assert calls == ["scope", ("receive", "send")]


@pytest.mark.parametrize(("level", "traced"), [(5, True), (4, True), (6, False), (logging.DEBUG, False)])
def test_trace_wraps_the_app(level: int, traced: bool) -> None:
    with recorded(level=level):
        call, _ = application.load(function)
    assert isinstance(call, Traced) is traced
