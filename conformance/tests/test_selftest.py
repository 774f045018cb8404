"""The self-test: mutations are about cases that there are, the proxy alters what it says and nothing else, and a proof is one."""

import asyncio
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from importlib.resources import files

import pytest

from bridgecheck.conformance import tap
from bridgecheck.conformance.application import App
from bridgecheck.conformance.errors import NotReady
from bridgecheck.conformance.selftest import events
from bridgecheck.conformance.selftest.mutation import MUTATIONS, SAME_BYTES, SAME_EVENTS, mutation_of, same
from bridgecheck.conformance.selftest.wire import Proxy, Wire
from bridgecheck.conformance.selftest.zoo import Proof, Zoo
from bridgecheck.conformance.suite import FAIL, PASS, Judged

SESSIONS = tap.spec().sessions
JUDGED = {exchange.name for session in SESSIONS for exchange in session if {"must", "should"} & exchange.meta.keys()}
PROBE = App(tap.PROBE, app_dir=str(files("bridgecheck.spec")))


def test_mutations_are_about_cases_that_are_judged_and_each_case_has_one() -> None:
    about = Counter(case for mutation in MUTATIONS.values() for case in mutation.cases)
    assert about.keys() - JUDGED == set()
    assert [case for case, count in about.items() if count > 1] == []
    assert mutation_of("host-missing") == "does-without-host" and mutation_of("bare-line-feeds") == ""
    assert same("does-without-host") == SAME_BYTES and same("ports-as-text") == SAME_EVENTS


@pytest.mark.parametrize("name", [name for name, mutation in MUTATIONS.items() if mutation.wire is None])
def test_a_mutation_without_a_wire_is_a_function(name: str) -> None:
    assert callable(getattr(events, name.replace("-", "_")))


# --- the proxy ------------------------------------------------------------------------------------------------------------------------


def through(wire: Wire, sent: bytes, answer: bytes = b"", *, ends: bool = True) -> tuple[bytes, bytes, bool, bool]:
    """What a server got and what the client got, whether the client saw the end, and whether both saw the same client port."""

    async def play() -> tuple[bytes, bytes, bool, bool]:
        got, ports = [], []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ports.append(writer.get_extra_info("peername")[1])
            got.append(await reader.read(1 << 16))
            writer.write(answer)
            if ends:
                writer.close()

        upstream = await asyncio.start_server(serve, "127.0.0.1", 0)
        proxy = Proxy(wire, "127.0.0.1", upstream.sockets[0].getsockname()[1])
        front = await asyncio.start_server(proxy._connection, "127.0.0.1", 0)
        client = await _client(front.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection(sock=client)
        writer.write(sent)
        received, ended = b"", False
        try:
            async with asyncio.timeout(0.3):
                while data := await reader.read(1 << 16):
                    received += data
                ended = True
        except TimeoutError:
            pass
        same_port = ports == [client.getsockname()[1]]
        writer.close()
        front.close()
        upstream.close()
        return b"".join(got), received, ended, same_port

    return asyncio.run(play())


async def _client(port: int) -> socket.socket:
    """Bound as the player's connections are."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", 0))
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return client


@pytest.mark.parametrize(
    ("wire", "got", "received", "ended"),
    [
        (Wire(), b"GET / x", b"HTTP ok", True),
        (Wire(request=((rb"x$", b"y"), (rb"GET", b"PUT"))), b"PUT / y", b"HTTP ok", True),
        (Wire(response=((rb"^HTTP", b"ICY"),)), b"GET / x", b"ICY ok", True),
        (Wire(last=b" end"), b"GET / x", b"HTTP ok end", True),
        (Wire(never_closes=True), b"GET / x", b"HTTP ok", False),
        (Wire(closes_on=b"GET"), b"", b"", True),
    ],
    ids=["nothing", "request", "response", "last", "never closes", "closes on"],
)
def test_the_proxy_alters_what_it_says(wire: Wire, got: bytes, received: bytes, ended: bool) -> None:
    found = through(wire, b"GET / x", b"HTTP ok")
    assert found == (got, received, ended, not wire.closes_on)


def test_the_proxy_does_not_end_what_the_server_does_not() -> None:
    assert through(Wire(last=b"!"), b"GET / x", b"HTTP ok", ends=False)[1:3] == (b"HTTP ok", False)


def test_the_proxy_gathers_content_until_it_is_whole() -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
    assert through(Wire(gathers=True), head + b"ab", b"answer", ends=False)[:2] == (b"", b"")
    assert through(Wire(gathers=True), head + b"abcd", b"answer")[:2] == (head + b"abcd", b"answer")


# --- the proof ------------------------------------------------------------------------------------------------------------------------

GOOD, BAD = Judged(PASS, "must", "a"), Judged(FAIL, "must", "b")


def zoo(monkeypatch: pytest.MonkeyPatch, play: Callable[[str, str], Judged]) -> dict[str, Proof]:
    """What is proved of three cases where `play` says what comes of a case on a server, named by its mutation and its base."""
    names = ("host-missing", "plain-request", "bare-line-feeds")
    monkeypatch.setattr(Zoo, "_play", lambda self, server, names: {name: play(server.given, name) for name in names})
    sessions = [session for session in SESSIONS if session[0].name in names]
    return Zoo(sessions, ("uvicorn", "bridge"), PROBE, patience=1, jobs=1, tick=lambda *_: None).run()


def test_a_case_is_shown_that_passes_on_the_server_and_fails_under_the_mutation(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs = zoo(monkeypatch, lambda server, name: BAD if "does-without-host" in server or server == "ports-as-text bridge" else GOOD)
    assert {name: (proof.server, proof.shown) for name, proof in proofs.items()} == {
        "plain-request": ("uvicorn", False),
        "host-missing": ("uvicorn", True),
    }
    assert proofs["plain-request"].why_not == "it came to pass: a"


def test_the_first_server_that_does_it_right_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs = zoo(monkeypatch, lambda server, name: GOOD if server.startswith("passes") and server.endswith("bridge") else BAD)
    assert [(proof.server, proof.shown) for proof in proofs.values()] == [("bridge", True)] * 2


def test_where_no_server_does_it_right_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs = zoo(monkeypatch, lambda server, name: BAD)
    assert [(proof.shown, proof.why_not) for proof in proofs.values()] == [(False, "no server does it right")] * 2


def test_a_mutated_server_that_does_not_start_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def play(server: str, name: str) -> Judged:
        if not server.startswith("passes"):
            raise NotReady("no")
        return GOOD

    assert [proof.why_not for proof in zoo(monkeypatch, play).values()] == ["the mutated server could not be started"] * 2


def selftest(*arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "bridgecheck", "selftest", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


def test_by_the_scope_and_on_the_wire() -> None:
    code, out, _ = selftest("--cases", "--on", "uvicorn", "--only", "plain-request,space-before-colon,host-missing")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["plain-request", "ports-as-text", "uvicorn"] in rows
    assert ["space-before-colon", "skips-spaces-before-colons", "uvicorn"] in rows
    assert "  host-missing (does-without-host): no server does it right" in out
    assert "2 of 3 cases are shown to turn red" in out


def test_what_to_test_has_to_be_said() -> None:
    assert selftest()[0] == 2


@pytest.mark.slow
def test_every_case_that_some_server_does_right_is_shown() -> None:
    code, out, _ = selftest("--cases")
    assert code == 0, out
    left = out.partition("Not shown")[2]
    assert "it came to" not in left and "could not be started" not in left, left
