"""A client that leaves, in each phase of its request and each way: what the app is told. Live, uvicorn and the bridge alike."""

import time
from collections.abc import Callable

import pytest

from .live import Client, Server, bridge_fixture, key, request, server_fixture, wait_until  # noqa: F401

Leave = Callable[[Client], None]
DISCONNECT = {"type": "http.disconnect"}


def close(client: Client) -> None:
    client.socket.close()


def reset(client: Client) -> None:
    client.reset()


def half_close(client: Client) -> None:
    """Both take that for leaving."""
    client.half_close()


WAYS = [close, reset, half_close]
GONE = [DISCONNECT, "http.disconnect", "fine", "fine", "fine", "http.disconnect"]


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("text", [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: y"])
def test_before_the_head_is_complete_nobody_is_called(server: Server, leave: Leave, text: bytes) -> None:
    said = len(server.stderr)
    with server.connect() as client:
        client.send(text)
        leave(client)
        if leave is half_close:
            assert client.is_closed()
    assert server.ask("/").body == b"done"
    assert server.stderr[said:] == ""


def listening(server: Server, leave: Leave, text: str, last: object) -> list[object]:
    call = key()
    client = server.connect().send(text.replace("KEY", call).encode())
    server.noted(call, last)
    leave(client)
    found = server.outcome(call)
    close(client)
    return found


@pytest.mark.parametrize("leave", WAYS)
def test_while_the_app_listens(server: Server, leave: Leave) -> None:
    last = ["http.request", 0, False]
    assert listening(server, leave, "GET /leaving.listen/KEY HTTP/1.1\r\nHost: a\r\n\r\n", last) == ["called", last, *GONE]


@pytest.mark.parametrize("leave", WAYS)
def test_while_its_content_is_under_way(server: Server, leave: Leave) -> None:
    last = ["http.request", 5, True]
    text = "POST /leaving.listen/KEY HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345"
    assert listening(server, leave, text, last) == ["called", last, *GONE]


@pytest.mark.parametrize("leave", WAYS)
def test_within_a_chunk(server: Server, leave: Leave) -> None:
    last = ["http.request", 3, True]
    text = "POST /leaving.listen/KEY HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n123"
    assert listening(server, leave, text, last) == ["called", last, *GONE]


@pytest.mark.parametrize("leave", WAYS)
def test_while_the_app_does_not_listen(server: Server, leave: Leave) -> None:
    call = key()
    client = server.connect().get(f"/leaving.deaf/{call}")
    server.noted(call, "called")
    leave(client)
    time.sleep(0.05)
    server.go(call)
    assert server.outcome(call) == ["called", "fine", "http.disconnect", "http.disconnect"]
    close(client)


@pytest.mark.parametrize("leave", WAYS)
def test_in_the_middle_of_the_response(server: Server, leave: Leave) -> None:
    call = key()
    client = server.connect().get(f"/leaving.streaming/{call}")
    server.noted(call, "begun")
    leave(client)
    assert server.outcome(call) == ["begun", "http.disconnect", "fine", "fine", "fine"]
    close(client)


@pytest.mark.parametrize("leave", WAYS)
def test_while_the_app_works_on_after_its_response(server: Server, leave: Leave) -> None:
    """It is told of an end at once; what it sends is too much, whether the client is there or not."""
    late = ["RuntimeError", "Unexpected ASGI message 'http.response.body' sent, after response already completed."]
    call = key()
    client = server.connect().get(f"/leaving.background/{call}")
    assert client.response().body == b"done"
    assert server.noted(call, "http.disconnect") == ["answered", "http.disconnect"]
    leave(client)
    time.sleep(0.05)
    server.go(call)
    assert server.outcome(call) == ["answered", "http.disconnect", "http.disconnect", late]
    close(client)


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("function", ["returning", "raising"])
def test_what_is_logged(server: Server, leave: Leave, function: str) -> None:
    """An app that returns when its client has left has done nothing wrong; one that raises has."""
    said = len(server.stderr)
    call = key()
    client = server.connect().get(f"/leaving.{function}/{call}")
    server.noted(call, "called")
    leave(client)
    server.outcome(call)
    close(client)
    if function == "raising":
        server.until("ValueError: the client has left\n")
        first, *_, last = server.stderr[said:].splitlines()
        assert (first, last) == ("ERROR:    Exception in ASGI application", "ValueError: the client has left")
    else:
        server.ask("/")
        assert server.stderr[said:] == ""


def test_a_client_that_leaves_with_requests_behind(bridge: Server) -> None:
    """The app that listens is told, and what waits behind it is never called. uvicorn tells the last request, whose app was not called."""
    first, second = key(), key()
    client = bridge.connect().send(request(f"/leaving.listen/{first}") + request(f"/leaving.listen/{second}"))
    bridge.noted(first, last := ["http.request", 0, False])
    client.reset()
    assert bridge.outcome(first) == ["called", last, *GONE]
    assert bridge.notes(second) == []


def test_a_half_closed_client_gets_what_was_sent_before(server: Server) -> None:
    call = key()
    with server.connect() as client:
        client.get(f"/leaving.streaming/{call}")
        server.noted(call, "begun")
        client.half_close()
        assert client.rest().endswith(b"\r\n\r\n5\r\nbegun\r\n")


def test_a_half_closed_client_gets_no_answer_that_is_not_begun(server: Server) -> None:
    call = key()
    with server.connect() as client:
        client.send(request(f"/leaving.deaf/{call}"))
        client.half_close()
        server.noted(call, "called")
        assert client.rest() == b""
        server.go(call)
    assert server.outcome(call)[1] == "fine"


def test_a_close_behind_a_large_response_cuts_nothing(server: Server) -> None:
    """The client says that it wants no more, and reads late: all of it is there, then the end."""
    call = key()
    with server.connect(1 << 16) as client:
        client.get(f"/flow.stream/{call}?pieces=60&size=65536", "Connection: close")
        wait_until(lambda: server.notes(call))
        time.sleep(0.1)
        assert client.response().body == b"x" * 60 * 65536
        assert client.is_closed()
