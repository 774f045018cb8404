"""The faces in process: they answer as the real app would, pass on the very objects, and find the real app or say why not."""

import asyncio
import functools
import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from .observer_trace import Record, read
from .served import OBSERVER, observed, served

sys.path.insert(0, str(OBSERVER))
from bridgecheck_observer import _awaitable, _faces, _loading  # noqa: E402

# Apps, in every shape that a server meets.


async def function(scope: Any, receive: Any, send: Any) -> Any:
    return await receive()


async def other_names(environ: Any, take: Any, give: Any) -> Any:
    return await take()


async def positional(*arguments: Any) -> Any:
    return await arguments[1]()


def returns_coroutine(scope: Any, receive: Any, send: Any) -> Any:
    return function(scope, receive, send)


def two_steps(scope: Any) -> Any:
    async def instance(receive: Any, send: Any) -> Any:
        return await receive()

    return instance


class Instance:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return await receive()

    async def method(self, scope: Any, receive: Any, send: Any) -> Any:
        return await receive()

    @staticmethod
    async def static(scope: Any, receive: Any, send: Any) -> Any:
        return await receive()


class PlainInstance:
    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return function(scope, receive, send)


class TwoSteps:
    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> Any:
        return await receive()


class Awaited:
    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.receive = receive

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.receive().__await__()


class Hinted(PlainInstance):
    _asgi_single_callable = True


async def bound(settings: Any, scope: Any, receive: Any, send: Any) -> Any:
    return await receive()


def factory() -> Any:
    return function


SHAPES: dict[str, Any] = {
    "function": function,
    "function with other names": other_names,
    "positional": positional,
    "plain function": returns_coroutine,
    "two steps": two_steps,
    "instance": Instance(),
    "method": Instance().method,
    "static method": Instance.static,
    "plain instance": PlainInstance(),
    "class of two steps": TwoSteps,
    "awaitable class": Awaited,
    "class with a hint": Hinted(),
    "partial": functools.partial(bound, 1),
    "partial of an instance": functools.partial(Instance()),
    "lambda": lambda scope, receive, send: function(scope, receive, send),
    "factory": factory,
}


def as_uvicorn(app: Any) -> str:
    """Its rule for which interface an app has (uvicorn/config.py)."""
    if inspect.isclass(app):
        single = hasattr(app, "__await__")
    elif inspect.isfunction(app):
        single = _faces._is_coroutine_function(app)
    else:
        single = _faces._is_coroutine_function(app.__call__)
    return "asgi3" if single else "asgi2"


def as_hypercorn(app: Any) -> bool:
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(app.__call__)


def as_daphne(app: Any) -> bool:
    if getattr(app, "_asgi_single_callable", False):
        return False
    if getattr(app, "_asgi_double_callable", False) or inspect.isclass(app):
        return True
    return not _faces._is_coroutine_function(app.__call__) and not _faces._is_coroutine_function(app)


def outcome(ask: Callable[[], Any]) -> Any:
    """The value, or the type of what was raised and whether that was at the call or later."""

    async def run() -> Any:
        try:
            found = ask()
        except Exception as error:
            return ("at the call", type(error))
        if callable(found) and not inspect.isawaitable(found):
            return "a callable"
        kind = "coroutine" if asyncio.iscoroutine(found) else "awaitable"
        try:
            return (kind, await found)
        except Exception as error:
            return (kind, type(error))

    return asyncio.run(run())


SCOPE = {"type": "http", "path": "/"}
EVENT = {"type": "http.request", "body": b"abc"}


async def server_receive() -> Any:
    return EVENT


async def server_send(message: Any) -> Any:
    return message


@pytest.fixture
def observe(tmp_path: Path) -> Callable[[Any], Any]:
    return _faces.Observer(str(tmp_path), None).observe


def trace(folder: Path) -> list[Record]:
    return [record for file in read(folder) for record in file]


def kinds(folder: Path) -> list[str]:
    return [record.kind for record in trace(folder)]


