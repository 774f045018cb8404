"""HAR files as browsers write them, and as nobody should: what is read, what is left out, and what is said of the rest."""

import base64
import copy
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from bridgecheck.conformance.taps.har import Entry, Har, Message, read

DATA = Path(__file__).parent / "data"
ENTRY = {
    "startedDateTime": "2025-11-25T10:00:00.000Z",
    "request": {"method": "GET", "url": "http://shop.test/a?b=c#d", "headers": [{"name": "Accept", "value": "*/*"}]},
    "response": {"status": 200, "headers": [{"name": "X", "value": "y"}], "content": {"text": "ok"}},
}


def said(data: str, opcode: int = 1, kind: str = "send") -> dict[str, Any]:
    return {"type": kind, "time": 1.5, "opcode": opcode, "data": data}


def har(*changes: dict[str, Any]) -> str:
    """A file of ENTRY with these changes, "request.url" and the like; None takes away."""
    entries = []
    for change in changes:
        entry = copy.deepcopy(ENTRY)
        for path, value in change.items():
            *above, last = path.split(".")
            place: Any = entry
            for name in above:
                place = place[name]
            if value is None:
                del place[last]
            else:
                place[last] = value
        entries.append(entry)
    return json.dumps({"log": {"creator": {"name": "a test", "version": "1"}, "entries": entries}}, indent=1)


def reading(tmp_path: Path, text: str | bytes) -> Har:
    file = tmp_path / "a.har"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(file)


def one(tmp_path: Path, change: dict[str, Any]) -> Entry:
    found = reading(tmp_path, har(change))
    assert found.errors == [] and found.left_out == {}
    [entry] = found.entries
    return entry


def test_an_entry(tmp_path: Path) -> None:
    entry = one(tmp_path, {})
    assert (entry.method, entry.host, entry.target, entry.fields) == ("GET", "shop.test", "/a?b=c", [("Accept", "*/*")])
    assert (entry.content, entry.status, entry.answered, entry.answer) == (b"", 200, [("X", "y")], "ok")


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://shop.test", "shop.test", "/"),
        ("https://shop.test:443/", "shop.test", "/"),
        ("http://shop.test:443/%C3%A4?", "shop.test:443", "/%C3%A4"),
        ("http://[::1]:8000/a", "[::1]:8000", "/a"),
        ("http://me:secret@shop.test/a", "shop.test", "/a"),
    ],
)
def test_urls(url: str, host: str, target: str, tmp_path: Path) -> None:
    entry = one(tmp_path, {"request.url": url})
    assert (entry.host, entry.target) == (host, target)


def test_pseudo_fields_are_none_and_set_cookie_is_a_line_each(tmp_path: Path) -> None:
    entry = one(
        tmp_path,
        {
            "request.headers": [{"name": ":authority", "value": "shop.test"}, {"name": "accept", "value": "*/*"}],
            "response.headers": [{"name": ":status", "value": "200"}, {"name": "Set-Cookie", "value": "a=1\nb=2"}],
        },
    )
    assert entry.fields == [("accept", "*/*")]
    assert entry.answered == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


@pytest.mark.parametrize(
    ("posted", "content"),
    [
        ({"mimeType": "text/plain", "text": "ä"}, "ä".encode()),
        ({"mimeType": "x/y", "text": base64.b64encode(b"\0\xff").decode(), "encoding": "base64"}, b"\0\xff"),
        ({"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a b", "value": "&"}, {"name": "c"}]}, b"a+b=%26&c="),
        ({"mimeType": "text/plain", "text": ""}, b""),
    ],
)
def test_bodies(posted: dict[str, Any], content: bytes, tmp_path: Path) -> None:
    fields = [{"name": "Content-Length", "value": str(len(content))}]
    assert one(tmp_path, {"request.postData": posted, "request.headers": fields}).content == content


