"""When a connection is closed for being idle, and when it is not: live, under uvicorn and the bridge alike.

All wait at the same time, and the tests look at what came of each.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .live import TARGETS, Client, Server, key, on_each, running

TIMEOUT = 1.0


def age_at_end(client: Client, since: float) -> float:
    """`since`: before the last request was sent, which is before the server's clock begins, however late a busy machine lets us read."""
    assert client.is_closed()
    return time.monotonic() - since


def after_a_response(server: Server) -> float:
    with server.connect() as client:
        since = time.monotonic()
        assert client.get("/").response().body == b"done"
        return age_at_end(client, since)


def after_two_responses(server: Server) -> float:
    """The second request stops the first clock."""
    with server.connect() as client:
        client.get("/").response()
        time.sleep(TIMEOUT * 0.7)
        since = time.monotonic()
        client.get("/").response()
        return age_at_end(client, since)


def after_pipelined_responses(server: Server) -> float:
    with server.connect() as client:
        since = time.monotonic()
        client.get("/").get("/").get("/")
        for _ in range(3):
            client.response()
        return age_at_end(client, since)


def after_an_early_response(server: Server) -> float:
    """The request's content is still under way: the clock runs from the response, and nothing came since."""
    with server.connect() as client:
        since = time.monotonic()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345").response()
        return age_at_end(client, since)


CLOSED = [after_a_response, after_two_responses, after_pipelined_responses, after_an_early_response]


def silent(server: Server) -> Client:
    return server.connect()


def half_a_head(server: Server) -> Client:
    return server.connect().send(b"GET / HTTP/1.1\r\nHos")


def half_a_head_of_the_second(server: Server) -> Client:
    client = server.connect().get("/")
    client.response()
    return client.send(b"GET / HT")


def an_empty_line_after_the_response(server: Server) -> Client:
    """Any byte stops the clock, also one that begins no request."""
    client = server.connect().get("/")
    client.response()
    return client.send(b"\r\n")


def half_a_body(server: Server) -> Client:
    return server.connect().send(f"POST /flow.count/{key()} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345".encode())


def a_late_answer(server: Server) -> Client:
    return server.connect().get(f"/flow.hold/{key()}")


def a_late_answer_to_the_second(server: Server) -> Client:
    client = server.connect().get("/")
    client.response()
    return client.get(f"/flow.hold/{key()}")


def a_late_answer_to_the_second_of_two(server: Server) -> Client:
    client = server.connect().get("/").get(f"/flow.hold/{key()}")
    client.response()
    return client


OPEN = [
    silent,
    half_a_head,
    half_a_head_of_the_second,
    an_empty_line_after_the_response,
    half_a_body,
    a_late_answer,
    a_late_answer_to_the_second,
    a_late_answer_to_the_second_of_two,
]


def stays_open(script: Callable[[Server], Client], server: Server) -> bool:
    with script(server) as client:
        return client.is_silent(TIMEOUT * 1.6)


def goes_on_late(server: Server) -> bytes:
    """A head that was begun in time may take longer."""
    with half_a_head_of_the_second(server) as client:
        time.sleep(TIMEOUT * 1.3)
        return client.send(b"TP/1.1\r\nHost: a\r\n\r\n").response().body


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Callable[[str, Callable[..., Any]], Any]]:
    """What comes of a script with a target."""
    with running("usual:app", "--timeout-keep-alive", "1", targets=TARGETS) as servers, ThreadPoolExecutor(64) as pool:
        found = {}
        for server in servers:
            server.ask("/")
            for script in CLOSED:
                found[server.target, script] = pool.submit(script, server)
            for script in OPEN:
                found[server.target, script] = pool.submit(stays_open, script, server)
            found[server.target, goes_on_late] = pool.submit(goes_on_late, server)
        yield lambda target, script: found[target, script].result()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("script", CLOSED)
def test_closed_after_the_timeout_and_not_before(outcomes: Any, script: Callable[[Server], float], target: str) -> None:
    assert TIMEOUT - 0.05 <= outcomes(target, script) < TIMEOUT + 1


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("script", OPEN)
def test_open_beyond_the_timeout(outcomes: Any, script: Callable[[Server], Client], target: str) -> None:
    assert outcomes(target, script)


@pytest.mark.parametrize("target", TARGETS)
def test_a_head_that_goes_on_after_the_timeout_is_answered(outcomes: Any, target: str) -> None:
    assert outcomes(target, goes_on_late) == b"done"


def test_no_patience_at_all() -> None:
    """With --timeout-keep-alive 0 a connection serves what has come by its first response."""

    def one(server: Server) -> tuple[bytes, bool]:
        with server.connect() as client:
            return client.get("/").response().body, client.is_closed()

    with running("usual:app", "--timeout-keep-alive", "0", targets=TARGETS) as servers:
        assert on_each(servers, one) == [(b"done", True)] * len(servers)
