"""Frames of a client as bytes: what is read of them, and how a recording that holds them says what an answer gave."""

import zlib

import pytest

from bridgecheck.conformance._player import parse
from bridgecheck.conformance._recording import pieces
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.taps.frames import Frame, frames
from bridgecheck.conformance.taps.recorded import carried

from .test_carry import TOKEN, answer, recording, request

MASK = b"\x37\xfa\x21\x3d"


def said(payload: bytes, opcode: int = 1, deflater: "zlib._Compress | None" = None, head: int = 0x80, masked: int = 0x80) -> bytes:
    if deflater:
        payload = (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
        head |= 0x40
    size = len(payload)
    word, octets = (size, 0) if size < 126 else (126, 2) if size < 65536 else (127, 8)
    length = bytes([word | masked]) + (size.to_bytes(octets, "big") if octets else b"")
    return bytes([head | opcode]) + length + MASK + bytes(octet ^ MASK[place % 4] for place, octet in enumerate(payload))


def deflater() -> "zlib._Compress":
    return zlib.compressobj(wbits=-12)


def test_frames_are_read_and_inflated() -> None:
    packed = deflater()
    data = [said(b"hello"), said(b"hello " * 30, deflater=packed), said(b"", 9), said(b"hello " * 30, 2, packed), said(b"a" * 70000 + b"b")]
    data.append(said(b"\x03\xe8bye", 8))
    found = frames(b"".join(data))
    assert found is not None
    assert [(frame.word, frame.payload) for frame in found] == [
        ("text", b"hello"),
        ("text", b"hello " * 30),
        ("ping", b""),
        ("binary", b"hello " * 30),
        ("text", b"a" * 70000 + b"b"),
        ("close", b"\x03\xe8bye"),
    ]
    assert found[0] == Frame(11, 1, b"hello") and found[-1].end == sum(map(len, data))
    assert len(data[3]) < len(data[1])  # which it goes by
    assert frames(b"") == []


@pytest.mark.parametrize(
    "data",
    [
        said(b"hello")[:-1],
        said(b"hello")[:5],
        said(b"hello")[:1],
        said(b"hello", head=0),
        said(b"hello", 0),
        said(b"hello", 3),
        said(b"hello", head=0xA0),
        said(b"hello", masked=0),
        said(b"\xff\xff\xff", head=0xC0),
        said(b"", 9, head=0xC0),
        said(b"\0" * (2 << 20), deflater=deflater()),
        b"\x81\xff" + b"\xff" * 8 + MASK,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_understood_is_left_alone(data: bytes) -> None:
    assert frames(said(b"before") + data) is None


def recorded(*sends: bytes) -> tuple[str, list[str]]:
    gave = (request("GET", "/"), answer(set_cookie=f"id={TOKEN}"))
    data = recording(gave, (request("GET", "/chat", upgrade="WebSocket"), b"HTTP/1.1 101 Switching Protocols\r\n\r\n"))
    lines = [data.removesuffix(b"end next\n").decode().rstrip("\n"), "wait frame"]
    for send in sends:
        lines += ["send", pieces([send]).rstrip("\n")]
    sessions, told = carried(tap.sessions(parse("\n".join([*lines, "end close\n"]).encode(), "recording")))
    return sessions[-1][-1].text.decode().partition("wait frame\n")[2], told


def test_a_value_in_one_message_has_all_written_as_frames() -> None:
    packed = deflater()
    first, second, third = (said(text, deflater=packed) for text in (b'{"hello": 1}', b'{"token": "%s"}' % TOKEN.encode(), b'{"hello": 2}'))
    text, told = recorded(first, second + third, said(b"\x03\xe8", 8))
    assert told == ["token from Set-Cookie of GET / → 1 message"]
    assert text.splitlines() == [
        "frame text",
        '+ {"hello": 1}',
        "frame text",
        '+ {"token": "${token}"}',
        "frame text",
        '+ {"hello": 2}',
        "frame close",
        "+ \\x03\\xe8",
        "end close",
    ]


def test_where_nothing_is_carried_the_bytes_stay() -> None:
    text, told = recorded(said(b"hello"), said(b"there"))
    assert told == [] and text.count("send\n") == 2 and "frame" not in text


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_frames_that_are_cut_by_a_send_stay(cut: int) -> None:
    whole = said(TOKEN.encode())
    text, told = recorded(whole[:cut], whole[cut:])
    assert told == [] and "${" not in text


@pytest.mark.parametrize("cut", [1, 7, -1])
def test_a_frame_that_begins_with_the_handshake_stays(cut: int) -> None:
    """What is left of it would be sent twice."""
    whole = said(TOKEN.encode())
    first, rest = whole[:cut], whole[cut:]
    data = recording(
        (request("GET", "/"), answer(set_cookie=f"id={TOKEN}")), (request("GET", "/chat", upgrade="websocket") + first, answer())
    )
    lines = data.removesuffix(b"end next\n") + b"send\n" + pieces([rest]).encode() + b"end close\n"
    sessions, told = carried(tap.sessions(parse(lines, "recording")))
    assert told == [] and b"frame text" not in sessions[-1][-1].text


def test_what_is_no_websocket_stays() -> None:
    data = recording((request("GET", "/"), answer(set_cookie=f"id={TOKEN}")), (request("GET", "/chat", upgrade="other"), answer()))
    lines = data.removesuffix(b"end next\n") + b"send\n" + pieces([said(TOKEN.encode())]).encode() + b"end close\n"
    assert carried(tap.sessions(parse(lines, "recording")))[1] == []
