"""What a person reads of a WebSocket: its frames, in lines as an exchange file has them."""

from typing import Any

import pytest

from bridgecheck.conformance.report.transcript import transcript

from .observations import message, rich, upgraded


def lines(*messages: dict[str, Any], **socket: Any) -> list[str]:
    observed = {"connections": [upgraded(*messages, socket=socket)], "calls": [], "steps": [], "settled": True}
    _, _, rest = transcript(observed).partition("[WebSocket]\n")
    return rest.splitlines()


@pytest.mark.parametrize(
    ("came", "line"),
    [
        (message(1, b"hello"), 'frame text "hello"'),
        (message(1), "frame text"),
        (message(1, "é\n\x07".encode()), 'frame text "é\n\\x07"'),
        (message(2, b"\x00\xff"), "frame binary b'\\x00\\xff'"),
        (message(9, b"p"), "frame ping b'p'"),
        (message(10), "frame pong"),
        (message(8), "frame close"),
        (message(8, b"\x03"), 'frame close "\\x03"'),
        (message(8, b"\x0f\xa1enough"), 'frame close 4001 "enough"'),
        (message(8, b"\x03\xe8"), "frame close 1000"),
        (message(0, b"a"), "frame continuation b'a'"),
        (message(11), "frame opcode 11"),
        (message(1, b"a", frames=3, compressed=True, complete=False), 'frame text "a"  [deflated, 3 fragments, INCOMPLETE]'),
    ],
)
def test_a_frame_is_a_line(came: dict[str, Any], line: str) -> None:
    assert "\n".join(lines(came)).startswith(line + "\n[then: closed]")


def test_what_is_long_is_cut_and_says_so() -> None:
    assert lines(message(2, b"x" * 1000))[0].endswith("…  [1000 bytes]")
    assert "… (1000 bytes)" in lines(message(1, b"x" * 1000))[0]


def test_faults_are_told() -> None:
    told = lines(message(1, b"a"), faults={"masked": 2}, error="MESSAGES_TOO_MANY")
    assert told[1:3] == ["[no server may send this: masked, 2 times]", "[not read any further: MESSAGES_TOO_MANY]"]


def test_everything_can_be_shown() -> None:
    assert 'frame text "{"price": 2}"  [deflated, 2 fragments]' in transcript(rich())
