"""A server that is told to end while it has connections and requests of every kind: next to uvicorn, with the same lines. Live."""

import re
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .live import Client, Server, masked, request, running, said

TERM, INT = signal.SIGTERM, signal.SIGINT
Script = Callable[[Server], Any]


def ending(server: Server, number: int = TERM) -> None:
    """Tells it, and waits until it is at it: its listening socket is closed by then, and what is idle."""
    server.signal(number)
    server.until("Shutting down")


def ending_with_connections(server: Server) -> None:
    ending(server)
    server.until("Waiting for connections to close")


def go(server: Server) -> None:
    """Lets the app go on."""
    (server.folder / "go").touch()


def busy(server: Server, path: str, *fields: str, method: str = "GET") -> Client:
    client = server.connect().get(path, *fields, method=method)
    server.until("waiting")
    return client


def nothing(server: Server) -> None:
    ending(server)


def interrupted(server: Server) -> None:
    ending(server, INT)


def kept_connection(server: Server) -> Any:
    with server.connect() as client:
        client.get("/").response()
        ending(server)
        return client.is_closed()


def silent_connection(server: Server) -> Any:
    with server.connect() as client, server.connect() as half:
        half.send(b"GET / HTTP/1.1\r\nHo")
        server.ask("/")
        ending(server)
        return client.is_closed(), half.is_closed()


def running_request(server: Server) -> Any:
    """It is answered, and the client told that this was the last."""
    with busy(server, "/wait") as client:
        ending_with_connections(server)
        go(server)
        return masked(client.rest())


def streaming_response(server: Server) -> Any:
    """Its head has gone without a word of an end; it comes to its end, then the connection does."""
    with busy(server, "/stream") as client:
        ending_with_connections(server)
        go(server)
        return masked(client.rest())


def pipelined_requests(server: Server) -> Any:
    """Three wait behind the one that runs: all are answered."""
    with server.connect() as client:
        client.send(request("/wait") + request("/1") + request("/2") + request("/3"))
        server.until("waiting")
        ending_with_connections(server)
        go(server)
        return masked(client.rest())


def many_pipelined_requests(server: Server) -> Any:
    with server.connect() as client:
        client.send(request("/wait") + request("/1") * 39)
        server.until("waiting")
        ending_with_connections(server)
        go(server)
        return masked(client.rest())


def request_behind_the_signal(server: Server) -> Any:
    """A request that is sent when the end has begun, on a connection that is busy: never answered."""
    with busy(server, "/wait") as client:
        ending_with_connections(server)
        client.get("/late")
        time.sleep(0.05)
        go(server)
        return masked(client.rest())


def new_connection(server: Server) -> Any:
    with busy(server, "/wait") as client:
        ending_with_connections(server)
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        go(server)
        return masked(client.rest())


def upload(server: Server) -> Any:
    """Content that is still under way is waited for."""
    with busy(server, "/upload", "Content-Length: 10", method="POST") as client:
        client.send(b"12345")
        ending_with_connections(server)
        client.send(b"67890")
        return masked(client.rest())


def client_that_leaves(server: Server) -> Any:
    with busy(server, "/listen"):
        ending(server)
    server.until("http.disconnect")


def background_work(server: Server) -> Any:
    """The response is out and its connection idle: that closes, and the task is waited for."""
    with busy(server, "/background") as client:
        ending(server)
        found = masked(client.rest())
    server.until("Waiting for background tasks to complete")
    go(server)
    return found


def forced(server: Server) -> Any:
    """The second SIGINT ends what never would; no lifespan end, no goodbye."""
    with busy(server, "/stuck") as client:
        ending(server, INT)
        server.until("Waiting for connections to close")
        server.signal(INT)
        server.wait()
        return masked(client.rest())


def terminated_twice(server: Server) -> Any:
    """A second SIGTERM forces nothing."""
    with busy(server, "/wait") as client:
        ending_with_connections(server)
        server.signal(TERM)
        time.sleep(0.2)
        go(server)
        return masked(client.rest())


def term_then_int(server: Server) -> Any:
    with busy(server, "/stuck") as client:
        ending(server)
        server.until("Waiting for connections to close")
        server.signal(INT)
        server.wait()
        return masked(client.rest())


def interrupted_background(server: Server) -> Any:
    with busy(server, "/background") as client:
        client.response()
        client.socket.close()
        ending(server, INT)
        server.until("Waiting for background tasks to complete")
        server.signal(INT)


def cancelled(server: Server) -> Any:
    """--timeout-graceful-shutdown: the app is cancelled, and its client gets a 500."""
    with busy(server, "/stuck") as client:
        ending(server)
        return masked(client.rest())


def stubborn(server: Server) -> Any:
    """An app that does not end when it is cancelled still answers."""
    with busy(server, "/stubborn") as client:
        ending(server)
        return masked(client.rest())


USUAL: list[Script] = [
    nothing,
    interrupted,
    kept_connection,
    silent_connection,
    running_request,
    streaming_response,
    pipelined_requests,
    many_pipelined_requests,
    request_behind_the_signal,
    new_connection,
    upload,
    client_that_leaves,
    background_work,
    forced,
    terminated_twice,
    term_then_int,
    interrupted_background,
]
LIMITED: list[Script] = [nothing, running_request, cancelled, stubborn]
Options = tuple[str, ...]
RUNS: dict[str, tuple[Script, Options]] = {script.__name__: (script, ()) for script in USUAL}
RUNS |= {f"{script.__name__}, limited": (script, ("--timeout-graceful-shutdown", "1")) for script in LIMITED}


def outcome(server: Server, script: Script) -> tuple[int, Any, list[str], list[str]]:
    server.until("Uvicorn running on")
    found = script(server)
    code = server.wait()
    lines = said(server.stderr)
    # Behind the last line of the server's own, what is left of the app is cancelled in any order, with what that does to tracebacks.
    finished = next((at for at, line in enumerate(lines) if "Finished server process" in line), len(lines))
    return (
        code,
        found,
        said(server.stdout),
        lines[: finished + 1] + sorted(line for line in lines[finished + 1 :] if re.match("[A-Z]+: ", line)),
    )


# On asyncio's own loop only where that ends transports or tasks.
ON_ASYNCIO = [running_request, pipelined_requests, client_that_leaves, background_work, interrupted_background, cancelled, stubborn]
if sys.version_info < (3, 12):  # since then asyncio's own server waits for its connections, and uvicorn with it, for ever
    ON_ASYNCIO.append(forced)
CASES = [("uvloop", name) for name in RUNS] + [("asyncio", name) for name, (script, _) in RUNS.items() if script in ON_ASYNCIO]


@pytest.fixture(scope="module")
def outcomes() -> Any:
    """All runs, a few at a time: what uvicorn and the bridge come to, by loop and name."""

    def both(loop: str, script: Script, options: Options) -> list[Any]:
        targets = [f"uvicorn-{loop}", f"bridge-{loop}"]
        with running("ending:app", *options, targets=targets) as servers, ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda server: outcome(server, script), servers))

    with ThreadPoolExecutor(4) as pool:
        yield {(loop, name): pool.submit(both, loop, *RUNS[name]) for loop, name in CASES}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_same_end(outcomes: Any, case: tuple[str, str]) -> None:
    theirs, ours = outcomes[case].result()
    assert ours == theirs
    assert "INFO:     Shutting down" in theirs[-1]
