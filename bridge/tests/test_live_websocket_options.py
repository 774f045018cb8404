"""WebSockets live, under options and signals: pings, limits, the end of the server, a client that is a library. As uvicorn, both loops."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import websockets

from .frames import BINARY, CLOSE, PING, PONG, TEXT, Talk, close, frame, handshake, undated
from .live import LOOPS, TARGETS, Server, key, on_each, running, said, servers_fixture, wait_until  # noqa: F401
from .talks import ACCEPT, ACCEPTED, ECHO, OFFER, Deflate, asked, played, refused_or_open, same, script


def under(*options: str, play: Callable[[Server], Any], app: str = "usual:app") -> Any:
    """What all targets come to with these options, which is the same."""
    with running(app, *options, targets=TARGETS) as servers:
        return same({server.target: server.until_it_listens() for server in servers}, play)


# --- pings --------------------------------------------------------------------------------------------------------------------------------


def test_a_client_that_does_not_answer_pings() -> None:
    def client(talk: Talk, call: str) -> Any:
        begun = time.monotonic()
        (ping, *others) = talk.rest()
        return ping[:2], len(ping[2]), others, 0.5 < time.monotonic() - begun < 3

    def play(server: Server) -> Any:
        return played(server, [*ACCEPTED, "receive"], client)

    _, seen, notes, _ = under("--ws-ping-interval", "0.3", "--ws-ping-timeout", "0.3", play=play)
    assert seen == ((8, PING), 4, [(8, CLOSE, b"\x03\xf3keepalive ping timeout")], True)
    assert notes[2] == {"type": "websocket.disconnect", "code": 1005}


def test_a_client_that_answers_pings() -> None:
    def client(talk: Talk, call: str) -> Any:
        pings = []
        for _ in range(4):
            pings.append(talk.frame())
            talk.send(frame(PONG, b"none"), frame(PONG, pings[-1][2]))
        assert len({payload for _, _, payload in pings}) == 4
        return [first for first, _, _ in pings], talk.send(close()).rest()

    under("--ws-ping-interval", "0.2", "--ws-ping-timeout", "0.3", play=lambda server: played(server, [*ACCEPTED, "receive"], client))


def test_no_pings() -> None:
    def client(talk: Talk, call: str) -> Any:
        return talk.client.is_silent(0.5), talk.send(close()).rest()

    under("--ws-ping-interval", "0", play=lambda server: played(server, [*ACCEPTED, "receive"], client))


@pytest.mark.slow
def test_a_client_that_does_not_answer_a_close_frame(servers: dict[str, Server]) -> None:
    def client(talk: Talk, call: str) -> Any:
        got = talk.frame()
        begun = time.monotonic()
        return got, talk.rest(), round(time.monotonic() - begun)

    _, seen, _, _ = same(
        servers, lambda server: played(server, [*ACCEPTED, ["send", {"type": "websocket.close"}], "receive", "receive"], client)
    )
    assert seen[1:] == ([], 10)


# --- options ------------------------------------------------------------------------------------------------------------------------------


def test_none() -> None:
    def play(server: Server) -> Any:
        before = len(server.stderr)
        with Talk(server) as talk:
            response = talk.send(handshake("/")).client.response()
        return response.status, response.body, said(server.stderr[before:])

    status, body, log = under("--ws", "none", play=play)
    assert (status, body) == (200, b"done") and len([line for line in log if line.startswith("WARNING")]) == 2


SIZES: dict[str, list[bytes]] = {
    "fits": [frame(BINARY, b"x" * 10)],
    "does not": [frame(BINARY, b"x" * 11)],
    "in fragments": [frame(BINARY, b"x" * 5, fin=False), frame(0, b"x" * 6)],
    "a ping": [frame(PING, b"x" * 11)],
    "inflated": [frame(BINARY, Deflate().deflate(b"x" * 11), rsv=4)],
    "inflated and fits": [frame(BINARY, Deflate().deflate(b"x" * 10), rsv=4)],
}


def test_max_size() -> None:
    def each(server: Server) -> Any:
        found = []
        for pieces in SIZES.values():
            call = key()
            with Talk(server) as talk:
                talk.open(f"/talking.scripted/{call}?{script([*ACCEPTED, 'receive'])}", OFFER)
                found.append(talk.send(*pieces).rest())
            found.append(server.outcome(call))
        return found

    found = under("--ws-max-size", "10", play=each)
    assert [bool(frames) for frames in found[::2]] == [False, True, True, True, True, False]


def test_no_compression() -> None:
    def play(server: Server) -> Any:
        offers = "permessage-deflate", "permessage-deflate; a=", ""
        found = [refused_or_open(server, asked(f"Sec-WebSocket-Extensions: {offer}")) for offer in offers]
        return [*found, played(server, [*ACCEPTED, "receive"], lambda talk, call: talk.send(frame(TEXT, b"a", rsv=4)).rest(), OFFER)]

    found = under("--ws-per-message-deflate", "false", play=play)
    assert b"xtensions" not in found[0][0]


def test_root_path() -> None:
    def play(server: Server) -> Any:
        with Talk(server) as talk:
            talk.open("/x%20")
            return talk.frame()[2].decode()

    told = under("--root-path", "/talking.telling", play=play)
    assert told == repr(["/talking.telling", "/talking.telling/x ", b"/talking.telling/x%20"])


def test_the_limit_of_concurrency_counts_them_and_lets_them_in() -> None:
    def play(server: Server) -> Any:
        with Talk(server) as talk, Talk(server) as other:
            heads = [talk.open("/talking.scripted/x?" + script([*ACCEPTED, "hang"])).status for talk in (talk, other)]
            refused = server.ask("/").status
        wait_until(lambda: server.ask("/").status == 200)
        return heads, refused

    assert under("--limit-concurrency", "3", play=play) == ([101, 101], 503)


def test_trace_lines() -> None:
    """But for those of websockets' own at this level, which tell of its frames."""

    def play(server: Server) -> Any:
        before = len(server.stderr)
        refused_or_open(server, asked(key="short"))
        played(server, None, lambda talk, call: [talk.send(frame(TEXT, b"a")).frame(), talk.send(close()).rest()])
        lines = wait_until(
            lambda: (lines := said(server.stderr[before:])) and any("WebSocket connection lost" in line for line in lines) and lines
        )
        return [line for line in lines if line.startswith("TRACE") and "HTTP" not in line and "http" not in line and "ASGI" not in line]

    lines = under("--log-level", "trace", play=play)
    assert [line.rpartition(" - ")[2] for line in lines[:2]] == ["Upgrading to WebSocket", "WebSocket connection made"]