@pytest.mark.filterwarnings("ignore:coroutine 'positional' was never awaited")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_face_is_called_and_taken_as_the_real_app_is(shape: str, observe: Callable[[Any], Any]) -> None:
    real, face = SHAPES[shape], observe(SHAPES[shape])
    for rule in (as_uvicorn, as_hypercorn, as_daphne, inspect.isclass, inspect.iscoroutinefunction, callable):
        assert rule(face) == rule(real), rule.__name__
    calls: dict[str, Callable[[Any], Any]] = {
        "three": lambda app: app(SCOPE, server_receive, server_send),
        "by name": lambda app: app(scope=SCOPE, receive=server_receive, send=server_send),
        "one": lambda app: app(SCOPE),
        "one and two": lambda app: app(SCOPE)(server_receive, server_send),
        "none": lambda app: app(),
        "two": lambda app: app(SCOPE, server_receive),
        "four": lambda app: app(SCOPE, server_receive, server_send, 4),
    }
    for name, call in calls.items():
        as_face, as_real = outcome(lambda call=call: call(face)), outcome(lambda call=call: call(real))
        if (shape, name) == ("positional", "by name"):  # the one known to fail a step later
            assert as_face[1] is as_real[1] is TypeError
        else:
            assert as_face == as_real, name


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "factory"])
def test_each_shape_is_traced_as_a_whole_call(shape: str, tmp_path: Path, observe: Callable[[Any], Any]) -> None:
    face = observe(SHAPES[shape])

    async def run() -> Any:
        if shape in ("two steps", "class of two steps"):
            result = await face(SCOPE)(server_receive, server_send)
        else:
            result = await face(SCOPE, server_receive, server_send)
        for _ in range(3):
            await asyncio.sleep(0)
        return result

    assert asyncio.run(run()) is EVENT
    records = trace(tmp_path)
    assert [record.kind for record in records] == ["call", "received", "returned", "settled"]
    assert records[0].values[0] == SCOPE
    assert records[1].values == records[2].values == [EVENT]


def test_a_task_shows_the_real_apps_name(observe: Callable[[Any], Any]) -> None:
    for real, name in ((function, "function"), (Instance(), "Instance.__call__"), (functools.partial(bound, 1), "bound")):
        face = observe(real)
        coroutine = face(SCOPE, server_receive, server_send)
        assert coroutine.__qualname__ == name
        coroutine.close()


def test_a_factory_found_by_a_call_without_arguments_is_observed(tmp_path: Path, observe: Callable[[Any], Any]) -> None:
    made = observe(factory)()
    assert as_uvicorn(made) == "asgi3"
    asyncio.run(made(SCOPE, server_receive, server_send))
    assert kinds(tmp_path)[0] == "call"


def test_a_first_step_that_fails_is_a_call(tmp_path: Path, observe: Callable[[Any], Any]) -> None:
    def fails(scope: Any) -> Any:
        raise KeyError(1)

    with pytest.raises(KeyError):
        observe(fails)(SCOPE)
    assert kinds(tmp_path) == ["call", "raised", "settled"]
    assert trace(tmp_path)[1].values == [["KeyError", "1", "KeyError"]]


def test_the_very_objects_pass(tmp_path: Path, observe: Callable[[Any], Any]) -> None:
    seen: dict[str, Any] = {}
    error = RuntimeError("of the server")
    own = ValueError("of the app")

    async def app(scope: Any, receive: Any, send: Any) -> Any:
        seen["scope"] = scope
        scope["added"] = 1
        seen["event"] = await receive()
        seen["result"] = await send(EVENT)
        try:
            await send(None)
        except RuntimeError as raised:
            seen["error"] = raised
            seen["context"] = raised.__context__
        raise own

    async def send(message: Any) -> Any:
        if message is None:
            raise error
        seen["sent"] = message
        return result

    result = object()
    scope = dict(SCOPE)
    with pytest.raises(ValueError) as caught:
        asyncio.run(observe(app)(scope, server_receive, send))
    assert caught.value is own
    assert own.__context__ is None and own.__cause__ is None
    assert seen["scope"] is scope and scope["added"] == 1
    assert seen["event"] is seen["sent"] is EVENT
    assert seen["result"] is result
    assert seen["error"] is error and seen["context"] is None


