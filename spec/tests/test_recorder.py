"""The two recorders, held to one another and to the trace format: calls, streams, ends, forks, files and the doorbell."""

import asyncio
import gc
import os
import socket
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from .observer_trace import Record, fnv1a, read_file
from .recording import COROUTINE_FUNCTION, MODULES, SMALLEST_FILE, Traced, both, describe, receive, send

_recorder = MODULES["c"]


@pytest.fixture(params=list(MODULES))
def traced(request: pytest.FixtureRequest, tmp_path: Path) -> Traced:
    return Traced(request.param, tmp_path)


class Fields(dict):
    """A dict by inheritance."""


class Text(str):
    """A str by inheritance."""


class Strange:
    """No plain value."""


PIECES: list[Any] = [
    b"",
    b"abc",
    bytearray(b"d" * 9000),
    bytes(range(256)) * 40,
    memoryview(b"xyz"),
    memoryview(b"a-b-")[::2],
    None,
    "text",
]


def whole_call(traced: Traced) -> None:
    async def run() -> None:
        call = traced.begin({"type": "http", "client": ("127.0.0.1", "4711"), "headers": [(b"host", b"a")]})
        for piece in PIECES:
            call.received({"type": "http.request", "body": piece, "more_body": True})
        call.received({"type": "http.disconnect"})
        call.receive_raised(RuntimeError("no more"))
        for piece in reversed(PIECES):
            call.sending(Fields(type="http.response.body", body=piece))
            call.sent(None)
        call.sending(["not an event"])
        call.send_raised(ValueError("wrong", 3))
        call.raised(KeyError("key"))
        for _ in range(3):
            await asyncio.sleep(0)
        second = traced.begin({"type": "lifespan"})
        second.returned(None)
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(run())


def comparable(records: list[Record]) -> list[Any]:
    found = []
    for record in records:
        payload = record.payload.replace(b"s\6\0\0\0python", b"s\1\0\0\0c")
        found.append((record.kind, record.client_port, record.call, record.stream_total, record.stream_hash, payload))
    return found


def test_a_whole_call_is_the_same_from_both_recorders(tmp_path: Path) -> None:
    by_c, by_python = both(tmp_path, whole_call)
    assert comparable(by_c) == comparable(by_python)
    kinds = [record.kind for record in by_c]
    middle = ["received"] * 9 + ["receive-raised"] + ["send", "sent"] * 8 + ["send", "send-raised"]
    assert kinds == ["call", *middle, "raised", "settled", "call", "returned", "settled"]
    assert [record.client_port for record in by_c] == [4711] * (len(kinds) - 3) + [0] * 3
    assert by_c[0].values[1] == {
        "receive": COROUTINE_FUNCTION,
        "send": COROUTINE_FUNCTION,
        "main thread": True,
        "loop": f"{type(asyncio.new_event_loop()).__module__}.{asyncio.SelectorEventLoop.__name__}",
        "recorder": "c",
    }
    assert next(record for record in by_c if record.kind == "raised").values == [["KeyError", "'key'", "KeyError"]]
    times = [record.nanoseconds for record in by_c]
    assert times == sorted(times)


def test_a_stream_counts_its_content_whatever_the_pieces(traced: Traced) -> None:
    whole_call(traced)
    records = traced.records()
    content = b"".join(bytes(piece) for piece in PIECES[:5])
    received = [record for record in records if record.kind == "received"]
    assert received[4].stream_total == len(content)
    assert received[4].stream_hash == fnv1a(content)
    last = received[-1]
    assert last.stream_total >= len(content)
    sent = [record for record in records if record.kind == "send"]
    backwards = b"".join(bytes(piece) for piece in reversed(PIECES) if not isinstance(piece, str | None))
    assert (sent[-1].stream_total, sent[-1].stream_hash) == (len(backwards), fnv1a(backwards))