# --- the end of the server ----------------------------------------------------------------------------------------------------------------

SHUTDOWN = [["send", {"type": "websocket.send", "text": "late"}]]


@pytest.mark.parametrize("phase", ["accepted", "not accepted", "closing", "being denied"])
def test_shutdown(phase: str) -> None:
    steps = {
        "accepted": [*ACCEPTED, "receive", "receive", *SHUTDOWN],
        "not accepted": ["receive", "receive", *SHUTDOWN],
        "closing": [*ACCEPTED, ["send", {"type": "websocket.close"}], "receive", "receive", *SHUTDOWN],
        "being denied": [["send", {"type": "websocket.http.response.start", "status": 400}], "receive", "receive", *SHUTDOWN],
    }[phase]

    def play(server: Server) -> Any:
        with Talk(server) as talk:
            talk.send(handshake(f"/talking.scripted/x?{script(steps)}"))
            server.noted("x", "sent" if phase != "not accepted" else {"type": "websocket.connect"})
            head = talk.head().raw if phase in ("accepted", "closing") else b""
            server.signal(signal.SIGTERM)
            found = undated(talk.client.rest())
            return head, found, server.wait(), said(server.stderr)

    with running("usual:app", targets=TARGETS) as servers:
        _, _, code, log = same({server.target: server.until_it_listens() for server in servers}, play)
    assert code == -signal.SIGTERM and log[-1].startswith("INFO:     Finished")


# --- what comes early ---------------------------------------------------------------------------------------------------------------------


def test_frames_behind_the_handshake_wait_for_the_answer(servers: dict[str, Server]) -> None:
    """A client must not send them. Those that come with the handshake are lost; uvicorn tells the others before the app has accepted."""

    def play(server: Server) -> Any:
        call = key()
        steps = ["receive", ["wait", 0.1], ACCEPT, ["wait", 0.1], ["wait", 0.1]]
        with Talk(server) as talk:
            talk.send(handshake(f"/talking.scripted/{call}?{script(steps)}") + frame(TEXT, b"1"))
            server.noted(call, {"type": "websocket.connect"})
            talk.send(frame(TEXT, b"2"))
            talk.client.rest()
        return [note.get("text", note["type"]) if isinstance(note, dict) else note for note in server.outcome(call)]

    found = dict(zip(servers, on_each(list(servers.values()), play), strict=True))
    for loop in LOOPS:
        assert found[f"bridge-{loop}"] == ["websocket.connect", "nothing comes", "sent", "2", "nothing comes"]
        assert found[f"uvicorn-{loop}"] == ["websocket.connect", "2", "sent", "nothing comes", "nothing comes"]


# --- a library ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["deflate", None])
def test_with_websockets(servers: dict[str, Server], compression: str | None) -> None:
    messages: list[Any] = ["hi", b"\x00\xff", "", b"", "é" * 5000, bytes(range(256)) * 2000, "last"]

    async def talk(url: str) -> Any:
        async with websockets.connect(url, compression=compression, max_size=None) as client:
            for message in messages:
                await client.send(message)
                assert await client.recv() == message
            await client.send(["in ", "three ", "pieces"])
            assert await client.recv() == "in three pieces"
            await (await client.ping(b"x"))
            await client.send("close")
            await client.wait_closed()
            return client.close_code, client.close_reason

    def play(server: Server) -> Any:
        call = key()
        host, port = server.address
        return asyncio.run(talk(f"ws://{host}:{port}/{ECHO}/{call}")), server.outcome(call)

    assert same(servers, play)[0] == (3000, "as told")


def test_many_at_once(servers: dict[str, Server]) -> None:
    async def one(url: str, number: int) -> bool:
        async with websockets.connect(url) as client:
            for message in range(20):
                await client.send(f"{number} {message}")
                if await client.recv() != f"{number} {message}":
                    return False
        return True

    async def all_of_them(server: Server) -> list[bool]:
        host, port = server.address
        return await asyncio.gather(*(one(f"ws://{host}:{port}/{ECHO}/{key()}", number) for number in range(50)))

    assert all(same(servers, lambda server: asyncio.run(all_of_them(server))))
