"""The observer is transparent: the same questions, asked on real servers with it and without it, have the same answers."""

import json
import re
import select
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from . import observer_questions
from .observer_trace import Record, read
from .served import COMMANDS, OBSERVER, Served, observed, served

APP = "observer_questions:app"
HERE = Path(__file__).parent


def exchange(server: Served, name: str) -> bytes:
    """What the server sends for a question, without the fields that are a matter of time, and how it closes."""
    content_lacks = name in observer_questions.CONTENT_LACKS
    with server.connect() as connection:
        length = 6 if content_lacks else 3
        connection.sendall(f"POST /{name} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: close\r\n\r\nabc".encode())
        if name in observer_questions.CLIENT_LEAVES:
            answers_of(server, lambda found: name in found)  # the app has been called
            return b""
        if content_lacks and not select.select([connection], [], [], 1.5)[0]:
            connection.sendall(b"def")  # daphne calls no app before it has everything
        if name in observer_questions.MAY_STAY_OPEN:
            connection.settimeout(3)
        found = b""
        try:
            while piece := connection.recv(65536):
                found += piece
                if content_lacks and found.endswith(b"ok"):
                    break  # whether granian closes after half a request is a matter of chance
        except TimeoutError:
            found += b"(stays open)"
        except ConnectionResetError:
            found += b"(reset)"
    return re.sub(rb"(?i)\r\ndate:[^\r]*", b"", found)


HANDSHAKE = (
    "GET /{} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: talk\r\n\r\n"
)


def open_web_socket(server: Served) -> bytes:
    with server.connect() as connection:
        connection.sendall(HANDSHAKE.format("web-socket").encode())
        return connection.recv(65536).partition(b"\r\n")[0]


