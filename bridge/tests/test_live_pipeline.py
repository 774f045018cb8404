"""Requests that are sent before their predecessors are answered: each gets its own answer, in turn. Live, uvicorn and the bridge alike."""

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from .live import TARGETS, Server, bridge_fixture, key, masked, on_each, request, server_fixture, servers_fixture  # noqa: F401

Sender = Callable[[Server, bytes], bytes]


def in_one_write(server: Server, text: bytes) -> bytes:
    with server.connect() as client:
        return masked(client.send(text).rest())


def in_pieces(server: Server, text: bytes, size: int = 97) -> bytes:
    """In pieces that fit nothing, as far as the server takes them."""
    with server.connect() as client:
        with suppress(ConnectionError):
            client.send(*(text[i : i + size] for i in range(0, len(text), size)))
        return masked(client.rest())


def byte_by_byte(server: Server, text: bytes) -> bytes:
    return in_pieces(server, text, 1)


def echo(number: int, *fields: str, method: str = "GET", size: int | None = None, wait: float = 0) -> bytes:
    body = None if size is None else b"%d" % (number % 10) * size
    return request(f"/turns.echo/{number}?wait={wait}", *fields, method=method, body=body)


def chunked(number: int) -> bytes:
    return request(f"/turns.echo/{number}", "Transfer-Encoding: chunked", method="PUT") + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"


LAST = echo(99, "Connection: close")
SERIES: dict[str, bytes] = {
    "1": LAST,
    "5": b"".join(echo(i) for i in range(4)) + LAST,
    "40": b"".join(echo(i) for i in range(39)) + LAST,
    "slow first": echo(1, wait=0.1) + b"".join(echo(i) for i in range(2, 20)) + LAST,
    "slow in the middle": b"".join(echo(i, wait=0.03 * (i % 7 == 0)) for i in range(40)) + LAST,
    "with content": b"".join(echo(i, method="POST", size=i * 13) for i in range(25)) + LAST,
    "with large content": b"".join(echo(i, method="POST", size=70000) for i in range(3)) + LAST,
    "in chunks": b"".join(chunked(i) for i in range(20)) + LAST,
    "HEAD and GET": b"".join(echo(i, method="HEAD" if i % 3 else "GET") for i in range(20)) + LAST,
    "of every kind": echo(1) + chunked(2) + echo(3, method="HEAD") + echo(4, method="POST", size=5) + request("/turns.missing/5") + LAST,
    "close in the middle": echo(1) + echo(2, "Connection: close") + echo(3) + LAST,
    "close in the middle of many": b"".join(echo(i) for i in range(20)) + echo(20, "Connection: close") + echo(21) + LAST,
    "closed by the app": echo(1) + request("/turns.close/2") + echo(3) + LAST,
    "app raises": echo(1) + request("/turns.raising/2") + echo(3) + LAST,
    "HTTP/1.0 in the middle": echo(1) + request("/turns.echo/2", version="1.0") + echo(3) + LAST,
    "content that is not read": b"".join(request(f"/turns.deaf/{i}", method="POST", body=b"x" * 100) for i in range(20)) + LAST,
    "large content that is not read": request("/turns.deaf/1", method="POST", body=b"GET /turns.echo/0 HTTP/1.1\r\n\r\n" * 9000) + LAST,
    "empty lines between": echo(1) + b"\r\n" + echo(2) + b"\r\n" + LAST,
    "streams": b"".join(request(f"/turns.stream/{i}") for i in range(10)) + LAST,
}


# What is still being sent when the server closes makes the close a reset, and how much of the answers that leaves is chance: in pieces
# these are sent up to the request behind which it closes.
LAST_ANSWERED = {
    "close in the middle": echo(2, "Connection: close"),
    "close in the middle of many": echo(20, "Connection: close"),
    "closed by the app": request("/turns.close/2"),
    "app raises": request("/turns.raising/2"),
    "HTTP/1.0 in the middle": request("/turns.echo/2", version="1.0"),
}
CASES = [
    (send, name) for send in (in_one_write, in_pieces, byte_by_byte) for name in SERIES if send is not byte_by_byte or "large" not in name
]


@pytest.mark.parametrize(("send", "name"), CASES)
def test_the_same_bytes_come_back(servers: dict[str, Server], send: Sender, name: str) -> None:
    text = SERIES[name]
    if send is not in_one_write and name in LAST_ANSWERED:
        before, last, _ = text.partition(LAST_ANSWERED[name])
        assert last
        text = before + last
    found = dict(zip(servers, on_each(list(servers.values()), lambda server: send(server, text)), strict=True))
    assert found["uvicorn-uvloop"].startswith(b"HTTP/1.1 ")
    for target in TARGETS:
        assert found[target] == found["uvicorn-uvloop"], target


def test_answers_come_in_the_order_of_their_requests(server: Server) -> None:
    with server.connect() as client:
        client.send(b"".join(echo(i, method="POST", size=i, wait=0.02 * (i % 5 == 0)) for i in range(40)))
        answers = [client.response().json for _ in range(40)]
    assert answers == [["POST", f"/turns.echo/{i}", i] for i in range(40)]


