"""What an app is given, as libraries look at it: receive, send, the task, its context, the scope. Live, uvicorn and the bridge alike."""

from typing import Any

import pytest

from .live import Client, Server, bridge_fixture, key, request, server_fixture, servers_fixture, wait_until  # noqa: F401


def noted(server: Server, function: str, *fields: str, method: str = "GET", body: bytes | None = None) -> list[Any]:
    """What a call of this app notes."""
    call = key()
    with server.connect() as client:
        assert client.send(request(f"/asked.{function}/{call}", *fields, method=method, body=body)).response().status == 200
        return server.outcome(call)


@pytest.mark.parametrize("function", ["faces", "task", "started", "not_awaited", "threadsafe"])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_libraries_find_the_same(servers: dict[str, Server], function: str, loop: str) -> None:
    theirs = noted(servers[f"uvicorn-{loop}"], function)
    assert theirs and noted(servers[f"bridge-{loop}"], function) == theirs


def test_the_event_types_of_receive_that_libraries_start(server: Server) -> None:
    assert noted(server, "started") == [["type", "body", "more_body"], "http.disconnect"]


def half_sent(server: Server, function: str, until: str) -> tuple[str, Client]:
    """A call whose client has sent the head, and waits with the content until the app has noted this."""
    call = key()
    client = server.connect().send(request(f"/asked.{function}/{call}", "Content-Length: 5", method="POST"))
    server.noted(call, until)
    return call, client


def test_a_receive_that_is_cancelled_takes_nothing(server: Server) -> None:
    call, client = half_sent(server, "again", "waiting")
    with client:
        client.send(b"hello").response()
    assert server.outcome(call) == ["nothing yet"] * 3 + ["waiting", "hello"]


def test_thousands_that_are_cancelled_leave_nothing(server: Server) -> None:
    call = key()
    with server.connect() as client:
        client.send(request(f"/asked.patient/{call}", "Content-Length: 5", method="POST"))
        wait_until(lambda: server.notes(call))
        client.send(b"hello").response()
    grown, content = server.outcome(call)
    assert grown < 1000 and content == "hello"


def test_a_receive_that_is_cancelled_when_content_came(server: Server) -> None:
    call, client = half_sent(server, "cancelled_when_it_came", "waiting")
    with client:
        client.send(b"hello").response()
    ((first, second),) = server.outcome(call)[1:]
    assert first == "hello" and second in (True, "")


def test_two_tasks_in_receive(server: Server) -> None:
    """Both wake; the first takes the content, and to both the client's leaving is told."""
    call, client = half_sent(server, "twice", "waiting")
    client.send(b"hel")
    wait_until(lambda: server.notes(call).count("waiting") == 2)
    client.reset()
    events = [["http.request", "hel", True], ["http.request", "", True]]
    gone = [["http.disconnect", "", None]] * 2
    assert server.outcome(call) == ["waiting", *events, "waiting", *gone, "http.disconnect"]


def test_a_future_that_is_cancelled_below_receive(bridge: Server) -> None:
    """Nothing of the server's depends on who waits."""
    call, client = half_sent(bridge, "broken_future", "waiting")
    with client:
        client.send(b"hello").response()
    assert bridge.outcome(call)[1:] == ["CancelledError", "waiting", "hello"]


def test_another_thread_is_refused(bridge: Server) -> None:
    """uvicorn writes to the transport from there, which no loop allows."""
    refused = ["RuntimeError", "receive() and send() belong to the thread of the event loop that called the app"]
    assert noted(bridge, "other_thread") == [refused, refused]


def test_receive_and_send_when_the_call_is_over(server: Server) -> None:
    call = key()
    with server.connect() as client:
        client.get(f"/asked.later/{call}").response()
        server.noted(call, "over")
        client.get("/").response()  # the connection serves others since
        server.go(call)
        notes = server.noted(call, "said")
    late = ["RuntimeError", "Unexpected ASGI message 'http.response.body' sent, after response already completed."]
    assert notes == ["over", "http.disconnect", late, "said"]


