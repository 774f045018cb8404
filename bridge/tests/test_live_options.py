"""The command line's options, next to uvicorn: the same answers, lines and ends under each. Live."""

import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from .live import TARGETS, Server, masked, on_each, request, running, said, wait_until

FORWARDED = [
    ("X-Forwarded-For: 1.2.3.4",),
    ("X-Forwarded-For: 1.2.3.4:567",),
    ("X-Forwarded-For: 1.2.3.4, 10.0.0.1, 127.0.0.1",),
    ("X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 5.6.7.8"),
    ("X-Forwarded-For: [2001:db8::1]:99, ::1",),
    ("X-Forwarded-For: 2001:db8::1",),
    ("X-Forwarded-For: ",),
    ("X-Forwarded-For: unknown, ,_hidden",),
    ("X-Forwarded-For: 127.0.0.1",),
    ("X-Forwarded-For: 1.2.3.4:port",),
    ("X-Forwarded-For: \xe9",),
    ("X-Forwarded-Proto: https",),
    ("X-Forwarded-Proto: HTTPS",),
    ("X-Forwarded-Proto: wss", "X-Forwarded-For: 10.1.2.3"),
    ("X-Forwarded-Proto: https", "X-Forwarded-Proto: http"),
    ("X-Forwarded-Proto: gopher", "X-Forwarded-Host: b", "X-Forwarded-Port: 1", "Forwarded: for=1.1.1.1"),
]
CLOSE = "Connection: close"
REQUESTS = [
    request("/", CLOSE),
    request("/", CLOSE, method="HEAD"),
    request("/asked.client/KEY?a=b", CLOSE),
    request("/turns.echo/KEY", CLOSE, method="POST", body=b"content"),
    request("/turns.stream/KEY", CLOSE),
    request("/failing.before/KEY?error", CLOSE),
    request("/failing.value/KEY", CLOSE),
    request("/turns.stream/KEY", version="1.0").replace(b"stream", b"echo"),
    b"GARBAGE\r\n\r\n",
    *("\r\n".join(["GET /asked.client/KEY HTTP/1.1", "Host: a", CLOSE, *fields, "", ""]).encode("latin-1") for fields in FORWARDED),
]
OPTIONS: dict[str, list[str]] = {
    "none": [],
    "no fields": ["--no-date-header", "--no-server-header"],
    "own fields": ["--header", "X-A: b", "--header", "x-a:c", "--header", "SERVER:mine", "--header", "Latin:\xe9", "--header", "Empty:"],
    "own fields without server": ["--no-server-header", "--header", "x-a:c:d"],
    "root path": ["--root-path", "/api"],
    "root path with a slash": ["--root-path", "api/", "--log-level", "trace"],
    "no access log": ["--no-access-log"],
    "warning": ["--log-level", "warning"],
    "critical": ["--log-level", "critical", "--lifespan", "on"],
    "debug": ["--log-level", "debug"],
    "trace": ["--log-level", "trace"],
    "colours": ["--use-colors"],
    "no proxy headers": ["--no-proxy-headers"],
    "everybody is trusted": ["--forwarded-allow-ips", "*"],
    "others are trusted": ["--forwarded-allow-ips", "10.0.0.1"],
    "some are trusted": ["--forwarded-allow-ips", "127.0.0.0/8, 10.0.0.0/8,::1"],
    "IPv6": ["--host", "::1"],
    "Unix socket": ["--uds", "socket"],
    "Unix socket, trusted": ["--uds", "socket", "--forwarded-allow-ips", "*", "--log-level", "trace"],
    "one at a time": ["--limit-concurrency", "2", "--backlog", "1", "--lifespan", "off"],
    "nobody": ["--limit-concurrency", "0"],
    "one too many": ["--limit-concurrency", "1", "--log-level", "trace"],
    "empty context": ["--reset-contextvars", "--interface", "asgi3"],
}


def everything(server: Server) -> list[bytes]:
    """Each request on a connection of its own, one after the other is over."""
    server.until_it_listens()
    answers = []
    for text in REQUESTS:
        with server.connect() as client:
            client.send(text.replace(b"KEY", b"1"))
            if text.startswith(b"GARBAGE"):
                client.half_close()
            answers.append(without_ports(masked(client.rest())))
    return answers


def without_ports(text: bytes) -> bytes:
    return re.sub(rb'(\["(?:127\.0\.0\.1|::1)", )\d+', rb"\1PORT", text)


def outcome(server: Server, script: Callable[[Server], Any]) -> tuple[Any, int, list[str], list[str]]:
    found = script(server)
    if server.process.poll() is None and script is everything:
        server.signal(signal.SIGTERM)
    return found, server.wait(), said(server.stdout), said(server.stderr)


