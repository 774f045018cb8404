"""WebSockets live: what a client gets, what the app is told and what the log says are uvicorn's, byte for byte, on both loops."""

import time
from typing import Any

import pytest

from .frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, Talk, close, frame, handshake, undated
from .live import Server, key, on_each, said, servers_fixture  # noqa: F401
from .talks import ACCEPT, ACCEPTED, ECHO, OFFER, Deflate, Step, played, rest, same, script, sends

# --- messages -----------------------------------------------------------------------------------------------------------------------------

LONG = bytes(range(256)) * 700
MESSAGES: dict[str, list[bytes]] = {
    "text": [frame(TEXT, b"hello")],
    "binary": [frame(BINARY, b"\x00\xff")],
    "empty": [frame(TEXT), frame(BINARY)],
    "sizes": [frame(BINARY, LONG[:size]) for size in (125, 126, 127, 65535, 65536, 65537, 179200)],
    "wide lengths": [frame(TEXT, b"abc", wide=2), frame(TEXT, b"abc", wide=8)],
    "zero mask": [frame(TEXT, b"abc", mask=b"\0\0\0\0")],
    "utf-8": [frame(TEXT, "é€😀\u07ff\uffff\U0010ffff".encode())],
    "fragments": [frame(TEXT, b"he", fin=False), frame(CONTINUATION, b"ll", fin=False), frame(CONTINUATION, b"o")],
    "empty fragments": [frame(BINARY, fin=False), frame(CONTINUATION, fin=False), frame(CONTINUATION)],
    "a character over fragments": [frame(TEXT, b"\xe2", fin=False), frame(CONTINUATION, b"\x82", fin=False), frame(CONTINUATION, b"\xac")],
    "ping between fragments": [frame(TEXT, b"a", fin=False), frame(PING, b"p"), frame(PONG, b"q"), frame(CONTINUATION, b"b")],
    "pings": [frame(PING), frame(PING, b"x" * 125), frame(PONG, b"unasked")],
    "two in one": [frame(TEXT, b"a") + frame(TEXT, b"b")],
}


@pytest.mark.parametrize("pieces", MESSAGES.values(), ids=MESSAGES)
def test_messages(servers: dict[str, Server], pieces: list[bytes]) -> None:
    """One after the other, then the end."""

    def client(talk: Talk, call: str) -> list[Frame]:
        found = []
        for piece in pieces:
            talk.send(piece)
            if piece[0] & 0x8F in (0x81, 0x82, 0x80, 0x89):
                found.append(talk.frame())
                if len(piece) > 7 and piece == MESSAGES["two in one"][0]:
                    found.append(talk.frame())
        return [*found, *talk.send(close(1000, b"bye")).rest()]

    head, seen, notes, log = same(servers, lambda server: played(server, None, client))
    assert seen[-1] == (8, CLOSE, b"\x03\xe8bye")


@pytest.mark.parametrize("name", ["fragments", "ping between fragments", "sizes", "utf-8"])
def test_every_cut_is_the_same(servers: dict[str, Server], name: str) -> None:
    whole = b"".join(MESSAGES[name]) if name != "sizes" else frame(BINARY, LONG[:126])

    def play(server: Server) -> Any:
        found = []
        for cut in range(1, len(whole), 1 if len(whole) < 60 else 7):
            call = key()
            with Talk(server) as talk:
                talk.open(f"/{ECHO}/{call}")
                talk.send(whole[:cut])
                time.sleep(0.002)
                talk.send(whole[cut:])
                found.append(talk.frames(2 if "ping" in name else 1))
            found.append(server.outcome(call))
        return found

    found = same(servers, play)
    assert all(part == found[part_number % 2] for part_number, part in enumerate(found))


# --- what breaks the protocol -------------------------------------------------------------------------------------------------------------