def test_a_cancellation_passes_and_settles_though_the_task_is_gone(tmp_path: Path, observe: Callable[[Any], Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def never() -> Any:
        await asyncio.Future()

    async def run() -> tuple[bool, str]:
        task = asyncio.ensure_future(observe(app)(SCOPE, never, server_send))
        await asyncio.sleep(0)
        task.cancel("by the server")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        for _ in range(3):
            await asyncio.sleep(0)
        return task.cancelled(), str(caught.value)

    assert asyncio.run(run()) == (True, "by the server")
    records = trace(tmp_path)
    assert [record.kind for record in records] == ["call", "receive-raised", "raised", "settled"]
    assert records[1].values == records[2].values == [["asyncio.exceptions.CancelledError", "by the server", "BaseException"]]


def test_no_turn_of_the_loop_is_added(observe: Callable[[Any], Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(EVENT)

    async def waits() -> Any:
        await asyncio.sleep(0)

    def steps(app: Any, receive: Any) -> int:
        coroutine = app(SCOPE, receive, server_send)
        for count in range(100):
            try:
                coroutine.send(None)
            except StopIteration:
                return count
        raise AssertionError

    for receive in (server_receive, waits, lambda: waits()):
        assert steps(observe(app), receive) == steps(app, receive)


class Futureish:
    """An awaitable like granian's: future-like, no coroutine, its own iterator."""

    _asyncio_future_blocking: bool | None = None

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> "Futureish":
        return self

    __iter__ = __await__

    def __next__(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        raise StopIteration(self.value)

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Recorded(list[Any]):
    def finished(self, value: Any) -> None:
        self.append(("finished", value))

    def failed(self, error: BaseException) -> None:
        self.append(("failed", error))


def watched(awaitable: Any) -> tuple[Any, Recorded]:
    recorded = Recorded()
    return _awaitable.watch(awaitable, recorded.finished, recorded.failed), recorded


def test_a_stand_in_passes_for_the_real_awaitable() -> None:
    real = Futureish(7)
    stand_in, recorded = watched(real)
    assert type(stand_in).__name__ == "Futureish"
    assert (type(stand_in).__module__, type(stand_in).__qualname__) == (Futureish.__module__, Futureish.__qualname__)
    assert repr(stand_in) == repr(real)
    assert not asyncio.isfuture(stand_in)
    stand_in._asyncio_future_blocking = True
    assert real._asyncio_future_blocking is True
    assert asyncio.isfuture(stand_in)
    assert not asyncio.iscoroutine(stand_in)
    assert not hasattr(stand_in, "cancel")
    assert recorded == []


def test_a_stand_ins_end_is_told_once_however_it_is_learnt() -> None:
    async def wait(awaitable: Any) -> Any:
        return await awaitable

    ways: list[Callable[[Any], Any]] = [
        lambda stand_in: asyncio.run(wait(stand_in)),
        lambda stand_in: stand_in.result(),
        lambda stand_in: asyncio.run(wait(stand_in.__await__())) if inspect.iscoroutine(stand_in.__await__()) else next(stand_in),
    ]
    for way in ways:
        stand_in, recorded = watched(Futureish(7))
        for _ in range(2):
            try:
                assert way(stand_in) == 7
            except StopIteration as stop:
                assert stop.value == 7
        assert recorded == [("finished", 7)]
        error = ValueError()
        stand_in, recorded = watched(Futureish(error))
        for _ in range(2):
            with pytest.raises(ValueError) as caught:
                way(stand_in)
            assert caught.value is error
        assert recorded == [("failed", error)]


def test_a_result_asked_for_too_early_is_no_end() -> None:
    class Pending(Futureish):
        def done(self) -> bool:
            return False

    stand_in, recorded = watched(Pending(asyncio.InvalidStateError()))
    with pytest.raises(asyncio.InvalidStateError):
        stand_in.result()
    assert recorded == []


def test_what_is_no_awaitable_comes_back_as_it_is() -> None:
    thing = object()
    found, recorded = watched(thing)
    assert found is thing
    assert recorded == [("finished", thing)]


def test_plain_faces_pass_what_fails_at_the_call(tmp_path: Path, observe: Callable[[Any], Any]) -> None:
    error = RuntimeError("at the call")

    def receive() -> Any:
        raise error

    def send(data: Any) -> Any:
        raise error

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for ask in (lambda: receive(), lambda: send(1), lambda: send(data=2)):
            with pytest.raises(RuntimeError) as caught:
                ask()
            assert caught.value is error
        with pytest.raises(TypeError):
            send(1, 2)

    asyncio.run(observe(app)(SCOPE, receive, send))
    assert kinds(tmp_path)[:-1] == ["call", "receive-raised", "send", "send-raised", "send", "send-raised", "send-raised", "returned"]
    assert [record.values for record in trace(tmp_path) if record.kind == "send"] == [[1], [2]]


MARKED = {"type": "http", "headers": [(b"bridgecheck-next", b"7")]}


@pytest.mark.parametrize("shape", ["function", "plain function", "two steps", "partial", "awaitable class"])
def test_a_marked_request_does_not_reach_the_app(shape: str, tmp_path: Path, observe: Callable[[Any], Any]) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the app was called")

    face = observe(SHAPES[shape])
    asyncio.run(face(MARKED)(receive, send) if shape == "two steps" else face(MARKED, receive, send))
    headers = [(b"content-length", b"0"), (b"bridgecheck-next", b"7")]
    assert sent[0] == {"type": "http.response.start", "status": 200, "headers": headers}
    assert sent[1] == {"type": "http.response.body", "body": b""}
    assert kinds(tmp_path) == ["marked"]


@pytest.mark.parametrize(
    "name, message",
    [
        ("no_such_module:app", 'Could not import module "no_such_module".'),
        ("json:no.such", 'Attribute "no.such" not found in module "json".'),
        ("json", 'Import string "json" must be in format "<module>:<attribute>".'),
        (":app", 'Import string ":app" must be in format "<module>:<attribute>".'),
        ("sys:version", '"version" in module "sys" is no ASGI app: str is not callable.'),
    ],
)
def test_an_app_that_cannot_be_had_is_one_clear_message(name: str, message: str) -> None:
    with pytest.raises(_loading.AppNotFound) as caught:
        _loading.load(name)
    assert str(caught.value) == message


def test_what_an_app_raises_while_it_is_imported_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_other.py").write_text("import no_such_module_either")
    (tmp_path / "fails.py").write_text("raise RuntimeError('on its own')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_module_either") as caught:
        _loading.load("needs_other:app")
    assert not isinstance(caught.value, _loading.AppNotFound)
    with pytest.raises(RuntimeError, match="on its own"):
        _loading.load("fails:app")


def test_a_factory_is_called_when_it_is_named_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "makes.py").write_text("def make():\n    return print\ndef bad():\n    return 3\nthing = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert _loading.load("makes:make", factory=True) is print
    with pytest.raises(_loading.AppNotFound, match="int is not callable"):
        _loading.load("makes:bad", factory=True)
    with pytest.raises(_loading.AppNotFound, match='Factory "thing" in module "makes" is not callable'):
        _loading.load("makes:thing", factory=True)


def run_python(code: str, package: Path, python: str = sys.executable, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BRIDGECHECK_", "PYTHON"))}
    environment |= {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    # -S: what site-packages put on the path or import by themselves is no business of the package.
    return subprocess.run([python, "-S", "-c", code], capture_output=True, text=True, env=environment, timeout=60)


def test_the_package_needs_nothing_but_itself() -> None:
    code = "import bridgecheck_observer, sys, json; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    modules = set(json.loads(run_python(code, OBSERVER, BRIDGECHECK_APP="json:dumps").stdout))
    assert modules - set(sys.stdlib_module_names) - {"__main__"} == {"bridgecheck_observer"}


def test_without_an_app_in_the_environment_it_says_so() -> None:
    found = run_python("from bridgecheck_observer import app", OBSERVER)
    assert found.returncode != 0
    assert "BRIDGECHECK_APP=module:attribute" in found.stderr.splitlines()[-1]


ONE_CALL = """
import asyncio
from bridgecheck_observer import app
async def receive(): return {"type": "http.request"}
async def send(message): ...
asyncio.run(app({"type": "http"}, receive, send))
"""


def other_pythons() -> list[str]:
    names = [f"python3.{minor}" for minor in (9, 10, 11, 12, 13, 14)] + ["pypy3"]
    return [name for name in names if shutil.which(name) and subprocess.run([name, "-c", ""], capture_output=True).returncode == 0]


def test_where_the_binary_does_not_load_python_records(tmp_path: Path) -> None:
    package = tmp_path / "bridgecheck_observer"
    shutil.copytree(OBSERVER / "bridgecheck_observer", package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    (tmp_path / "trace").mkdir()
    (tmp_path / "simple.py").write_text("async def app(scope, receive, send):\n    await send(await receive())\n")
    found = run_python(ONE_CALL, tmp_path, **observed("simple:app", tmp_path / "trace"))
    assert (found.returncode, found.stderr) == (0, "")
    records = trace(tmp_path / "trace")
    assert [record.kind for record in records][:5] == ["call", "received", "send", "sent", "returned"]
    assert records[0].values[1]["recorder"] == "python"


@pytest.mark.parametrize("python", other_pythons())
def test_another_python_is_observed(python: str, tmp_path: Path) -> None:
    (tmp_path / "trace").mkdir()
    (tmp_path / "simple.py").write_text("async def app(scope, receive, send):\n    await send(await receive())\n")
    package = os.pathsep.join((str(OBSERVER), str(tmp_path)))
    found = run_python(ONE_CALL, Path(package), python=python, **observed("simple:app", tmp_path / "trace"))
    assert (found.returncode, found.stderr) == (0, "")
    version = tuple(map(int, run_python("import sys; print(*sys.version_info[:2])", tmp_path, python=python).stdout.split()))
    records = trace(tmp_path / "trace")
    assert [record.kind for record in records][:5] == ["call", "received", "send", "sent", "returned"]
    assert records[0].values[1]["recorder"] == ("c" if version >= (3, 11) and "pypy" not in python else "python")


@pytest.mark.parametrize("server", ["uvicorn-h11", "granian", "hypercorn", "daphne", "gunicorn"])
def test_a_server_prints_the_message_when_the_app_is_missing(server: str, tmp_path: Path) -> None:
    environment = observed("no_such_module:app", tmp_path)
    with served(server, "bridgecheck_observer:app", tmp_path, path=(OBSERVER,), environment=environment) as target:
        target.process.wait(20)
        assert 'Could not import module "no_such_module".' in target.log.read_text()
