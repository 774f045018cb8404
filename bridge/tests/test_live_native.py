"""The Python face of the native server, in this process: what it refuses, what it leaves behind, and whom it survives."""

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvloop

from bridgecheck.bridge import _bridge, faces
from bridgecheck.bridge.logs import log_access, phrase

from .live import request

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.SelectorEventLoop}
GET = request("/", "Connection: close")


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """Runs a coroutine on a loop, which must be left without a descriptor of ours."""
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        runner.run(warm_up())
    before = descriptors()
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner.run  # type: ignore[misc]
    gc.collect()
    assert descriptors() == before


@pytest.fixture(autouse=True)
def silence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "asyncio")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) - 1


async def warm_up() -> None:
    """The first loop of uvloop's and the first server of ours keep some descriptors for all that come."""
    made().close()


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})


class Logger:
    """What the server needs of one, kept quiet."""

    level = logging.INFO

    def __init__(self) -> None:
        self.lines: list[str] = []

    def hasHandlers(self) -> bool:
        return False

    def warning(self, text: str, *_: Any) -> None:
        self.lines.append(text)

    error = warning


def made(**changed: Any) -> Any:
    given: dict[str, Any] = {
        "app": app,
        "unavailable": faces.unavailable,
        "state": {},
        "faces": (faces.run, faces.receive, faces.send),
        "root_path": "",
        "asgi_version": "3.0",
        "default_fields": [(b"server", b"bridgecheck")],
        "date_field": False,
        "phrases": {status: phrase(status) for status in range(100, 600)},
        "timeout_keep_alive": 5,
        "limit_concurrency": None,
        "logger": Logger(),
        "access_logger": Logger(),
        "log_access": log_access,
        "forwarded": None,
        "reset_context": False,
    }
    if "loop" not in changed:
        changed["loop"] = asyncio.get_running_loop()
    return _bridge.Server(**given | changed)


def bound() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def listening(server: Any) -> tuple[str, int]:
    listener = bound()
    address = listener.getsockname()
    server.listen(listener.detach(), 100)
    return address