def test_messages_of_a_websocket(tmp_path: Path) -> None:
    """Of what came, that it came; pings and ends are none."""
    messages = [said("hi", kind="receive"), said("ä"), said("AP8=", 2), said("", 9), said("AP8=", 2, "receive"), said("", 8)]
    entry = one(tmp_path, {"request.url": "wss://shop.test/x", "response.status": 101, "_webSocketMessages": messages})
    assert (entry.host, entry.target, entry.status) == ("shop.test", "/x", 101)
    assert entry.messages == [
        Message(False, True, b""),
        Message(True, True, "ä".encode()),
        Message(True, False, b"\0\xff"),
        Message(False, False, b""),
    ]
    assert one(tmp_path, {}).messages is None
    assert one(tmp_path, {"request.url": "ws://shop.test/x", "response.status": 403}).messages == []


LENGTH_9 = [{"name": "content-length", "value": "9"}]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"request.url": "data:text/plain,a"}, "no HTTP"),
        ({"request.url": "wss://shop.test/", "response.status": 101}, "WebSocket whose messages are not in the file"),
        ({"_resourceType": "websocket", "response.status": 101}, "WebSocket whose messages are not in the file"),
        ({"_webSocketMessages": [], "request.method": "CONNECT"}, "WebSocket over HTTP/2"),
        ({"_webSocketMessages": [said("x" * (201 << 10))]}, "WebSocket with a message that is too long"),
        ({"_webSocketMessages": [said("x")] * 4001}, "WebSocket with too many messages"),
        ({"response.status": 101}, "without an answer"),
        ({"_webSocketMessages": [], "response.status": 0}, "without an answer"),
        ({"_fromCache": "disk"}, "from the cache"),
        ({"response.status": 0}, "without an answer"),
        ({"request.headers": LENGTH_9}, "with a body that is not in the file"),
        ({"request.headers": LENGTH_9, "request.postData": {"text": "12345678"}}, "with a body that is not in the file"),
        (
            {"request.headers": LENGTH_9, "request.postData": {"mimeType": "multipart/form-data", "params": [{"name": "a"}]}},
            "with a body that is not in the file",
        ),
    ],
)
def test_what_is_left_out(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    found = reading(tmp_path, har({}, change))
    assert (len(found.entries), found.left_out, found.errors) == (1, {reason: 1}, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"request.url": None}, "no url"),
        ({"response": None}, "no response"),
        ({"startedDateTime": "yesterday"}, "Invalid isoformat string: 'yesterday'"),
        ({"request.method": "G T"}, "no request line: 'G T' '/a?b=c'"),
        ({"request.headers": [{"name": "a", "value": "b\r\nc"}]}, r"no field: 'a': 'b\r\nc'"),
        ({"request.headers": [{"name": "a b", "value": "c"}]}, "no field: 'a b': 'c'"),
        ({"request.url": "http://shop.test:port/"}, "Port could not be cast to integer value as 'port'"),
        ({"request.postData": {"text": "*", "encoding": "base64"}}, "postData.text: "),
        ({"_webSocketMessages": [said("x"), said("*", 2)]}, "message 2: "),
        ({"_webSocketMessages": [{"type": "send", "opcode": 1}]}, "no data"),
    ],
)
def test_an_entry_that_is_none_is_named_and_the_others_are_read(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    found = reading(tmp_path, har({}, change, {}))
    assert [entry.place for entry in found.entries] == ["entry 1", "entry 3"]
    [error] = found.errors
    assert str(error).startswith(f"{tmp_path}/a.har: entry 2: {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"log":\n {"entries": [\xff', ":2:15: not UTF-8; 0 entries before that are whole"),
        (b"hello", ":1:1: Expecting value; 0 entries before that are whole"),
        (b"[]", ": not a HAR file: no log.entries"),
        (b'{"log": {"entries": 1}}', ": not a HAR file: no log.entries"),
        (b"[" * 100_000, ":1:1: nested too deep; 0 entries before that are whole"),
    ],
)
def test_another_file(text: bytes, said: str, tmp_path: Path) -> None:
    found = reading(tmp_path, text)
    assert found.entries == []
    assert str(found.errors[0]) == f"{tmp_path}/a.har{said}"


