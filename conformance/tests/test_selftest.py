"""The self-test: mutations are about cases that there are, the proxy alters what it says and nothing else, and a proof is one."""

import asyncio
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from importlib.resources import files

import pytest

from bridgecheck.conformance.adapters import Start, Unsupported
from bridgecheck.conformance.adapters.template import OPTIONS, Template
from bridgecheck.conformance.errors import NotReady
from bridgecheck.conformance.selftest import wrapper
from bridgecheck.conformance.selftest.mutation import MUTATIONS, SAME_BYTES, SAME_EVENTS, function_of, mutation_of, same
from bridgecheck.conformance.selftest.wire import Proxy, Wire
from bridgecheck.conformance.selftest.zoo import Proof, Zoo, wrong
from bridgecheck.conformance.suite import FAIL, PASS, Judged
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.application import App

SESSIONS = tap.spec().sessions
JUDGED = {exchange.name for session in SESSIONS for exchange in session if {"must", "should"} & exchange.meta.keys()}
PROBE = App(tap.PROBE, app_dir=str(files("bridgecheck.spec")))


def test_each_case_that_is_judged_has_one_mutation_and_no_other_has() -> None:
    about = Counter(case for mutation in MUTATIONS.values() for case in mutation.cases)
    assert about.keys() - JUDGED == set()
    assert JUDGED - about.keys() == set(), "a case that is judged needs a mutation under which it turns red"
    assert [case for case, count in about.items() if count > 1] == []
    assert mutation_of("host-missing") == "does-without-host" and mutation_of("bare-line-feeds") == ""
    assert same("does-without-host") == SAME_BYTES and same("ports-as-text") == SAME_EVENTS
    assert same("cuts-fragments-off") == "refuses-fragments"


def test_what_is_about_no_case_is_what_does_it_right() -> None:
    right = {same(name) for name, mutation in MUTATIONS.items() if mutation.cases}
    assert right <= MUTATIONS.keys()
    assert {name for name, mutation in MUTATIONS.items() if not mutation.cases} == right


@pytest.mark.parametrize("name", [name for name in MUTATIONS if function_of(name)])
def test_what_alters_calls_is_a_function(name: str) -> None:
    kind, mutation = wrapper.function_of(function_of(name))
    assert callable(mutation) and kind in ("http", "websocket", "lifespan")


def test_what_alters_no_call_alters_bytes() -> None:
    assert [name for name, mutation in MUTATIONS.items() if not function_of(name) and mutation.wire is None] == []


# --- the proxy ------------------------------------------------------------------------------------------------------------------------


def through(wire: Wire, sent: bytes, answer: bytes = b"", *, ends: bool = True, patience: float = 0.3) -> tuple[bytes, bytes, bool, bool]:
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
            async with asyncio.timeout(patience):
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
        (Wire(closes_on=b"GET", refusal=b"HTTP no"), b"", b"HTTP no", True),
    ],
    ids=["nothing", "request", "response", "last", "never closes", "closes on", "refuses"],
)
def test_the_proxy_alters_what_it_says(wire: Wire, got: bytes, received: bytes, ended: bool) -> None:
    found = through(wire, b"GET / x", b"HTTP ok", patience=10 if ended else 0.3)  # an end is waited for, and silence for a while
    assert found == (got, received, ended, not wire.closes_on)


def test_the_proxy_does_not_end_what_the_server_does_not() -> None:
    assert through(Wire(last=b"!"), b"GET / x", b"HTTP ok", ends=False)[1:3] == (b"HTTP ok", False)


def test_the_proxy_ends_a_connection_that_has_lived_long_enough() -> None:
    assert through(Wire(lives=0.05), b"GET / x", ends=False, patience=10)[1:3] == (b"", True)


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


def test_what_no_server_does_right_is_held_against_one_that_was_made_right(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[str] = []

    def play(server: str, names: list[str]) -> dict[str, Judged]:
        played.append(server)
        return dict.fromkeys(names, GOOD if server == "refuses-fragments uvicorn" else BAD)

    monkeypatch.setattr(Zoo, "_play", lambda self, server, names: play(server.given, names) if names else {})
    sessions = [session for session in SESSIONS if session[0].name == "fragment-in-target"]
    proofs = Zoo(sessions, ("uvicorn",), PROBE, patience=1, jobs=1, tick=lambda *_: None).run()
    assert proofs["fragment-in-target"].shown
    assert played == ["refuses-fragments uvicorn", "cuts-fragments-off uvicorn"]


def test_a_mutated_server_is_told_what_an_exchange_asks_for() -> None:
    template = wrong("uvicorn", "forgets-its-options").template
    asked = Template().options(["--ws-max-size", "1024", "--no-proxy-headers"], template)
    start = Start("python", "a:b", "127.0.0.1", 1, "w", asked, template)
    assert Template().command(start)[-4:] == ["w", "--ws-max-size", "1024", "--no-proxy-headers"]
    assert Template().options([], template[:-1]) == ()
    with pytest.raises(Unsupported):
        Template().options(["--ws-max-size", "1024"], template[: template.index(OPTIONS)])


def selftest(*arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "bridgecheck", "selftest", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


def test_by_the_scope_and_on_the_wire() -> None:
    code, out, _ = selftest("--cases", "--on", "uvicorn", "--only", "plain-request,space-before-colon,host-missing")
    assert code == 1
    rows = [line.split() for line in out.splitlines()]
    assert ["plain-request", "ports-as-text", "uvicorn"] in rows
    assert ["space-before-colon", "skips-spaces-before-colons", "uvicorn"] in rows
    assert "  host-missing (does-without-host): no server does it right" in out
    assert "2 of 3 cases are shown to turn red" in out


def test_a_case_that_is_shown_is_enough() -> None:
    code, out, _ = selftest("--cases", "--on", "uvicorn", "--only", "websocket-app-closes-without-code,no-proxy-headers,fragment-in-target")
    assert code == 0 and "3 of 3 cases are shown to turn red" in out, out


def test_what_to_test_has_to_be_said() -> None:
    assert selftest()[0] == 2


@pytest.mark.slow
def test_every_case_is_shown() -> None:
    code, out, _ = selftest("--cases")
    assert "Not shown" not in out, out.partition("Not shown")[2]
    assert code == 0