def test_settled_comes_two_turns_after_the_end_even_when_the_task_is_cancelled(traced: Traced) -> None:
    turns: list[int] = []

    async def app() -> None:
        call = traced.begin()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            call.raised(error)
            raise

    async def run() -> None:
        task = asyncio.ensure_future(app())
        await asyncio.sleep(0)
        task.cancel()
        for _ in range(6):
            await asyncio.sleep(0)
            turns.append(len(traced.records()))

    asyncio.run(run())
    # call; then the end in the turn of the cancellation; nothing new in the next; settled in the one after it.
    assert [record.kind for record in traced.records()] == ["call", "raised", "settled"]
    assert traced.records()[1].values == [["asyncio.exceptions.CancelledError", "", "BaseException"]]
    end = turns.index(2)
    assert turns[end : end + 3] == [2, 2, 3]


def test_without_a_loop_a_call_settles_at_once(traced: Traced) -> None:
    traced.begin().returned(None)
    assert [record.kind for record in traced.records()] == ["call", "returned", "settled"]


def test_with_a_closed_loop_a_call_settles_at_once(traced: Traced) -> None:
    async def begin() -> Any:
        return traced.begin()

    asyncio.run(begin()).returned(None)
    assert [record.kind for record in traced.records()] == ["call", "returned", "settled"]


def test_an_abandoned_awaitable_says_nothing_an_abandoned_call_ends(traced: Traced) -> None:
    async def run() -> None:
        call = traced.begin()
        call.receive_raised(GeneratorExit())
        call.send_raised(GeneratorExit())
        call.raised(GeneratorExit())

    asyncio.run(run())
    assert [record.kind for record in traced.records()] == ["call", "raised", "settled"]


def test_an_exception_without_a_text_keeps_its_type(traced: Traced) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

    traced.begin().raised(Mute())
    name = f"{__name__}.{Mute.__qualname__}"
    assert traced.records()[1].values == [[name, None, "Exception"]]