def frame(opcode: int, payload: bytes) -> bytes:
    """Masked with zeros, as if it were not."""
    size = len(payload)
    length = bytes([128 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([128 | opcode]) + length + bytes(4) + payload


def talk_web_socket(server: Served) -> bytes:
    """All that the server sends in a talk, without what is a matter of time."""
    with server.connect() as connection:
        connection.settimeout(5)
        connection.sendall(HANDSHAKE.format("web-socket-talk").encode())
        found = read_head(connection)
        connection.sendall(frame(1, "é".encode() * 10000) + frame(2, b"\x00\xff"))
        while b"\x82\x02\x00\xff" not in found:
            found += connection.recv(65536)
        connection.sendall(frame(1, b"last"))
        try:
            while not found.endswith(b"enough") and (piece := connection.recv(65536)):
                found += piece
            connection.sendall(frame(8, b"\x0f\xa1"))
            while piece := connection.recv(65536):
                found += piece
        except TimeoutError:
            found += b"(stays open)"
        except (ConnectionResetError, BrokenPipeError):
            pass  # one that does not wait for our close frame
    return re.sub(rb"(?i)\r\ndate:[^\r]*", b"", found)


def answers_of(server: Served, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Answers as the server has them, once they are enough, or it has taken too long."""
    give_up = time.monotonic() + 5
    while True:
        found: dict[str, Any] = json.loads(exchange(server, "answers").partition(b"\r\n\r\n")[2])
        if enough(found) or time.monotonic() > give_up:
            return found


def ask_everything(server: Served) -> dict[str, Any]:
    server.wait_until_ready()
    seen: dict[str, Any] = {}
    for name in observer_questions.QUESTIONS:
        if name not in observer_questions.MAY_STAY_OPEN:
            seen[f"{name}: client"] = exchange(server, name)
        if name in observer_questions.CLIENT_LEAVES:
            answers_of(server, lambda found, name=name: found[name] != observer_questions.NO_ANSWER)  # type: ignore[misc]
    silent = sorted(observer_questions.MAY_STAY_OPEN - {"raises-inside"})
    # By itself and last: daphne's look after its apps ends with the first that raises inside a response.
    for names in (silent, ["raises-inside"]):
        with ThreadPoolExecutor() as pool:
            seen |= zip((f"{name}: client" for name in names), pool.map(exchange, [server] * len(names), names), strict=True)
    seen["web-socket: client"] = open_web_socket(server)
    seen["web-socket-talk: client"] = talk_web_socket(server)
    return seen | answers_of(server, lambda found: observer_questions.WEB_SOCKETS.keys() <= found.keys())


def settled_trace(folder: Path) -> list[Record]:
    """The trace once every call but the lifespan's has settled."""
    give_up = time.monotonic() + 10
    while True:
        records = [record for file in read(folder) for record in file]
        begun = {record.call for record in records if record.kind == "call" and record.values[0]["type"] != "lifespan"}
        if begun == {record.call for record in records if record.kind == "settled"} & begun or time.monotonic() > give_up:
            return records


@pytest.fixture(scope="module", params=list(COMMANDS))
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], list[Record]]:
    """All answers without and with the observer, and the trace."""
    folder = tmp_path_factory.mktemp(request.param)
    for name in ("bare", "observed", "trace"):
        (folder / name).mkdir()
    environment = observed(APP, folder / "trace")
    with ExitStack() as stack:
        bare = stack.enter_context(served(request.param, APP, folder / "bare", path=(HERE,)))
        watched = stack.enter_context(
            served(request.param, "bridgecheck_observer:app", folder / "observed", path=(OBSERVER, HERE), environment=environment)
        )
        with ThreadPoolExecutor() as pool:
            answers = list(pool.map(ask_everything, (bare, watched)))
        return answers[0], answers[1], settled_trace(folder / "trace")


@pytest.mark.parametrize("name", [*observer_questions.QUESTIONS, "lifespan", *observer_questions.WEB_SOCKETS])
def test_the_answer_is_the_same(both: tuple[dict[str, Any], dict[str, Any], list[Record]], name: str) -> None:
    bare, watched, _ = both
    if name == "lifespan" and "lifespan" not in bare:  # daphne has none
        assert "lifespan" not in watched
        return
    assert bare[name] == watched[name]
    assert bare.get(f"{name}: client") == watched.get(f"{name}: client")


def test_every_question_was_traced_to_its_end(both: tuple[dict[str, Any], dict[str, Any], list[Record]]) -> None:
    _, watched, records = both
    calls: dict[int, list[Record]] = {}
    for record in records:
        calls.setdefault(record.call, []).append(record)
    paths = [call[0].values[0].get("path") for call in calls.values()]
    assert {f"/{name}" for name in [*observer_questions.QUESTIONS, *observer_questions.WEB_SOCKETS, "answers"]} <= set(paths)
    properties = calls[min(calls)][0].values[1]
    assert properties["recorder"] == "c"
    for call in calls.values():
        kinds = [record.kind for record in call]
        path = call[0].values[0].get("path")
        assert kinds[0] == "call"
        if path is None:
            continue  # the lifespan has not ended
        assert sum(kind in ("returned", "raised") for kind in kinds) == 1, path
        assert kinds.count("settled") == 1, path
        assert max(kinds.index(kind) for kind in ("returned", "raised") if kind in kinds) < kinds.index("settled")
    recorded = next(call for call in calls.values() if call[0].values[0].get("path") == "/results")
    middle = ["received", "send", "sent", "send", "sent"]
    assert [record.kind for record in recorded] == ["call", *middle, "returned", "settled"]
    plain_receive = next(call for call in calls.values() if call[0].values[0].get("path") == "/ensure-future")
    assert [record.kind for record in plain_receive][:2] == ["call", "received"]
    assert plain_receive[1].values[0]["body"] == b"abc"
    talk = next(call for call in calls.values() if call[0].values[0].get("path") == "/web-socket-talk")
    events = [record.values[0] for record in talk if record.kind in ("received", "send")]
    assert [event["type"] for event in events[:4]] == ["websocket.connect", "websocket.accept", "websocket.receive", "websocket.send"]
    long = events[2]["text"]  # too long to be traced whole
    assert (long.length, long.first) == (20000, "é".encode() * 2048)
    assert events[4]["bytes"] == b"\x00\xff"
    assert {record.client_port > 0 for call in calls.values() for record in call if call[0].values[0].get("path")} == {True}


def test_a_marked_request_is_answered_without_the_app(tmp_path: Path) -> None:
    environment = observed(APP, tmp_path)
    with ExitStack() as stack:
        servers = {}
        for name in COMMANDS:
            (tmp_path / name).mkdir()
            environment = observed(APP, tmp_path / name)
            servers[name] = stack.enter_context(
                served(name, "bridgecheck_observer:app", tmp_path / name, path=(OBSERVER, HERE), environment=environment)
            )
        for name, server in servers.items():
            server.wait_until_ready()
            with server.connect() as connection:
                connection.sendall(b"GET /raises HTTP/1.1\r\nHost: a\r\nBridgecheck-Next: 42-a\r\n\r\n")
                head = read_head(connection).lower()
                connection.sendall(b"GET /callables HTTP/1.1\r\nHost: a\r\n\r\n")
                assert read_head(connection).startswith(b"HTTP/1.1 200")
                port = connection.getsockname()[1]
            assert head.startswith(b"http/1.1 200")
            assert b"\r\ncontent-length: 0\r\n" in head
            assert b"\r\nbridgecheck-next: 42-a\r\n" in head
            records = [record for file in read(tmp_path / name) for record in file if record.client_port]
            assert (records[0].kind, records[0].values, records[0].call) == ("marked", [b"42-a"], 0)
            assert records[0].client_port == port
            assert records[1].kind == "call"


def read_head(connection: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        piece = connection.recv(4096)
        assert piece, found
        found += piece
    return found