async def ask(address: tuple[str, int], text: bytes = GET) -> bytes:
    """All that comes until the end."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(text)
        found = b""
        with contextlib.suppress(ConnectionError):
            found = await reader.read()
        writer.close()
        return found


# --- what it is made with


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"loop": object()}, AttributeError),
        ({"state": None}, TypeError),
        ({"faces": (faces.run, faces.receive)}, TypeError),
        ({"root_path": b"/"}, TypeError),
        ({"root_path": "/\xe9"}, ValueError),
        ({"asgi_version": 3}, TypeError),
        ({"default_fields": ((b"a", b"b"),)}, TypeError),
        ({"default_fields": [[b"a", b"b"]]}, TypeError),
        ({"default_fields": [(b"a", "b")]}, TypeError),
        ({"default_fields": [(b"a", b"b", b"c")]}, TypeError),
        ({"default_fields": [(b"a", b"b")] * 33}, ValueError),
        ({"phrases": None}, TypeError),
        ({"phrases": {200: b"OK"}}, TypeError),
        ({"phrases": {200: "\udcff"}}, UnicodeEncodeError),
        ({"timeout_keep_alive": "5"}, TypeError),
        ({"timeout_keep_alive": -1}, ValueError),
        ({"timeout_keep_alive": float("nan")}, ValueError),
        ({"timeout_keep_alive": float("inf")}, ValueError),
        ({"limit_concurrency": 1.5}, TypeError),
        ({"limit_concurrency": 10**30}, OverflowError),
        ({"surprise": 1}, TypeError),
    ],
    ids=str,
)
def test_what_it_refuses_to_be_made_with(run: Any, changed: dict[str, Any], error: type[Exception]) -> None:
    async def refuse() -> None:
        with pytest.raises(error):
            made(**changed)

    run(refuse())


def test_nothing_is_optional_or_by_place(run: Any) -> None:
    async def refuse() -> None:
        with pytest.raises(TypeError):
            _bridge.Server()
        with pytest.raises(TypeError):
            _bridge.Server(asyncio.get_running_loop())
        with pytest.raises(TypeError):
            _bridge.Server.__new__(int)

    run(refuse())


def test_a_cycle_is_made_by_a_server_only() -> None:
    found = []

    async def keep(cycle: Any) -> None:
        found.append(type(cycle))

    async def serve() -> None:
        server = made(faces=(keep, faces.receive, faces.send))
        address = listening(server)
        task = asyncio.create_task(ask(address))
        while not found:
            await asyncio.sleep(0.01)
        server.close()
        await task

    asyncio.run(serve())
    with pytest.raises(TypeError, match="cannot create"):
        found[0]()


# --- its life


def test_it_serves(run: Any) -> None:
    async def serve() -> None:
        server = made()
        assert (await ask(listening(server))).endswith(b"\r\n\r\ndone")
        assert (server.total_requests, server.tasks) == (1, 0)
        server.close()
        assert server.connections == 0

    run(serve())


def test_closed_it_leaves_nothing_in_the_loop() -> None:
    async def serve() -> None:
        loop: Any = asyncio.get_running_loop()
        watched, before = set(loop._selector.get_map()), descriptors()
        server = made()
        address = listening(server)
        await ask(address)
        idle = [await asyncio.open_connection(*address) for _ in range(3)]
        idle[0][1].write(request("/"))
        await idle[0][0].readuntil(b"done")  # its keep-alive timer runs
        await asyncio.sleep(0.05)
        assert server.connections == 3
        server.close()
        for reader, writer in idle:
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
        await asyncio.sleep(0)
        assert set(loop._selector.get_map()) == watched and descriptors() == before
        assert [handle for handle in loop._scheduled if not handle.cancelled()] == [] and len(loop._ready) == 0

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(serve())


def test_closed_it_may_be_closed_again_and_nothing_else(run: Any) -> None:
    async def use() -> None:
        server = made()
        server.close()
        server.close()
        for use in (lambda: server.listen(0, 1), server.stop_listening, server.shutdown, lambda: server.cancel("")):
            with pytest.raises(RuntimeError, match="closed"):
                use()
        assert (server.connections, server.tasks, server.total_requests) == (0, 0, 0)
        assert server._step() is None and server._finish() is None

    run(use())


def test_it_belongs_to_its_thread(run: Any) -> None:
    async def use() -> None:
        server = made()
        errors = []

        def elsewhere() -> None:
            for use in (lambda: server.listen(0, 1), server.stop_listening, server.shutdown, lambda: server.cancel(""), server.close):
                with pytest.raises(RuntimeError, match="thread") as caught:
                    use()
                errors.append(caught)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len(errors) == 5
        assert (await ask(listening(server))).endswith(b"done")
        server.close()

    run(use())


def test_a_descriptor_is_its_own_also_where_it_cannot_listen(run: Any) -> None:
    async def use() -> None:
        server = made()
        reader, writer = os.pipe()
        with pytest.raises(OSError):
            server.listen(reader, 1)
        with pytest.raises(OSError):
            os.fstat(reader)
        os.close(writer)
        with pytest.raises(OSError):
            server.listen(10_000, 1)
        for arguments in ((), (1,), ("1", 1), (1, 2**40)):
            with pytest.raises((TypeError, OverflowError)):
                server.listen(*arguments)
        server.close()

    run(use())


def test_two_servers_in_one_loop_know_nothing_of_each_other(run: Any) -> None:
    async def use() -> None:
        first, second = made(root_path="/first"), made(default_fields=[])
        addresses = listening(first), listening(second)
        both = await asyncio.gather(*(ask(address) for address in addresses * 20))
        assert all(answer.endswith(b"done") for answer in both)
        assert [b"server:" in answer for answer in both] == [True, False] * 20
        first.close()
        assert (await ask(addresses[1])).endswith(b"done")
        with pytest.raises(ConnectionRefusedError):
            await ask(addresses[0])
        assert (first.total_requests, second.total_requests) == (20, 21)
        second.close()

    run(use())


@pytest.mark.parametrize("with_connections", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_one_that_nobody_closed_is_collected_with_its_loop(loop: str, with_connections: bool) -> None:
    before = descriptors()
    clients = []

    async def serve() -> None:
        server = made()
        address = listening(server)
        await ask(address)
        if with_connections:
            clients.append(socket.create_connection(address))
            clients[0].sendall(b"GET / HTTP/1.1\r\n")
            await asyncio.sleep(0.05)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(serve())
    del runner
    gc.collect()
    for client in clients:
        assert client.recv(1) == b""
        client.close()
    assert descriptors() == before


def test_many_come_and_go(run: Any) -> None:
    async def use() -> None:
        async def come_and_go() -> int:
            for _ in range(100):
                server = made()
                listening(server)
                server.close()
                await asyncio.sleep(0)
            gc.collect()
            return sys.getallocatedblocks()

        before = await come_and_go()
        assert await come_and_go() - before < 100

    run(use())


# --- closed while it is busy


def test_closed_while_apps_run(run: Any) -> None:
    """Whatever they wait for ends; what they send is for nobody; nothing of them is left."""
    seen: list[Any] = []

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        match scope["path"]:
            case "/receives":
                seen.append((await receive())["type"])
            case "/sends":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                while not closed.is_set():
                    await send({"type": "http.response.body", "body": b"x" * (1 << 20), "more_body": True})
                seen.append("sent")
            case "/sleeps":
                await closed.wait()
                await send({"type": "http.response.start", "status": 200, "headers": []})
                seen.append((await receive())["type"])

    closed = asyncio.Event()

    async def use() -> None:
        server = made(app=waits)
        address = listening(server)
        clients = [await asyncio.open_connection(*address, limit=1) for _ in range(3)]
        for (_, writer), path in zip(clients, ("/receives", "/sends", "/sleeps"), strict=True):
            writer.write(request(path))
        while server.tasks < 3:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        closed.set()
        server.close()
        while server.tasks:
            await asyncio.sleep(0.01)
        assert sorted(seen) == ["http.disconnect", "http.disconnect", "sent"]
        for _, writer in clients:
            writer.transport.abort()

    run(use())


def test_closed_by_its_own_app(run: Any) -> None:
    async def use() -> None:
        ended = asyncio.Event()

        async def closes(scope: Any, receive: Any, send: Any) -> None:
            server.close()
            assert (await receive())["type"] == "http.disconnect"
            await send({"type": "http.response.start", "status": 200, "headers": []})
            ended.set()

        server = made(app=closes)
        assert await ask(listening(server)) == b""
        await ended.wait()

    run(use())


def test_closed_before_a_task_has_begun(run: Any) -> None:
    """The app is not called any more."""

    async def use() -> None:
        called: list[Any] = []

        async def never(scope: Any, receive: Any, send: Any) -> None:
            called.append(scope)

        async def run_then_close(cycle: Any) -> None:
            server.close()
            await faces.run(cycle)

        server = made(app=never, faces=(run_then_close, faces.receive, faces.send))
        assert await ask(listening(server)) == b""
        assert server.tasks == 0 and not called

    run(use())


def test_cancelled_tasks_leave_nothing(run: Any) -> None:
    async def sleeps(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async def use() -> None:
        server = made(app=sleeps)
        address = listening(server)
        asked = [asyncio.create_task(ask(address)) for _ in range(5)]
        while server.tasks < 5:
            await asyncio.sleep(0.01)
        server.cancel("enough")
        answers = await asyncio.gather(*asked)
        assert all(answer.startswith(b"HTTP/1.1 500 ") for answer in answers)
        assert server.tasks == 0
        server.close()

    run(use())


# --- whom it survives


class Raising(Logger):
    def warning(self, text: str, *_: Any) -> None:
        raise LookupError("no log")

    error = hasHandlers = warning  # type: ignore[assignment]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_loggers_that_raise(run: Any) -> None:
    async def use() -> None:
        server = made(logger=Raising(), access_logger=Raising())
        address = listening(server)
        assert (await ask(address, b"GARBAGE\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert (await ask(address)).endswith(b"done")
        server.close()

    run(use())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_task_that_cannot_be_made(run: Any) -> None:
    """The connection ends, the server does not."""

    async def use() -> None:
        loop = asyncio.get_running_loop()
        server = made()
        address = listening(server)
        reader, writer = await asyncio.open_connection(*address)

        def refuse(loop: Any, coroutine: Any, **_: Any) -> Any:
            coroutine.close()
            raise LookupError("no task")

        loop.set_task_factory(refuse)
        writer.write(request("/") * 3)
        read = reader.read()
        assert await read == b""
        loop.set_task_factory(None)
        writer.close()
        assert (await ask(address)).endswith(b"done")
        assert server.tasks == 0
        server.close()

    run(use())


def test_what_it_calls_may_raise(run: Any) -> None:
    """A log_access that raises does so in the app's send(); a forwarded that does, in the place of the app."""

    def refuse(*_: Any) -> None:
        raise LookupError("not this one")

    class Logging(Logger):
        def hasHandlers(self) -> bool:
            return True

    raised = []

    async def notes(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except LookupError as error:
            raised.append(str(error))
            raise

    async def use() -> None:
        server = made(app=notes, access_logger=Logging(), log_access=refuse)
        assert await ask(listening(server)) == b""
        server.close()
        server = made(app=notes, forwarded=refuse)
        answer = await ask(listening(server), request("/", "X-Forwarded-For: 1.2.3.4", "Connection: close"))
        assert answer.startswith(b"HTTP/1.1 500 ")
        server.close()

    run(use())
    assert raised == ["not this one"]


@pytest.mark.parametrize("what", ["close", "shutdown", "stop_listening"])
def test_a_logger_that_meddles(run: Any, what: str) -> None:
    """A handler of the log is called in the middle of a step."""
    servers: list[Any] = []
    raised = []

    class Meddling(Logger):
        def warning(self, text: str, *_: Any) -> None:
            try:
                getattr(servers[0], what)()
            except RuntimeError as error:
                raised.append(str(error))

    async def use() -> None:
        servers.append(made(logger=Meddling()))
        address = listening(servers[0])
        clients = [asyncio.create_task(ask(address, b"GARBAGE\r\n\r\n")) for _ in range(5)]
        answers = await asyncio.gather(*clients, return_exceptions=True)
        if what != "shutdown":  # which ends a connection before what is due to it is written
            assert any(isinstance(answer, bytes) and answer.startswith(b"HTTP/1.1 400 ") for answer in answers)
        servers[0].close()

    run(use())
    assert bool(raised) == (what == "close")


def test_out_of_descriptors(run: Any) -> None:
    """It says so, waits, and takes those who came meanwhile when there are descriptors again."""
    import resource

    async def use() -> None:
        logger = Logger()
        server = made(logger=logger)
        address = listening(server)
        client = socket.create_connection(address)
        client.setblocking(False)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
        spare = []
        with contextlib.suppress(OSError):
            while True:
                spare.append(os.dup(0))
        try:
            await asyncio.sleep(0.1)
        finally:
            for descriptor in spare:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, GET)
        async with asyncio.timeout(5):
            assert (await loop.sock_recv(client, 1000)).endswith(b"done")
        client.close()
        assert logger.lines == ["Out of file descriptors or memory: no connection is accepted for a second."]
        server.close()

    run(use())