def test_an_exception_is_told_by_the_built_in_class_it_derives_from_too(traced: Traced) -> None:
    class Lost(ConnectionError):
        pass

    class Gone(Lost, RuntimeError):
        pass

    for error in (Gone(), ExceptionGroup("", [ValueError()]), KeyboardInterrupt()):
        traced.begin().raised(error)
    told = [record.values[0] for record in traced.records() if record.kind == "raised"]
    assert [(name.rpartition(".")[2], built_in) for name, _, built_in in told] == [
        ("Gone", "ConnectionError"),
        ("ExceptionGroup", "ExceptionGroup"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
    ]


def test_an_exception_whose_text_ends_another_call_is_recorded_after_it(traced: Traced) -> None:
    other = traced.begin()

    class Busy(Exception):
        def __str__(self) -> str:
            other.returned("inside")
            return "after"

    traced.begin().raised(Busy())
    ends = [(record.kind, record.call) for record in traced.records() if record.kind in ("returned", "raised")]
    assert ends == [("returned", 1), ("raised", 2)]


def test_a_collection_never_comes_inside_a_record(traced: Traced) -> None:
    class Ends:
        def __init__(self, call: Any) -> None:
            self.call, self.me = call, self

        def __del__(self) -> None:
            self.call.returned(long)

    call = traced.begin()
    long = "x" * 3000
    value = ["\udcff", memoryview(b"ab")[::2], "\udcfe"] * 20
    before = gc.get_threshold()
    rounds = range(1, 120)
    try:
        for allocations in rounds:  # so that the collection comes at each place in turn
            gc.collect()
            Ends(traced.begin())
            gc.set_threshold(allocations)
            call.sent(value)
            gc.set_threshold(*before)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert gc.isenabled()
    records = traced.records()
    assert sum(record.kind == "sent" for record in records) == len(rounds)
    assert sum(record.kind == "returned" and record.values == [long] for record in records) == len(rounds)


@pytest.mark.parametrize(
    "client, port",
    [
        (("::1", 80), 80),
        (["127.0.0.1", "65535"], 65535),
        (("127.0.0.1", True), 1),
        (("127.0.0.1", 65536), 0),
        (("127.0.0.1", -1), 0),
        (("127.0.0.1", 2**80), 0),
        (("127.0.0.1", "12x"), 0),
        (("127.0.0.1", "٣"), 0),
        (("127.0.0.1", "99999999999999999999999999"), 0),
        (("127.0.0.1", ""), 0),
        (("127.0.0.1", None), 0),
        (("127.0.0.1", 1.0), 0),
        (("127.0.0.1",), 0),
        (("", 1, 2, 3), 0),
        ("127.0.0.1:80", 0),
        (None, 0),
    ],
)
def test_the_client_port_stands_on_every_record(traced: Traced, client: Any, port: int) -> None:
    traced.begin({"type": "http", "client": client}).sent(None)
    assert [record.client_port for record in traced.records()] == [port, port]


@pytest.mark.parametrize("name", [b"bridgecheck-next", b"Bridgecheck-Next"])
def test_a_marked_request_is_no_call(traced: Traced, name: bytes) -> None:
    scope = {"type": "http", "client": ("127.0.0.1", 9), "headers": [[b"host", b"a"], (name, b"42")]}
    assert traced.recorder.is_marked(scope)
    marked = traced.begin(scope)
    assert marked.uncommon & MODULES[traced.name].MARKED
    assert marked.token == b"42"
    traced.begin()
    records = traced.records()
    assert [(record.kind, record.call, record.client_port) for record in records] == [("marked", 0, 9), ("call", 1, 0)]
    assert records[0].values == [b"42"]


@pytest.mark.parametrize(
    "scope",
    [
        {"type": "websocket", "headers": [(b"bridgecheck-next", b"1")]},
        {"type": "http", "headers": [(b"bridgecheck-nexu", b"1"), (b"bridgecheck", b"1")]},
        {"type": "http", "headers": [("bridgecheck-next", "1"), (b"bridgecheck-next", "1"), (b"bridgecheck-next",), None]},
        {"type": "http", "headers": None},
        {"type": "http"},
        {},
        None,
    ],
)
def test_other_scopes_are_calls(traced: Traced, scope: Any) -> None:
    assert not traced.recorder.is_marked(scope)
    assert traced.recorder.begin(scope, receive, send).uncommon == 0
    assert [record.kind for record in traced.records()] == ["call"]


def test_properties_follow_what_the_server_hands_over(traced: Traced) -> None:
    class Cycle:
        async def receive(self) -> Any: ...

        def send(self, message: Any) -> Any: ...

    def known(function: Any) -> str:
        asked.append(function)
        return COROUTINE_FUNCTION if function.__name__ == "receive" else "plain"

    asked: list[Any] = []
    module = MODULES[traced.name]
    recorder = module.Recorder(str(traced.folder), None, module.Call, known, COROUTINE_FUNCTION, 0)
    for _ in range(3):
        cycle = Cycle()
        call = recorder.begin({}, cycle.receive, cycle.send)
        assert call.uncommon == module.PLAIN_SEND
        assert call.server_receive == cycle.receive
        assert call.server_send == cycle.send
    for _ in range(3):
        assert recorder.begin({}, "abc".upper, "abc".lower).uncommon == module.PLAIN_RECEIVE | module.PLAIN_SEND
    kinds = [(record.values[1]["receive"], record.values[1]["send"]) for record in traced.records()]
    assert kinds == [(COROUTINE_FUNCTION, "plain")] * 3 + [("plain", "plain")] * 3
    assert {record.values[1]["main thread"] for record in traced.records()} == {False}
    if traced.name == "c":
        assert len(asked) == 3  # the method, the other method, the built-in ones


def test_more_kinds_than_are_remembered(traced: Traced) -> None:
    def make(number: int) -> Any:
        scope: dict[str, Any] = {}
        exec(f"def function{number}(): ...", scope)
        return scope[f"function{number}"]

    made = [make(number) for number in range(20)]
    for function in made * 2:
        assert traced.recorder.begin({}, function, send).uncommon == MODULES[traced.name].PLAIN_RECEIVE
    assert {record.values[1]["receive"] for record in traced.records()} == {"function"}


def test_a_description_that_fails_is_not_the_apps_problem(tmp_path: Path) -> None:
    def fails(function: Any) -> str:
        raise RuntimeError

    traced = Traced("c", tmp_path)
    recorder = _recorder.Recorder(str(traced.folder), None, _recorder.Call, fails, COROUTINE_FUNCTION, 0)
    assert recorder.begin({}, receive, send).uncommon == _recorder.PLAIN_RECEIVE | _recorder.PLAIN_SEND
    assert traced.records()[0].values[1]["receive"] == ""


def test_a_full_file_is_followed_by_the_next(tmp_path: Path) -> None:
    def act(traced: Traced) -> None:
        call = traced.begin()
        for number in range(700):
            call.sent([number, b"x" * 8000])

    first, second = both(tmp_path, act, file_size=SMALLEST_FILE)
    assert [record.payload for record in first[1:]] == [record.payload for record in second[1:]]
    assert [record.values[0][0] for record in first[1:]] == list(range(700))
    for name in MODULES:
        paths = sorted((tmp_path / name).iterdir())
        assert [path.name for path in paths] == [f"{os.getpid()}-{number}.trace" for number in (1, 2, 3)]
        assert {path.stat().st_size for path in paths} == {SMALLEST_FILE}


def test_an_earlier_process_of_this_pid_keeps_its_file(traced: Traced) -> None:
    old = traced.folder / f"{os.getpid()}-1.trace"
    old.write_bytes(b"old")
    traced.begin()
    assert old.read_bytes() == b"old"
    assert len(read_file(traced.folder / f"{os.getpid()}-2.trace")) == 1


def test_a_child_writes_its_own_file_and_leaves_its_parents_calls_alone(traced: Traced) -> None:
    call = traced.begin()
    child = os.fork()
    if child == 0:
        call.returned("in the child")
        traced.begin({"type": "child"})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert len(traced.records()) == 2
    call.returned("in the parent")
    by_pid = {int(path.stem.split("-")[0]): read_file(path) for path in traced.folder.iterdir()}
    assert [record.kind for record in by_pid[os.getpid()]] == ["call", "returned", "settled"]
    assert by_pid[os.getpid()][1].values == ["in the parent"]
    assert [(record.kind, record.call, record.values[0]) for record in by_pid[child]] == [("call", 1, {"type": "child"})]


def test_a_fork_before_the_first_call_leaves_no_file_of_the_parent(traced: Traced) -> None:
    child = os.fork()
    if child == 0:
        traced.begin()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert [path.name for path in traced.folder.iterdir()] == [f"{child}-1.trace"]


@pytest.mark.parametrize("folder, reason", [("missing", "No such file or directory"), (None, "BRIDGECHECK_TRACE is not set")])
@pytest.mark.parametrize("name", MODULES)
def test_a_trace_that_cannot_be_written_costs_one_line(
    name: str, folder: str | None, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    module = MODULES[name]
    place = None if folder is None else str(tmp_path / folder)
    recorder = module.Recorder(place, None, module.Call, describe, COROUTINE_FUNCTION, 0)
    for _ in range(2):
        call = recorder.begin({"type": "http"}, receive, send)
        assert call.uncommon == 0
        assert call.received({}) is call.sending({}) is call.sent(None) is call.returned(None) is None
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert str(os.getpid()) in lines[0]
    assert reason in lines[0]
    assert list(tmp_path.iterdir()) == []


def arm(path: Path) -> None:
    with open(path, "r+b", buffering=0) as file:
        file.seek(24)
        file.write(struct.pack("=I", 1))


def armed(path: Path) -> int:
    with open(path, "rb") as file:
        return struct.unpack_from("=I", file.read(28), 24)[0]


@pytest.mark.parametrize("name", MODULES)
def test_the_doorbell_rings_once_when_it_is_armed(name: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.bind(str(tmp_path / "bell"))
        bell.setblocking(False)

        def rings() -> int:
            count = 0
            while True:
                try:
                    assert bell.recv(100) == path.name.encode()
                except BlockingIOError:
                    return count
                count += 1

        traced = Traced(name, tmp_path, doorbell=str(tmp_path / "bell"))
        call = traced.begin()
        path = traced.folder / f"{os.getpid()}-1.trace"
        assert rings() == 1  # the file was opened
        for act in (lambda: call.sent(None), lambda: call.received({}), lambda: call.sending({}), lambda: call.sent(None)):
            arm(path)
            act()
            assert rings() == 0
        traced.begin()
        assert rings() == 1
        assert armed(path) == 0
        traced.begin()
        assert rings() == 0
        arm(path)
        call.returned(None)
        assert rings() == 1
        arm(path)
        call()
        call()
        assert rings() == 1
    arm(path)
    traced.begin()  # no one listens any more
    assert armed(path) == 0


def test_calls_hold_on_to_nothing(traced: Traced) -> None:
    loop = asyncio.new_event_loop()
    scope = {"type": "http", "headers": [(b"a", b"b")], "client": ("127.0.0.1", 80)}
    marked = {"type": "http", "headers": [(b"bridgecheck-next", b"a token of its own")]}
    event = {"type": "http.request", "body": b"x" * 9000, "s": Text("\udcff"), "v": memoryview(b"ab"), "i": 2**70, "o": Strange()}
    error = ValueError("an error")
    watched: list[Any] = [scope, marked, marked["headers"][0][1], event, event["body"], error, receive, send, loop]
    watched += [receive.__code__, send.__code__, MODULES[traced.name].Call, Text, Strange, memoryview, COROUTINE_FUNCTION, traced.recorder]

    async def calls(count: int) -> None:
        for _ in range(count):
            traced.recorder.begin(marked, receive, send)
            call = traced.recorder.begin(scope, receive, send)
            call.received(event)
            call.sending(event)
            call.sent(None)
            call.send_raised(error)
            call.raised(error)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def counts() -> list[int]:
        gc.collect()
        return [sys.getrefcount(item) for item in watched]

    count = 300 if traced.name == "c" else 20
    loop.run_until_complete(calls(20))
    before = counts()
    tracemalloc.start()
    try:
        loop.run_until_complete(calls(count))  # fills whatever keeps things for reuse
        gc.collect()
        size = tracemalloc.get_traced_memory()[0]
        loop.run_until_complete(calls(count))
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - size
    finally:
        tracemalloc.stop()
    after = counts()
    loop.close()
    assert after == before
    assert grown < 300 * 16


def test_a_recorder_gives_everything_back(tmp_path: Path) -> None:
    def count() -> tuple[int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), len(Path("/proc/self/maps").read_text().splitlines())

    for name in MODULES:
        for number in range(6):
            folder = tmp_path / f"{name}{number}"
            folder.mkdir()
            whole_call(Traced(name, folder))
            if number == 2:
                before = count()
        now = count()
        if name == "c":
            assert now[0] <= before[0]
            assert now[1] <= before[1] + 2  # the heap's own


def test_a_recorder_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    for module in MODULES.values():
        with pytest.raises(ValueError, match="too small"):
            module.Recorder(str(tmp_path), None, module.Call, describe, COROUTINE_FUNCTION, 0, file_size=SMALLEST_FILE - 1)
    with pytest.raises(TypeError, match="subclass"):
        _recorder.Recorder(str(tmp_path), None, int, describe, COROUTINE_FUNCTION, 0)
    with pytest.raises(TypeError, match="scope, receive and send"):
        Traced("c", tmp_path).recorder.begin({})
    with pytest.raises(TypeError):
        _recorder.Call()