def test_no_file(tmp_path: Path) -> None:
    assert str(read(tmp_path / "none").errors[0]) == f"{tmp_path}/none: No such file or directory"


def test_a_cut_file_keeps_what_is_before_the_cut(tmp_path: Path) -> None:
    text = har({}, {"request.method": "PUT"}, {"request.method": "POST"})
    ends = [found.end() for found in re.finditer(r"^   \}", text, re.MULTILINE)]
    assert len(ends) == 3
    for size in range(len(text) - 1):
        found = reading(tmp_path, text[:size])
        assert len(found.entries) == sum(size >= end for end in ends)
        assert len(found.errors) == 1
        lines = text[:size].split("\n")
        line = int(str(found.errors[0]).removeprefix(f"{tmp_path}/a.har:").partition(":")[0])
        assert line <= len(lines)


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        (b'{"a": "\xe2\x82', "not UTF-8"),  # cut in the middle of a character
        (b'{"a": "\xff"}]}}', "not UTF-8"),
        (b'{"a": ' + b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_before_something_else_than_a_cut_is_kept_too(behind: bytes, said: str, tmp_path: Path) -> None:
    whole = har({}, {}).encode().replace(b'"ok"', '"\u00f6k"'.encode())
    start = whole[: whole.rindex(b"}\n  ]") + 1] + b",\n"
    found = reading(tmp_path, start + behind)
    assert len(found.entries) == 2
    [error] = found.errors
    column = behind.index(b"\xff") + 1 if b"\xff" in behind else 1 if b"[" in behind else 8
    assert str(error) == f"{tmp_path}/a.har:{start.count(10) + 1}:{column}: {said}; 2 entries before that are whole"


def test_entries_are_in_the_order_of_their_time(tmp_path: Path) -> None:
    times = ["2025-11-25T10:00:00.002Z", "2025-11-25T11:00:00.001+01:00", "2025-11-25T10:00:00Z"]
    found = reading(tmp_path, har(*({"startedDateTime": time} for time in times)))
    assert [entry.place for entry in found.entries] == ["entry 3", "entry 2", "entry 1"]


def test_a_byte_order_mark(tmp_path: Path) -> None:
    assert len(reading(tmp_path, b"\xef\xbb\xbf" + har({}).encode()).entries) == 1


def test_anything_in_the_place_of_anything(tmp_path: Path) -> None:
    """Whatever stands where: it is read, left out or named, and nothing is raised."""
    chance = random.Random(7)
    values: list[Any] = [None, 5, -1.5, "", "x", [], {}, [5], {"text": 5}, True, "\ud800", [{"name": 5, "value": []}]]

    def places(value: Any, path: tuple = ()) -> list[tuple]:
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [path, *(place for key, item in inside for place in places(item, (*path, key)))]

    start = json.loads(har({"request.postData": {"mimeType": "a/b", "text": "c", "params": []}}, {}))
    for _ in range(1000):
        data = copy.deepcopy(start)
        for _ in range(chance.randint(1, 2)):
            path = chance.choice(places(data)[1:])
            target = data
            for key in path[:-1]:
                target = target[key]
            target[path[-1]] = copy.deepcopy(chance.choice(values))
        found = reading(tmp_path, json.dumps(data))
        for entry in found.entries:
            assert isinstance(entry.answer, str) and isinstance(entry.content, bytes)


@pytest.mark.parametrize("name", ["chromium", "firefox", "mitmproxy"])
def test_what_is_kept_here_as_tools_write_it(name: str) -> None:
    found = read(DATA / f"{name}.har")
    assert found.errors == []
    assert len(found.entries) >= 11