BROKEN: dict[str, bytes] = {
    "not masked": frame(TEXT, b"a", mask=None),
    "rsv1": frame(TEXT, b"a", rsv=4),
    "rsv2": frame(TEXT, b"a", rsv=2),
    "rsv3": frame(PING, b"a", rsv=1),
    "opcode 3": frame(3, b"a"),
    "opcode 11": frame(11, b"a"),
    "opcode 15 not masked": frame(15, b"a", mask=None),
    "ping of 126": frame(PING, b"a" * 126),
    "ping in fragments": frame(PING, b"a", fin=False),
    "close in fragments": frame(CLOSE, b"\x03\xe8", fin=False),
    "continuation first": frame(CONTINUATION, b"a"),
    "text in text": frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
    "close in text": frame(TEXT, b"a", fin=False) + close(),
    "too large": frame(BINARY, length=1 << 24 | 1),
    "too large in fragments": frame(BINARY, b"abc", fin=False) + frame(CONTINUATION, length=1 << 24),
    "too large ping": frame(PING, length=1 << 40),
    "length with the top bit": frame(BINARY, length=1 << 63),
    "close of 1": frame(CLOSE, b"\x03"),
    "close of 126": frame(CLOSE, b"\x03\xe8" + b"a" * 124),
    **{f"close {code}": close(code) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)},
    "close with no text": close(1000, b"\xff"),
    "close with half a text": close(1000, b"abc\xe2\x82"),
    "close with a surrogate": close(1000, b"a\xed\xa0\x80"),
    "close with no text and no code": close(0, b"\xc3("),
    "text of one octet": frame(TEXT, b"\xff"),
    "text with a surrogate": frame(TEXT, b"ab\xed\xa0\x80"),
    "text overlong": frame(TEXT, b"\xc0\xaf"),
    "text that ends early": frame(TEXT, "é".encode()[:1]),
    "text beyond the end": frame(TEXT, b"\xf4\x90\x80\x80"),
    "text broken over fragments": frame(TEXT, b"\xe2", fin=False) + frame(CONTINUATION, b"\x28"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken(servers: dict[str, Server], data: bytes) -> None:
    """A close frame that says so, then the end; the app is told the same."""
    _, seen, notes, _ = same(servers, lambda server: played(server, [*ACCEPTED, "receive", "receive"], sends(data)))
    assert len(seen) == 1 and seen[0][1] == CLOSE
    assert notes[2]["code"] in (1002, 1007, 1009) and notes[3] == {"type": "websocket.disconnect", "code": 1005}


def test_a_message_before_a_broken_frame_is_told(servers: dict[str, Server]) -> None:
    """In one reading uvicorn loses it."""
    pieces = frame(TEXT, b"first"), BROKEN["rsv2"]
    found = on_each(list(servers.values()), lambda server: played(server, [*ACCEPTED, "receive", "receive"], sends(b"".join(pieces))))
    for target, (_, seen, notes, _) in zip(servers, found, strict=True):
        assert seen == found[0][1]
        assert (notes[2] == {"type": "websocket.receive", "text": "first"}) == target.startswith("bridge")


# --- closing ------------------------------------------------------------------------------------------------------------------------------

CODES = [1000, 1001, 1003, 1007, 1008, 1011, 1012, 1014, 3000, 3999, 4000, 4999]
ENDS: dict[str, bytes] = {
    **{f"{code}": close(code) for code in CODES},
    "none": close(None),
    "reason": close(4321, "warum?é".encode()),
    "long reason": close(1000, b"x" * 123),
    "and more": close(1000) + frame(TEXT, b"late") + frame(PING),
    "ping before": frame(PING, b"a") + close(1000),
    "text before": frame(TEXT, b"a") + close(1000),
}


@pytest.mark.parametrize("data", ENDS.values(), ids=ENDS)
def test_closed_by_the_client(servers: dict[str, Server], data: bytes) -> None:
    steps = [*ACCEPTED, "receive", "receive", ["send", {"type": "websocket.send", "text": "late"}]]
    steps += ["receive"] if data == ENDS["text before"] else []
    same(servers, lambda server: played(server, steps, sends(data)))


CLOSES: list[dict[str, Any]] = [
    {},
    {"code": 1000},
    {"code": 4000, "reason": "é"},
    {"code": 3000, "reason": None},
    {"reason": "why"},
    {"code": 1001, "reason": "x" * 123},
]


@pytest.mark.parametrize("message", CLOSES, ids=str)
def test_closed_by_the_app(servers: dict[str, Server], message: dict[str, Any]) -> None:
    def client(talk: Talk, call: str) -> list[Frame]:
        got = talk.frame()
        talk.send(frame(TEXT, b"crossing"), frame(PING, b"p"))
        return [got, talk.frame(), *talk.send(frame(CLOSE, got[2])).rest()]

    steps = [*ACCEPTED, ["send", {"type": "websocket.close", **message}], ["send", {"type": "websocket.send", "text": "a"}]]
    steps += [["send", {"type": "websocket.close"}], "receive", "receive", ["send", {"type": "websocket.send", "text": "a"}]]
    same(servers, lambda server: played(server, steps, client))


@pytest.mark.parametrize("then", [["return", None], ["raise", "x"]])
def test_closed_by_the_app_which_ends(servers: dict[str, Server], then: Step) -> None:
    def client(talk: Talk, call: str) -> list[Frame]:
        got = talk.frame()
        talk.server.noted(call, "over")
        assert talk.client.is_silent(0.1)
        return [got, *talk.send(close(1000)).rest()]

    same(servers, lambda server: played(server, [*ACCEPTED, ["send", {"type": "websocket.close"}], then], client))


BAD_CLOSES: list[dict[str, Any]] = [{"code": code} for code in (0, 999, 1005, 1006, 1015, 2999, 5000, 70000)]
BAD_CLOSES += [{"reason": "x" * 124}, {"reason": "é" * 62}]


@pytest.mark.parametrize("message", BAD_CLOSES, ids=str)
def test_what_no_close_frame_holds_is_refused(servers: dict[str, Server], message: dict[str, Any]) -> None:
    """By an exception, and the socket goes on."""
    steps = [*ACCEPTED, ["send", {"type": "websocket.close", **message}], "receive", ["send", {"type": "websocket.send", "text": "a"}]]
    same(servers, lambda server: played(server, steps, rest))


@pytest.mark.parametrize("how", ["close", "reset", "half close"])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_client_that_leaves(servers: dict[str, Server], how: str, accepted: bool) -> None:
    steps = [*ACCEPTED, "receive"] if accepted else ["receive", "gate", "receive"]
    steps += [["send", {"type": kind}] for kind in ("websocket.send", "websocket.accept", "websocket.close", "odd")]

    def play(server: Server) -> Any:
        call = key()
        with Talk(server) as talk:
            talk.send(handshake(f"/talking.scripted/{call}?{script(steps)}"))
            if accepted:
                talk.head()
            else:
                server.noted(call, "at the gate")
            {"close": talk.client.socket.close, "reset": talk.client.reset, "half close": talk.client.half_close}[how]()
            if not accepted:
                time.sleep(0.05)
                server.go(call)
            ended = talk.client.rest() if how == "half close" else b""
            return server.outcome(call), ended

    notes, ended = same(servers, play)
    assert notes[-4] == ["ClientDisconnected", "", True]


# --- what an app may do -------------------------------------------------------------------------------------------------------------------

ANSWERS: dict[str, list[Step]] = {
    "fields": [
        [
            "send",
            {
                "type": "websocket.accept",
                "headers": {"pairs": [[{"octets": "X-A"}, {"octets": "1"}], [{"octets": "set-cookie"}, {"octets": "caf\xe9"}]]},
            },
        ]
    ],
    "no fields": [["send", {"type": "websocket.accept", "headers": []}]],
    "subprotocol": [["send", {"type": "websocket.accept", "subprotocol": "b"}]],
    "no subprotocol": [["send", {"type": "websocket.accept", "subprotocol": None}]],
    "empty subprotocol": [["send", {"type": "websocket.accept", "subprotocol": ""}]],
    "twice": [ACCEPT, ACCEPT],
    "first sends": [["send", {"type": "websocket.send", "text": "a"}], ACCEPT],
    "odd": [["send", {"type": "odd"}], ["send", {}], ACCEPT, ["send", {"type": "odd"}], ["send", {}]],
    "an http response": [["send", {"type": "http.response.start", "status": 200}], ACCEPT],
    "refused": [["send", {"type": "websocket.close"}], "receive", ["send", {"type": "websocket.send", "text": "a"}]],
    "refused with code": [["send", {"type": "websocket.close", "code": 4000, "reason": "x"}], ACCEPT, ["sleep", 0.05], ACCEPT],
    "returns": [],
    "returns a value": [["return", 5]],
    "raises": [["raise", "x"]],
    "accepts and returns": [ACCEPT],
    "accepts and returns a value": [ACCEPT, ["return", 5]],
    "accepts and raises": [ACCEPT, ["raise", "x"]],
    "name is text": [["send", {"type": "websocket.accept", "headers": {"pairs": [["a", {"octets": "b"}]]}}]],
    "value is text": [["send", {"type": "websocket.accept", "headers": {"pairs": [[{"octets": "a"}, "b"]]}}]],
    "a line in a value": [
        ["send", {"type": "websocket.accept", "headers": {"pairs": [[{"octets": "X-A"}, {"octets": "b\nc"}]]}}],
    ],
    "a triple": [["send", {"type": "websocket.accept", "headers": {"pairs": [[{"octets": "a"}, {"octets": "b"}, {"octets": "c"}]]}}]],
    "send or fail": [["send or fail", {"type": "websocket.send"}]],
}


@pytest.mark.parametrize("steps", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("first", [["receive"], []], ids=["received", "at once"])
def test_answers(servers: dict[str, Server], first: list[Step], steps: list[Step]) -> None:
    text = handshake(f"/talking.scripted/CALL?{script([*first, *steps])}", "Sec-WebSocket-Protocol: a, b")
    same(servers, lambda server: outcome(server, text))


def outcome(server: Server, text: bytes) -> tuple[Any, ...]:
    """All bytes, all notes, the log."""
    call = key()
    before = len(server.stderr)
    with Talk(server) as talk:
        talk.send(text.replace(b"CALL", call.encode()))
        found = undated(talk.client.rest())
    notes = server.outcome(call)
    server.ask("/")
    return found, notes, [line.replace(call, "CALL") for line in said(server.stderr[before:])]


SENDS: dict[str, dict[str, Any]] = {
    "text": {"text": "é"},
    "bytes": {"bytes": {"octets": "\xff"}},
    "bytearray": {"bytes": {"bytearray": "\xff"}},
    "both": {"text": "a", "bytes": {"octets": "b"}},
    "neither": {},
    "both None": {"text": None, "bytes": None},
    "text and None": {"text": "a", "bytes": None},
    "empty": {"text": ""},
    "empty bytes": {"bytes": {"octets": ""}},
    "long": {"bytes": {"long": 70400}},
    "text is bytes": {"text": {"octets": "a"}},
    "bytes is text": {"bytes": "a"},
    "surrogate": {"text": {"surrogate": 1}},
}


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("message", SENDS.values(), ids=SENDS)
def test_sends(servers: dict[str, Server], message: dict[str, Any], compressed: bool) -> None:
    steps = [*ACCEPTED, ["send", {"type": "websocket.send", **message}], ["send", {"type": "websocket.send", "text": "next"}]]
    fields = ["Sec-WebSocket-Extensions: permessage-deflate"] if compressed else []
    same(servers, lambda server: played(server, steps, rest, *fields))


def test_a_subprotocol_that_is_not_offered_is_left_out(servers: dict[str, Server]) -> None:
    """RFC 6455 section 4.2.2; uvicorn sends it."""
    text = handshake(
        f"/talking.scripted/CALL?{script([['send', {'type': 'websocket.accept', 'subprotocol': 'c'}]])}", "Sec-WebSocket-Protocol: a, b"
    )
    found = dict(zip(servers, on_each(list(servers.values()), lambda server: outcome(server, text)), strict=True))
    for target, (response, notes, _) in found.items():
        assert response.startswith(b"HTTP/1.1 101 ") and notes == ["sent"]
        assert (b"Protocol: c" in response) == target.startswith("uvicorn")


DENIALS: dict[str, list[dict[str, Any]]] = {
    "plain": [{"status": 401}, {"body": {"octets": "no"}}],
    "fields": [
        {
            "status": 404,
            "headers": {"pairs": [[{"octets": "X-Y"}, {"octets": "z"}], [{"octets": "content-type"}, {"octets": "text/html"}]]},
        },
        {"body": {"octets": "no"}},
    ],
    "in pieces": [
        {"status": 503},
        {"body": {"octets": "a"}, "more_body": True},
        {"body": {"octets": "b"}, "more_body": True},
        {"body": {"octets": ""}},
    ],
    "own length": [{"status": 400, "headers": {"pairs": [[{"octets": "content-length"}, {"octets": "2"}]]}}, {"body": {"octets": "no"}}],
    "own date": [
        {"status": 400, "headers": {"pairs": [[{"octets": "date"}, {"octets": "today"}], [{"octets": "connection"}, {"octets": "close"}]]}},
        {"body": {"octets": ""}},
    ],
    "success": [{"status": 200}, {"body": {"octets": "ok"}}],
    "unknown status": [{"status": 599}, {"body": {"octets": ""}}],
    "status 600": [{"status": 600}],
    "status 99": [{"status": 99}],
    "no status": [{}],
    "text body": [{"status": 400}, {"body": "text"}],
    "no end": [{"status": 400}, {"body": {"octets": "x"}, "more_body": True}],
    "only start": [{"status": 400}],
}


@pytest.mark.parametrize("messages", DENIALS.values(), ids=DENIALS)
def test_denials(servers: dict[str, Server], messages: list[dict[str, Any]]) -> None:
    steps: list[Step] = ["receive"]
    for number, message in enumerate(messages):
        steps.append(["send", {"type": "websocket.http.response." + ("body" if number else "start"), **message}])
    steps += [["wait", 0.1]]
    text = handshake(f"/talking.scripted/CALL?{script(steps)}")
    same(servers, lambda server: outcome(server, text))


def test_denial_with_other_messages_between(servers: dict[str, Server]) -> None:
    start, body = (
        {"type": "websocket.http.response.start", "status": 400},
        {"type": "websocket.http.response.body", "body": {"octets": "a"}},
    )
    steps = ["receive", ["send", start], ["send", start], ACCEPT, ["send", {"type": "websocket.close"}], ["send", body]]
    same(servers, lambda server: outcome(server, handshake(f"/talking.scripted/CALL?{script(steps)}")))


# --- flow ---------------------------------------------------------------------------------------------------------------------------------


def test_messages_wait_for_the_app(servers: dict[str, Server]) -> None:
    """All that was read is answered, what was not is neither read nor lost; and two that ask at the same time get one each."""

    def client(talk: Talk, call: str) -> Any:
        talk.server.noted(call, "at the gate")
        talk.send(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(PING, b"p"))
        found = [talk.frame()]
        talk.send(frame(PING, b"q"))
        silent = talk.client.is_silent(0.1)
        talk.server.go(call)
        return [found, silent, *talk.rest()]

    steps = [*ACCEPTED, "gate", ["both"], ["wait", 0.1]]
    _, seen, _, _ = same(servers, lambda server: played(server, steps, client))
    assert seen[1] is True


def test_a_client_that_does_not_read(servers: dict[str, Server]) -> None:
    """send() waits, and goes on."""

    def client(talk: Talk, call: str) -> Any:
        talk.server.noted(call, "sent")
        time.sleep(0.3)
        count = talk.server.notes(call).count("sent")
        found = talk.rest()
        return count < 60, len(found), {frame[:2] for frame in found}

    steps = [*ACCEPTED, ["times", 80, ["send", {"type": "websocket.send", "bytes": {"long": 256 << 10}}]]]
    _, seen, notes, _ = same(servers, lambda server: played(server, steps, client, receive_buffer=4096))
    assert seen == (True, 80, {(8, BINARY)}) and notes.count("sent") == 81


def test_a_client_that_leaves_while_the_app_waits_to_send(servers: dict[str, Server]) -> None:
    def client(talk: Talk, call: str) -> None:
        talk.server.noted(call, "sent")
        time.sleep(0.3)
        talk.client.reset()

    steps = [*ACCEPTED, ["times", 80, ["send or fail", {"type": "websocket.send", "bytes": {"long": 256 << 10}}]]]
    head, _, _, log = same(servers, lambda server: played(server, steps, client, receive_buffer=4096))
    assert not any("Exception" in line for line in log)


# --- permessage-deflate -------------------------------------------------------------------------------------------------------------------


RESTARTING = OFFER + "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9"


@pytest.mark.parametrize("offer", [OFFER, RESTARTING])
def test_compressed_messages(servers: dict[str, Server], offer: str) -> None:
    texts = [b"hello", b"hello", b"", b"hello" * 3000, LONG, "é€".encode() * 500]

    def client(talk: Talk, call: str) -> Any:
        ours = Deflate()
        found = []
        for text in texts:
            restarts = offer is RESTARTING
            data = (Deflate() if restarts else ours).deflate(text)
            opcode = BINARY if text is LONG else TEXT
            if len(data) > 30:
                talk.send(frame(opcode, data[:7], rsv=4, fin=False), frame(PING), frame(CONTINUATION, data[7:]))
                found.append(talk.frame())
            else:
                talk.send(frame(opcode, data, rsv=4))
            found.append(talk.frame())
            assert (Deflate() if restarts else ours).inflate(found[-1][2]) == text
        talk.send(frame(TEXT, b"not compressed"))
        found.append(talk.frame())
        return [*found, *talk.send(close()).rest()]

    _, seen, _, _ = same(servers, lambda server: played(server, None, client, offer))
    assert seen[0][0] == 0b1100  # FIN and RSV1


ZEROS = Deflate()
DEFLATED_WRONG: dict[str, bytes] = {
    "no deflate": frame(TEXT, b"\xff\xff\xff", rsv=4),
    "rsv1 in a continuation": frame(TEXT, Deflate().deflate(b"abc"), rsv=4, fin=False) + frame(CONTINUATION, rsv=4),
    "rsv1 in a continuation of a plain one": frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", rsv=4),
    "rsv1 in a ping": frame(PING, rsv=4),
    "rsv2": frame(TEXT, Deflate().deflate(b"abc"), rsv=6),
    "a bomb": frame(BINARY, Deflate().deflate(b"\0" * ((1 << 24) + 1)), rsv=4),
    "a bomb in fragments": frame(BINARY, ZEROS.deflate(b"\0" * (1 << 23)), rsv=4, fin=False)
    + frame(CONTINUATION, ZEROS.deflate(b"\0" * (1 << 23 | 1))),
    "text of one octet": frame(TEXT, Deflate().deflate(b"\xff"), rsv=4),
}


@pytest.mark.parametrize("data", DEFLATED_WRONG.values(), ids=DEFLATED_WRONG)
def test_broken_compression(servers: dict[str, Server], data: bytes) -> None:
    _, seen, notes, _ = same(servers, lambda server: played(server, [*ACCEPTED, "receive", "receive"], sends(data), OFFER))
    assert len(seen) == 1 and seen[0][1] == CLOSE


def test_a_last_block_does_not_end_what_is_compressed(servers: dict[str, Server]) -> None:
    """RFC 7692 section 7.2.3.4. uvicorn loses every message behind one."""
    hello = bytes.fromhex("f348cdc9c9070000")

    def play(server: Server) -> Any:
        call = key()
        with Talk(server) as talk:
            talk.open(f"/{ECHO}/{call}", OFFER)
            talk.send(frame(TEXT, hello, rsv=4))
            first = Deflate().inflate(talk.frame()[2])
            talk.send(frame(TEXT, hello, rsv=4))
            talk.frame()
            talk.send(close()).rest()
        return first, server.outcome(call)[2]["text"]

    found = dict(zip(servers, on_each(list(servers.values()), play), strict=True))
    assert found["bridge-uvloop"] == found["bridge-asyncio"] == (b"Hello", "Hello")
    assert found["uvicorn-uvloop"] == (b"Hello", "")