@pytest.fixture(scope="module")
def outcomes() -> Any:
    """All runs, a few at a time: what uvicorn and the bridge come to."""

    def both(options: list[str]) -> list[Any]:
        with running("usual:app", *options) as servers:
            return on_each(servers, lambda server: outcome(server, everything))

    with ThreadPoolExecutor(4) as pool:
        yield {name: pool.submit(both, options) for name, options in OPTIONS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_does_the_same(outcomes: dict[str, Future[Any]], name: str) -> None:
    theirs, ours = outcomes[name].result()
    for their_part, our_part in zip(theirs, ours, strict=True):
        assert our_part == their_part
    assert len(theirs[0]) == len(REQUESTS) and all(theirs[0])


def test_the_last_request() -> None:
    """--limit-max-requests counts responses, and ends with the next tick; what runs then is answered."""

    def script(server: Server) -> Any:
        with server.connect() as kept, server.connect() as slow:
            first = masked(kept.get("/").response().raw)
            slow.get("/wait")
            server.until("waiting")
            second = masked(kept.get("/").response().raw)
            server.until("Waiting for connections to close")
            (server.folder / "go").touch()
            return first, second, masked(slow.rest()), masked(kept.rest())

    with running("ending:app", "--limit-max-requests", "2", targets=TARGETS) as servers:
        theirs, *others = on_each(servers, lambda server: outcome(server, script))
    assert theirs[1] == 0 and "INFO:     Maximum request limit of 2 exceeded. Terminating process." in theirs[3]
    for ours in others:
        assert ours == theirs


def test_too_many_connections() -> None:
    """--limit-concurrency counts connections, open and silent ones too; who comes in the place of one that has just left is served."""

    def script(server: Server) -> Any:
        found = []
        with server.connect() as first:
            found.append(masked(first.get("/").response().raw))
            with server.connect() as second, server.connect():
                time.sleep(0.1)  # for the silent one to be accepted
                found.append(masked(second.get("/").rest()))
            found += [masked(server.ask("/").raw) for _ in range(5)]
        return found, said(server.stderr)

    with running("usual:app", "--limit-concurrency", "3", targets=TARGETS) as servers:
        theirs, *others = on_each(servers, script)
    assert [text[:12] for text in theirs[0]] == [b"HTTP/1.1 200", b"HTTP/1.1 503", *[b"HTTP/1.1 200"] * 5]
    assert theirs[1][-1] == "WARNING:  Exceeded concurrency limit."
    for ours in others:
        assert ours == theirs


def test_too_many_tasks() -> None:
    """--limit-concurrency counts tasks, too, also those whose response is out and whose client has left."""

    def script(server: Server) -> Any:
        for _ in range(3):
            server.ask("/background")
        refused = masked(server.ask("/").raw)
        (server.folder / "go").touch()
        return refused, masked(wait_until(lambda: (answer := server.ask("/")).status == 200 and answer.raw))

    with running("ending:app", "--limit-concurrency", "3", targets=TARGETS) as servers:
        theirs, *others = on_each(servers, script)
    assert theirs[0].startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    for ours in others:
        assert ours == theirs


def test_what_requests_see_of_the_state() -> None:
    """Each gets a shallow copy of what the lifespan has put into it by then; what it puts in, nobody sees."""

    def script(server: Server) -> Any:
        with server.connect() as client:
            client.send(request("/slow") + request("/") + request("/", method="POST", body=b"x" * 9))
            answers = [client.response().json for _ in range(3)]
        answers.append(server.ask("/").json)
        server.signal(signal.SIGTERM)
        server.wait()
        return answers, said(server.stderr)

    with running("state:app", targets=TARGETS) as servers:
        theirs, *others = on_each(servers, script)
    assert theirs[0] == [["dict", ["count", "late", "shared"], 1, seen] for seen in (1, 2, 3, 4)]
    assert "STATE ['count', 'late', 'shared'] 0 4" in theirs[1]
    for ours in others:
        assert ours == theirs


@pytest.mark.parametrize(("options", "seen"), [((), ["import", "factory"]), (("--reset-contextvars",), [])])
def test_what_a_request_finds_in_its_context(options: tuple[str, ...], seen: list[str]) -> None:
    """What was there when the server was made, unless --reset-contextvars hides it; nothing of the lifespan's or of other requests."""

    def script(server: Server) -> Any:
        with server.connect() as client:
            return [client.get("/").response().json for _ in range(2)] + [server.ask("/").json]

    with running("context:make", "--factory", *options, targets=TARGETS) as servers:
        assert on_each(servers, script) == [[seen] * 3] * len(servers)