def test_receive_and_send_when_the_connection_is_over(server: Server) -> None:
    call = key()
    with server.connect() as client:
        client.get(f"/asked.later/{call}").response()
    server.noted(call, "over")
    server.go(call)
    late = ["RuntimeError", "Unexpected ASGI message 'http.response.body' sent, after response already completed."]
    assert server.noted(call, "said") == ["over", "http.disconnect", late, "said"]


@pytest.mark.parametrize("how", ["in turn", "pipelined", "after a slow one"])
def test_a_request_does_not_see_the_context_of_another(bridge: Server, how: str) -> None:
    """Under uvicorn a pipelined request runs in a copy of its predecessor's context."""
    calls = [key(), key(), key()]
    with bridge.connect() as client:
        for call in calls:
            client.send(request(f"/asked.context/{call}", method="POST", body=b"content" if how == "after a slow one" else None))
            if how == "in turn":
                client.response()
        for _ in calls if how != "in turn" else []:
            client.response()
    assert [bridge.outcome(call) for call in calls] == [["unset"]] * 3


def scope(server: Server, text: str) -> Any:
    call = key()
    with server.connect() as client:
        client.send(text.replace("KEY", call).encode("latin-1")).response()
        client_port = client.socket.getsockname()[1]
        ((kind, scope),) = server.outcome(call)
    fields = dict(scope[1])
    assert fields["server"] == ["tuple", [["str", "'127.0.0.1'"], ["int", str(server.address[1])]]]
    assert fields["client"] == ["tuple", [["str", "'127.0.0.1'"], ["int", str(client_port)]]]
    for name in ("server", "client"):
        fields[name][1][1][1] = "PORT"
    fields["path"][1] = fields["path"][1].replace(call, "KEY")
    fields["raw_path"][1] = fields["raw_path"][1].replace(call, "KEY")
    return kind, scope


SCOPES = [
    "GET /asked.scope/KEY HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /asked.scope/KEY?a=b&c=%20%C3%A9?/ HTTP/1.1\r\nhOST: a:80\r\nX-Ab_c: \xe9\r\ncookie: a=1\r\nCookie: b=2\r\nEmpty:\r\n\r\n",
    "GET /asked.scope/KEY HTTP/1.0\r\n\r\n",
    "POST http://elsewhere/asked.scope/KEY?q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: later\r\n\r\n0\r\n\r\n",
    "DELETE /asked.scope/KEY HTTP/1.1\r\nHost: [::1]:80\r\nAccept: */*\r\nAuthorization: Basic x\r\nTE: trailers\r\n\r\n",
    "M-SEARCH /asked.scope/KEY HTTP/1.1\r\nHost: \r\nUpgrade-Insecure-Requests: 1\r\n" + "X: y\r\n" * 90 + "\r\n",
]


@pytest.mark.parametrize("text", SCOPES, ids=range(len(SCOPES)))
def test_scopes_are_equal_in_order_and_type(servers: dict[str, Server], text: str) -> None:
    theirs = scope(servers["uvicorn-uvloop"], text)
    assert theirs[0] == "dict"
    for target, server in servers.items():
        assert scope(server, text) == theirs, target


def test_what_an_app_does_to_its_scope_stays_there(server: Server) -> None:
    calls = [key(), key()]
    with server.connect() as client:
        for call in calls:
            client.get(f"/asked.kept/{call}").response()
    assert [server.outcome(call) for call in calls] == [[[None, None, 1, False]]] * 2


def test_the_access_line_shows_the_scope_as_the_app_left_it(server: Server) -> None:
    assert server.ask(f"/asked.renamed/{key()}").body == b"renamed"
    server.until('over there:7 - "POST /renamed%20path?x=1 HTTP/9" 200', "stdout")


def test_the_method_in_the_scope_does_not_decide_what_goes_out(bridge: Server) -> None:
    """uvicorn sends content in answer to HEAD where the app has made it a GET, and leaves a GET without the content that it announced."""
    with bridge.connect() as client:
        client.get(f"/asked.as_get/{key()}", method="HEAD")
        assert client.response("HEAD")[b"content-length"] == b"7"
        assert client.get(f"/asked.as_head/{key()}").response().body == b"content"


def test_references_in_circles_are_no_harm(server: Server) -> None:
    with server.connect() as client:
        for _ in range(20):
            assert client.get(f"/asked.collected/{key()}").response().body == b"done"
