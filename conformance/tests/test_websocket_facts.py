"""Whatever changes in an observation of a WebSocket is a difference, one change or two at once, unless docs/observation.md excuses it in
words. test_fact.py walks an observation of everything; here each change is named, on a conversation that goes well."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from bridgecheck.conformance._player import Instance
from bridgecheck.conformance.compare.difference import Difference, differences
from bridgecheck.conformance.compare.fact import Facts, facts_of
from bridgecheck.conformance.compare.weight import quirk

from .observations import ACCEPT, HERE, changed, fnv, message, received, send, talked, upgraded

PAGE = " ".join(Path(__file__).parents[2].joinpath("docs", "observation.md").read_text("utf-8").split())
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
EXTENSION = b"permessage-deflate; server_max_window_bits=12"
LONG = b"x" * 9000

Path_ = tuple[Any, ...]
WIRE, SOCKET, ANSWER, CALL = ("connections", 0), ("connections", 0, "websocket"), ("connections", 0, "responses", 0), ("calls", 0)
MESSAGES, FIELDS, EVENTS = (*SOCKET, "messages"), (*ANSWER, "fields"), (*CALL, "events")


def conversation() -> dict[str, Any]:
    """The app echoes a text, a long binary message and a text that is JSON; the client pings and closes with a reason."""
    traced = {"length": len(LONG), "hash": fnv(LONG), "first": LONG[:4096], "last": LONG[-4096:]}
    call_ = talked()
    call_["scope"] |= {"scheme": "ws", "subprotocols": ["chat", "other"], "extensions": {"websocket.http.response": {}}}
    call_["events"] = [
        received(b"", type="websocket.connect"),
        *send(b"", type="websocket.accept", subprotocol="chat", headers=[(b"x-app", b"1")]),
        received(b"", type="websocket.receive", text="one"),
        received(b"", type="websocket.receive", bytes=traced),
        *send(b"", type="websocket.send", text="one"),
        *send(b"", type="websocket.send", bytes=traced),
        received(b"", type="websocket.receive", text='{"n": 3}'),
        *send(b"", type="websocket.send", text='{"n": 3}'),
        received(b"", type="websocket.disconnect", code=4001, reason="bye"),
    ]
    connection = upgraded(
        message(TEXT, b"one"),
        message(PING, b"a"),
        message(PONG, b"b"),
        message(PONG, b"c"),
        message(BINARY, LONG, compressed=True),
        message(TEXT, b'{"n": 3}'),
        message(CLOSE, b"\x0f\xa1bye"),
        fields=[
            (b"connection", b"Upgrade"),
            (b"sec-websocket-protocol", b"chat"),
            (b"sec-websocket-extensions", EXTENSION),
            (b"x-app", b"1"),
        ],
    )
    return {"connections": [connection], "calls": [call_], "steps": [], "settled": True}


def within(path: Path_, *new: Any) -> dict[str, Any]:
    """The conversation with other items in place of the one at `path`, or of none where it is the end of a list."""
    told = conversation()
    items: Any = told
    for step in path[:-1]:
        items = items[step]
    items[path[-1] : path[-1] + 1] = new
    return told


def swapped(path: Path_) -> dict[str, Any]:
    told = conversation()
    items: Any = told
    for step in path[:-1]:
        items = items[step]
    at = path[-1]
    items[at], items[at + 1] = items[at + 1], items[at]
    return told


def moved(event_: int, to: int) -> dict[str, Any]:
    """An event of the call in another place of it."""
    told = conversation()
    events = told["calls"][0]["events"]
    events.insert(to, events.pop(event_))
    return told


def put(path: Path_, new: Any) -> dict[str, Any]:
    return changed(conversation(), path, new)


def event(index: int, **keys: Any) -> dict[str, Any]:
    """Event `index` with these keys; Ellipsis for a key that is not there."""
    told = conversation()
    keys = told["calls"][0]["events"][index]["event"] | keys
    told["calls"][0]["events"][index]["event"] = {key: value for key, value in keys.items() if value is not ...}
    return told


def of_events(index: int) -> dict[str, Any]:
    found = conversation()["calls"][0]["events"][index]
    assert isinstance(found, dict)
    return found


def field(index: int, name: bytes, value: bytes) -> dict[str, Any]:
    return within((*FIELDS, index), (name, value))


def ends_in(end: str) -> dict[str, Any]:
    return put((*WIRE, "end"), end)


CLOSING = (*MESSAGES, 6)
RAISED = {"type": "demo.Gone", "message": "gone", "base": "OSError"}

# What is changed, and a fact that has to stand as a difference by itself.
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    # the handshake
    "status": (put((*ANSWER, "status"), 200), "response.status"),
    "reason": (put((*ANSWER, "reason"), b"Fine"), "response.reason"),
    "version": (put((*ANSWER, "version"), "1.0"), "response.version"),
    "accept wrong": (field(1, b"sec-websocket-accept", b"x"), "socket.accept"),
    "accept in other letters": (field(1, b"sec-websocket-accept", ACCEPT.swapcase()), "socket.accept"),
    "accept missing": (within((*FIELDS, 1)), "socket.accept"),
    "accept twice": (within((*FIELDS, 1), (b"sec-websocket-accept", ACCEPT), (b"sec-websocket-accept", ACCEPT)), "socket.accept"),
    "upgrade": (field(0, b"upgrade", b"h2c"), "response.field[upgrade]"),
    "upgrade missing": (within((*FIELDS, 0)), "response.field[upgrade]"),
    "connection": (field(2, b"connection", b"close"), "response.field[connection]"),
    "connection missing": (within((*FIELDS, 2)), "response.field[connection]"),
    "subprotocol": (field(3, b"sec-websocket-protocol", b"other"), "response.field[sec-websocket-protocol]"),
    "subprotocol missing": (within((*FIELDS, 3)), "response.field[sec-websocket-protocol]"),
    "subprotocol twice": (
        within((*FIELDS, 3), (b"sec-websocket-protocol", b"chat"), (b"sec-websocket-protocol", b"other")),
        "response.field[sec-websocket-protocol]",
    ),
    "extension": (field(4, b"sec-websocket-extensions", b"x-other"), "response.field[sec-websocket-extensions]"),
    "extension missing": (within((*FIELDS, 4)), "response.field[sec-websocket-extensions]"),
    "extension without parameter": (
        field(4, b"sec-websocket-extensions", b"permessage-deflate"),
        "response.field[sec-websocket-extensions]",
    ),
    "extension with another value": (
        field(4, b"sec-websocket-extensions", EXTENSION.replace(b"12", b"13")),
        "response.field[sec-websocket-extensions]",
    ),
    "extension with one more parameter": (
        field(4, b"sec-websocket-extensions", EXTENSION + b"; server_no_context_takeover"),
        "response.field[sec-websocket-extensions]",
    ),
    "field of the app": (field(5, b"x-app", b"2"), "response.field[x-app]"),
    "field of the app missing": (within((*FIELDS, 5)), "response.field[x-app]"),
    "field more": (within((*FIELDS, 6), (b"x-more", b"1")), "response.field[x-more]"),
    "fields in another order": (swapped((*FIELDS, 2)), "response.field-order"),
    "field in other letters": (field(5, b"X-App", b"1"), "response.field-case"),
    "no WebSocket": (put(SOCKET, None), "socket"),
    "interim": (put((*ANSWER, "interim"), [{"status": 100, "reason": b"", "fields": []}]), "response.interim"),
    # messages on the wire
    "text": (within((*MESSAGES, 0), message(TEXT, b"two")), "message.body"),
    "text as binary": (within((*MESSAGES, 0), message(BINARY, b"one")), "message.type"),
    "text empty": (within((*MESSAGES, 0), message(TEXT, b"")), "message.body"),
    "text that is none": (within((*MESSAGES, 0), message(TEXT, b"on\xff")), "socket.fault[utf-8]"),
    "text cut": (within((*MESSAGES, 0), message(TEXT, b"one", complete=False)), "message.complete"),
    "text in fragments": (within((*MESSAGES, 0), message(TEXT, b"one", frames=2)), "message.fragments"),
    "text deflated": (within((*MESSAGES, 0), message(TEXT, b"one", compressed=True)), "message.compressed"),
    "text missing": (within((*MESSAGES, 0)), "message"),
    "text twice": (within((*MESSAGES, 0), message(TEXT, b"one"), message(TEXT, b"one")), "message"),
    "continuation": (within((*MESSAGES, 0), message(0, b"one")), "message.type"),
    "binary inflated": (put((*MESSAGES, 4, "compressed"), False), "message.compressed"),
    "binary by an octet": (within((*MESSAGES, 4), message(BINARY, LONG[:-1] + b"y", compressed=True)), "message.body"),
    "binary by its length": (within((*MESSAGES, 4), message(BINARY, LONG + b"x", compressed=True)), "message.body"),
    "messages in another order": (swapped((*MESSAGES, 4)), "message.type"),
    "JSON": (within((*MESSAGES, 5), message(TEXT, b'{"n": 4}')), "message.body.$.n"),
    "JSON of another type": (within((*MESSAGES, 5), message(TEXT, b'{"n": "3"}')), "message.body.$.n"),
    "JSON laid out": (within((*MESSAGES, 5), message(TEXT, b'{"n":3}')), "message.body"),
    # control frames
    "ping missing": (within((*MESSAGES, 1)), "socket.ping"),
    "ping more": (within((*MESSAGES, 1), message(PING), message(PING)), "socket.ping"),
    "pong": (within((*MESSAGES, 2), message(PONG, b"x")), "socket.pong"),
    "pong empty": (within((*MESSAGES, 2), message(PONG)), "socket.pong"),
    "pong missing": (within((*MESSAGES, 3)), "socket.pong"),
    "pong twice": (within((*MESSAGES, 3), message(PONG, b"c"), message(PONG, b"c")), "socket.pong"),
    "pongs in another order": (swapped((*MESSAGES, 2)), "socket.pong"),
    "close missing": (within(CLOSING), "socket.close"),
    "close code": (within(CLOSING, message(CLOSE, b"\x0f\xa2bye")), "socket.close.code"),
    "close without code": (within(CLOSING, message(CLOSE)), "socket.close.code"),
    "close of one octet": (within(CLOSING, message(CLOSE, b"\x0f")), "socket.close.code"),
    "close reason": (within(CLOSING, message(CLOSE, b"\x0f\xa1why")), "socket.close.reason"),
    "close without reason": (within(CLOSING, message(CLOSE, b"\x0f\xa1")), "socket.close.reason"),
    "close reason that is no text": (within(CLOSING, message(CLOSE, b"\x0f\xa1\xff")), "socket.fault[utf-8]"),
    # how it ended
    "open": (ends_in("open"), "socket.end"),
    "reset": (ends_in("reset"), "socket.end"),
    "silent": (ends_in("silent"), "socket.end"),
    "ours": (ends_in("ours"), "socket.end"),
    # what the app is handed
    "type of the call": (put((*CALL, "scope", "type"), "http"), "scope.type"),
    "scheme": (put((*CALL, "scope", "scheme"), "wss"), "scope.scheme"),
    "subprotocols": (put((*CALL, "scope", "subprotocols"), ["chat"]), "scope.subprotocols[1]"),
    "subprotocols in another order": (put((*CALL, "scope", "subprotocols"), ["other", "chat"]), "scope.subprotocols[0]"),
    "subprotocols of another type": (put((*CALL, "scope", "subprotocols"), ("chat", "other")), "scope.subprotocols"),
    "denial not offered": (put((*CALL, "scope", "extensions"), {}), "scope.extensions['websocket.http.response']"),
    "no connect": (within((*EVENTS, 0)), "receive.types"),
    "connect twice": (within((*EVENTS, 0), of_events(0), of_events(0)), "receive.types"),
    "connect with more": (event(0, more=1), "receive.event[websocket.connect].more"),
    "received text": (event(3, text="two"), "receive.message.body"),
    "received as bytes": (event(3, text=..., bytes=b"one"), "receive.message.type"),
    "received as both": (event(3, bytes=b"one"), "receive.message.type"),
    "received as neither": (event(3, text=...), "receive.message.type"),
    "received beside None": (event(3, bytes=None), "receive.message.key[bytes]"),
    "received of a subclass": (event(3, text=Instance("demo.Str", "one")), "receive.message.key[text]"),
    "received as a bytearray": (event(4, bytes=Instance("bytearray", b"x")), "receive.message.key[bytes]"),
    "received with more": (event(3, more=1), "receive.event[websocket.receive].more"),
    "received in another dict": (
        put((*EVENTS, 3, "event"), Instance("demo.Event", {"type": "websocket.receive", "text": "one"})),
        "receive.containers",
    ),
    "received long, by its hash": (
        event(4, bytes={"length": 9000, "hash": 1, "first": LONG[:4096], "last": LONG[-4096:]}),
        "receive.message.body",
    ),
    "received not": (within((*EVENTS, 3)), "receive.message.type"),
    "received not the last": (within((*EVENTS, 9)), "receive.message"),
    "received twice": (within((*EVENTS, 3), of_events(3), of_events(3)), "receive.message"),
    "received in another order": (swapped((*EVENTS, 3)), "receive.message.type"),
    "received before connect": (moved(3, 0), "receive.message-order"),
    "received after disconnect": (moved(9, 12), "receive.message-order"),
    "no disconnect": (within((*EVENTS, 12)), "receive.types"),
    "disconnect twice": (within((*EVENTS, 12), of_events(12), of_events(12)), "receive.types"),
    "disconnect code": (event(12, code=1000), "receive.event[websocket.disconnect].code"),
    "disconnect without code": (event(12, code=...), "receive.event[websocket.disconnect].code"),
    "disconnect code as text": (event(12, code="4001"), "receive.event[websocket.disconnect].code"),
    "disconnect reason": (event(12, reason="other"), "receive.event[websocket.disconnect].reason"),
    "disconnect without reason": (event(12, reason=...), "receive.event[websocket.disconnect].reason"),
    "disconnect of HTTP": (event(12, type="http.disconnect"), "receive.types"),
    # what the app does
    "accepts another subprotocol": (event(1, subprotocol="other"), "send.field[sec-websocket-protocol]"),
    "accepts without subprotocol": (event(1, subprotocol=...), "send.field[sec-websocket-protocol]"),
    "accepts with another field": (event(1, headers=[(b"x-app", b"2")]), "send.field[x-app]"),
    "sends another text": (event(5, text="two"), "send.message.body"),
    "sends bytes": (event(5, text=..., bytes=b"one"), "send.message.type"),
    "sends one less": (within((*EVENTS, 10)), "send.message"),
    "closes": (within((*EVENTS, 12), *send(b"", type="websocket.close", code=4001), of_events(12)), "send.types"),
    "is refused": (within((*EVENTS, 6), {"kind": "send raised", "raised": RAISED}), "send.raised"),
    "waits for send()": (within((*EVENTS, 6)), "send.pending"),
    "is still there": (put((*CALL, "end"), "still running"), "call.end"),
    "raises": (put(CALL, conversation()["calls"][0] | {"end": "raised", "raised": RAISED}), "call.end"),
    "is not called": (put(("calls",), []), "request"),
    # around it
    "step in vain": (put(("steps",), [(7, "timed out")]), "script[timed out]"),
    "error of the reader": (put((*SOCKET, "error"), "INFLATED_TOO_MUCH"), "socket.fault[inflated-too-much]"),
    **{
        f"frame that is wrong: {name}": (put((*SOCKET, "faults"), {name: 1}), f"socket.fault[{name}]")
        for name in (
            *("masked", "reserved-bits", "reserved-opcode", "length", "control-fragmented", "control-length"),
            *("continuation-alone", "interrupted", "after-close", "deflate", "cut"),
        )
    },
}

# What is no difference, and the words of docs/observation.md that say so.
EXCUSED: dict[str, tuple[dict[str, Any], str]] = {
    "ping of another payload": (within((*MESSAGES, 1), message(PING, b"z")), "how many pings the server sent"),
    "ping behind a pong": (swapped((*MESSAGES, 1)), "messages and control frames apart, each in its order"),
    "pong deflated": (put((*MESSAGES, 2, "compressed"), True), "of a control frame only the payload"),
    "pong in fragments": (put((*MESSAGES, 3, "frames"), 2), "of a control frame only the payload"),
    "receives before it sends": (moved(9, 7), "How receives and sends interleave is not compared"),
    "other letters of a sent field": (event(1, headers=[(b"X-App", b"1")]), "the type and letter case of their names"),
    "code of a subclass": (event(12, code=Instance("demo.Code", 4001)), "whether the `code` of a `websocket.disconnect` is an int"),
}

GOOD = facts_of(conversation(), HERE)
FACTS = {name: facts_of(told, HERE) for name, (told, _) in CHANGES.items()}


def standing(one: Facts, other: Facts) -> list[Difference]:
    return [d for d in differences(one, other) if d.because is None and not quirk(d.path, d.kind)]


def test_the_conversation_is_one_that_goes_well() -> None:
    assert standing(GOOD, facts_of(conversation(), HERE)) == []
    assert [path for _, path in GOOD if "altered" in path or "fault" in path or path == "receive.message-order"] == []


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_a_difference_both_ways(name: str) -> None:
    _, path = CHANGES[name]
    for one, other in ((GOOD, FACTS[name]), (FACTS[name], GOOD)):
        assert path in {d.path for d in differences(one, other)}
        assert standing(one, other) != []


@pytest.mark.parametrize("name", EXCUSED)
def test_what_is_no_difference_is_excused_in_words(name: str) -> None:
    told, words = EXCUSED[name]
    assert words in PAGE
    assert told != conversation()
    assert standing(GOOD, facts_of(told, HERE)) == []


def test_two_changes_do_not_hide_each_other() -> None:
    """Each is followed by its consequences: where two are held against each other something has to stand, whatever follows from what."""
    assert "(its value is not compared)" in PAGE  # an accept that is wrong in two ways is wrong
    hidden = [
        (one, other)
        for one, other in itertools.combinations(CHANGES, 2)
        if not standing(FACTS[one], FACTS[other]) and not CHANGES[one][1] == CHANGES[other][1] == "socket.accept"
    ]
    assert hidden == []