def test_one_at_a_time(server: Server) -> None:
    """The second app is called when the first has answered."""
    first, second = key(), key()
    with server.connect() as client:
        client.get(f"/leaving.deaf/{first}").get(f"/leaving.deaf/{second}")
        server.noted(first, "called")
        assert server.notes(second) == []
        server.go(first)
        assert client.response().body == b"for nobody"
        server.noted(second, "called")
        server.go(second)
        assert client.response().body == b"for nobody"


def test_content_of_the_next_request_comes_while_the_first_is_answered(server: Server) -> None:
    first, second = key(), key()
    with server.connect() as client:
        client.get(f"/leaving.deaf/{first}")
        server.noted(first, "called")
        client.send(request(f"/flow.count/{second}", "Content-Length: 300000", method="POST"))
        client.send(b"x" * 1000)
        server.go(first)
        client.response()
        client.send(b"x" * 299000)
        assert client.response().body.startswith(b"300000 ")


GARBAGE = b"GARBAGE\r\n\r\n"


@pytest.mark.parametrize("waiting", [0, 1, 5, 17, 40])
def test_an_error_behind_requests_is_answered_behind_them(bridge: Server, waiting: int) -> None:
    """uvicorn answers it in their place, and none of them."""
    with bridge.connect() as client:
        client.send(b"".join(echo(i, wait=0.05 * (i == 0)) for i in range(waiting)) + GARBAGE + echo(1))
        assert [json.loads(client.response().body)[1] for _ in range(waiting)] == [f"/turns.echo/{i}" for i in range(waiting)]
        error = client.response()
        assert (error.status, error.body, error[b"connection"]) == (400, b"Invalid HTTP request received.", b"close")
        assert client.is_closed()


def test_an_error_alone_is_answered_alike(servers: dict[str, Server]) -> None:
    found = [in_one_write(server, GARBAGE) for server in servers.values()]
    assert found[0].endswith(b"Invalid HTTP request received.")
    assert set(found) == {found[0]}


def test_an_error_after_an_answer_is_answered_alike(servers: dict[str, Server]) -> None:
    def script(server: Server) -> bytes:
        with server.connect() as client:
            return masked(client.send(echo(1)).response().raw + client.send(GARBAGE).rest())

    found = on_each(list(servers.values()), script)
    assert set(found) == {found[0]}


# --- series of planned calls, which the same seed makes the same

PLANS = ["ase", "ale", "sae", "rse", "se", "le", "lme", "sme", "smE", "smamE", "rsme", "E", "sE", "aslme", "x", "ax", "sx", "smx", "lx"]
PLANS += ["v", "s", "sm", "l", "lm", "a", "", "pse", "spe", "ape", "rpse", "lpmpe", "sepa", "sepr", "ser", "apsmpmpE", "lE"]
SIZES = [0, 1, 10, 300, 30_000]  # within what both read in one go
SERIES_OF_CALLS = 200


def planned(run: str, number: int) -> tuple[list[bytes], list[str], float]:
    """Requests in pieces, the keys of their calls, and the pause between two pieces."""
    chance = random.Random(f"planned {number}")
    text, calls = b"", []
    for i in range(chance.choice([1, 1, 2, 3, 6])):
        calls.append(f"{run}-{number}-{i}")
        plan = chance.choice(PLANS)
        path = f"/turns.planned/{calls[-1]}?plan={plan}" + "&close" * (chance.random() < 0.1)
        fields = [field for field in ("Connection: close", "Expect: 100-continue") if chance.random() < 0.1]
        method = chance.choice(["GET", "POST", "HEAD", "PUT"])
        match chance.choice(["none", "none", "length", "chunks"]):
            case "none":
                version = "1.0" if plan.startswith("l") and chance.random() < 0.2 else "1.1"
                text += request(path, *fields, method=method, version=version)
            case "length":
                text += request(path, *fields, method=method, body=chance.randbytes(chance.choice(SIZES)))
            case "chunks":
                pieces = [b"c" * chance.choice(SIZES[1:]) for _ in range(chance.choice([0, 1, 3]))]
                text += request(path, *fields, "Transfer-Encoding: chunked", method=method)
                text += b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    text += LAST
    cuts = sorted(chance.randrange(1, len(text)) for _ in range(chance.choice([0, 0, 1, 3, 10])))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True) if start < end]
    return pieces, calls, chance.choice([0, 0, 0.001, 0.004])


def play(server: Server, run: str, number: int) -> tuple[bytes, list[Any]]:
    pieces, calls, pause = planned(run, number)
    with server.connect() as client:
        with suppress(ConnectionError):
            for piece in pieces:
                client.send(piece)
                if pause:
                    time.sleep(pause)
        wire = masked(client.rest())
    notes = []
    for call in calls:
        if server.notes(call):  # it was called
            notes.append(server.outcome(call))
    return wire, notes


def test_planned_calls_come_to_the_same(servers: dict[str, Server]) -> None:
    run = key()
    outcomes = on_each(list(servers.values()), lambda server: [play(server, run, number) for number in range(SERIES_OF_CALLS)])
    for number, (theirs, *others) in enumerate(zip(*outcomes, strict=True)):
        for target, ours in zip(TARGETS[1:], others, strict=True):
            assert ours == theirs, f"{target}: {planned(run, number)}"
