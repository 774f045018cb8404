"""WebSockets: what is a fact of one, what is drift, and which difference follows from which."""

from typing import Any

import pytest

from bridgecheck.conformance._player import Instance
from bridgecheck.conformance.compare.bucket import title
from bridgecheck.conformance.compare.demand import Demand, DemandError
from bridgecheck.conformance.compare.difference import Difference, differences
from bridgecheck.conformance.compare.fact import Facts, facts_of
from bridgecheck.conformance.compare.websocket import Message, accepts

from .observations import ACCEPT, HERE, KEY, call, changed, fnv, here, message, observation, received, response, send, talked, upgraded

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CLOSED = message(CLOSE, b"\x03\xe8")


def seen(*messages: dict[str, Any], calls: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """An observation of one WebSocket."""
    calls = [talked()] if calls is None else calls
    return {"connections": [upgraded(*messages, **changes)], "calls": calls, "steps": [], "settled": True}


def facts(*messages: dict[str, Any], **changes: Any) -> Facts:
    return facts_of(seen(*messages, **changes), HERE)


def found(reference: dict[str, Any], candidate: dict[str, Any]) -> list[Difference]:
    return differences(facts_of(reference, HERE), facts_of(candidate, HERE))


def say(*texts: str, **close: Any) -> list[dict[str, Any]]:
    events = [event for text in texts for event in send(b"", type="websocket.send", text=text)]
    return events + (send(b"", type="websocket.close", **close) if close else [])


# --- facts -----------------------------------------------------------------------------------------------------------------------------


def test_an_accept_is_right_for_its_key_alone() -> None:
    assert accepts(KEY, (ACCEPT,))
    assert not accepts(KEY, ())
    assert not accepts(KEY, (ACCEPT, ACCEPT))
    assert not accepts(KEY + b"=", (ACCEPT,))
    assert not accepts(KEY, (ACCEPT.lower(),))


def test_the_accept_field_is_told_by_whether_it_is_right() -> None:
    good = seen()
    wrong = changed(good, ("connections", 0, "responses", 0, "fields", 1), (b"sec-websocket-accept", b"x"))
    assert facts_of(good, HERE)["main socket 1", "socket.accept"] is True
    assert here(good, wrong) == [("socket.accept", "yes→no")]
    assert not any("accept]" in path for _, path in facts_of(good, HERE))


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [
        (b"", "none", b""),
        (b"\x03", "malformed", b""),
        (b"\x03\xe8", 1000, b""),
        (b"\x0f\xa1why \xc3\xa9", 4001, b"why \xc3\xa9"),
    ],
)
def test_a_close_frame_says_code_and_reason(payload: bytes, code: int | str, reason: bytes) -> None:
    told = facts(message(CLOSE, payload))
    assert told["main socket 1", "socket.close"] is True
    assert (told["main socket 1", "socket.close.code"], told["main socket 1", "socket.close.reason"]) == (code, reason)


@pytest.mark.parametrize(
    ("end", "messages", "told"),
    [("closed", (), "dropped"), ("closed", (CLOSED,), "closed"), ("reset", (), "reset"), ("silent", (CLOSED,), "silent")],
)
def test_an_end_without_a_close_frame_has_a_word_of_its_own(end: str, messages: tuple[Any, ...], told: str) -> None:
    assert facts_of(changed(seen(*messages), ("connections", 0, "end"), end), HERE)["main socket 1", "socket.end"] == told


def test_pings_are_counted_and_pongs_told() -> None:
    told = facts(message(PING, b"a"), message(PONG, b"b"), message(PING, b"c"), message(PONG, b""))
    assert told["main socket 1", "socket.ping"] == 2
    assert told["main socket 1", "socket.pong"] == (b"b", b"")


def test_faults_are_told_by_name() -> None:
    told = facts(message(TEXT, b"\xff"), message(BINARY, b"\xff"), socket={"faults": {"masked": 2}, "error": "MESSAGES_TOO_MANY"})
    names = {path for _, path in told if path.startswith("socket.fault")}
    assert names == {"socket.fault[masked]", "socket.fault[messages-too-many]", "socket.fault[utf-8]"}
    assert told["main socket 1", "socket.fault[masked]"] == 2
    assert facts(message(CLOSE, b"\x0f\xa1\xc3"))["main socket 1", "socket.fault[utf-8]"] == 1
    (difference,) = (d for d in found(seen(), seen(socket={"faults": {"masked": 2}})) if d.because is None)
    assert (difference.severity, difference.side) == ("rule", "wire")
    assert title(difference) == "a frame that no server may send (masked), under the candidate"


def test_a_message_is_compared_by_what_it_means() -> None:
    def talk(data: bytes, opcode: int = TEXT, **how: Any) -> dict[str, Any]:
        return seen(message(opcode, data, **how), CLOSED, calls=[])

    assert here(talk(b"a"), talk(b"b")) == [("message.body", "value")]
    assert here(talk(b"a"), talk(b"a", BINARY)) == [("message.type", "text→binary")]
    assert here(talk(b"a"), talk(b"a", complete=False)) == [("message.complete", "yes→no")]
    assert here(talk(b"a"), talk(b"a", frames=2)) == [("message.fragments", "one→several")]
    assert here(talk(b"a", frames=2), talk(b"a", frames=3)) == []
    assert here(talk(b"a"), talk(b"a", compressed=True)) == [("message.compressed", "no→yes")]
    assert [d.severity for d in found(talk(b"a", frames=2), talk(b"a", compressed=True))] == ["drift", "drift"]
    assert here(seen(CLOSED, calls=[]), talk(b"a")) == [("message", "added")]


def test_a_text_that_is_json_is_compared_value_by_value() -> None:
    def talk(text: bytes, opcode: int = TEXT) -> dict[str, Any]:
        return seen(message(opcode, text), CLOSED, calls=[])

    assert here(talk(b'{"a": [1, 2]}'), talk(b'{"a": [1, 3]}')) == [("message.body.$.a[*]", "value")]
    assert here(talk(b'{"a": 1}'), talk(b'{"a":1}')) == [("message.body", "layout")]
    assert here(talk(b'{"a": 1'), talk(b'{"a": 2')) == [("message.body", "value")]
    assert here(talk(b'{"a": 1}', BINARY), talk(b'{"a": 2}', BINARY)) == [("message.body", "value")]


def test_the_targets_own_address_in_a_message_is_no_difference() -> None:
    event = received(b"", type="websocket.receive", text="at 127.0.0.1:1000")
    told = facts(message(TEXT, b"at 127.0.0.1:1000"), calls=[talked(event, *say("at 127.0.0.1:1000"))])
    bodies = {path: value.data for (_, path), value in told.items() if path.endswith("message.body") or path == "message.body"}
    assert set(bodies) == {"message.body", "receive.message.body", "send.message.body"}
    assert set(bodies.values()) == {b"at 127.0.0.1:{port}"}
    assert ("main socket 1 message 1", "message.altered") not in told


def test_messages_of_the_app_stand_apart_and_hide_no_other() -> None:
    def got(*texts: str) -> dict[str, Any]:
        return seen(calls=[talked(*(received(b"", type="websocket.receive", text=text) for text in texts))])

    assert here(got("a", '{"n": 1}'), got("b", '{"n": 2}')) == [("receive.message.body", "value"), ("receive.message.body.$.n", "value")]
    assert here(got("a"), got("a", "b")) == [("receive.message", "added")]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"text": "a", "bytes": None}, [("receive.message.key[bytes]", "absent→NoneType")]),
        ({"bytes": b"a"}, [("receive.message.type", "text→binary")]),
        ({"text": "a", "bytes": b"b"}, [("receive.message.type", "text→both")]),
        ({}, [("receive.message.type", "text→none")]),
        ({"text": Instance("demo.Str", "a")}, [("receive.message.key[text]", "str→demo.Str")]),
        ({"text": "a", "more": 1}, [("receive.event[websocket.receive].more", "added")]),
    ],
)
def test_how_the_app_is_handed_a_message(keys: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    usual, other = (seen(calls=[talked(received(b"", type="websocket.receive", **event))]) for event in ({"text": "a"}, keys))
    assert here(usual, other) == expected


def test_only_none_beside_the_message_is_drift() -> None:
    def got(**keys: Any) -> dict[str, Any]:
        return seen(calls=[talked(received(b"", type="websocket.receive", **keys))])

    assert [d.severity for d in found(got(text="a"), got(text="a", bytes=None))] == ["drift"]
    assert [d.severity for d in found(got(text="a"), got(text=Instance("demo.Str", "a")))] == ["break"]


def test_long_messages_are_told_by_length_and_hash() -> None:
    data = b"x" * 9000
    long = {"length": 9000, "hash": fnv(data), "first": data[:4096].decode(), "last": data[-4096:].decode()}
    told = facts(message(TEXT, data), calls=[talked(*send(b"", type="websocket.send", text=long))])
    assert ("main socket 1 message 1", "message.altered") not in told
    other = facts(message(TEXT, data), calls=[talked(*send(b"", type="websocket.send", text=long | {"length": 9001}))])
    assert other["main socket 1 message 1", "message.altered"] is True
    assert not Message("text", b"a", 1).says(Message("text", b"b", 1))
    assert not Message("text", None, 2, 5).says(Message("text", None, 2, 6))


# --- what the app said -----------------------------------------------------------------------------------------------------------------


def altered(told: Facts) -> set[str]:
    return {path for _, path in told if "altered" in path}


def test_what_the_server_passes_on_is_not_altered() -> None:
    events = say("a", "b", code=4001, reason="why")
    assert altered(facts(message(TEXT, b"a"), message(TEXT, b"b"), message(CLOSE, b"\x0f\xa1why"), calls=[talked(*events)])) == set()
    assert altered(facts(message(CLOSE, b"\x03\xe8"), calls=[talked(*send(b"", type="websocket.close"))])) == set()
    assert altered(facts(calls=[])) == set()


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        ((message(TEXT, b"x"), message(CLOSE, b"\x0f\xa1why")), {"message.altered"}),
        ((message(BINARY, b"a"), message(CLOSE, b"\x0f\xa1why")), {"message.altered"}),
        ((message(CLOSE, b"\x0f\xa1why"),), {"socket.altered[count]"}),
        ((message(TEXT, b"a"), message(TEXT, b"a"), message(CLOSE, b"\x0f\xa1why")), {"socket.altered[count]", "message.altered"}),
        ((message(TEXT, b"a"), message(CLOSE, b"\x0f\xa2why")), {"socket.altered[code]"}),
        ((message(TEXT, b"a"), message(CLOSE, b"\x0f\xa1")), {"socket.altered[reason]"}),
        ((message(TEXT, b"a"), message(CLOSE)), {"socket.altered[code]", "socket.altered[reason]"}),
        ((message(TEXT, b"a"),), {"socket.altered[close]"}),
    ],
)
def test_what_the_server_made_of_it_is_told(came: tuple[Any, ...], expected: set[str]) -> None:
    told = facts(*came, calls=[talked(*say("a", code=4001, reason="why"))])
    assert altered(told) == expected
    for path in expected:
        assert "not what the app sent, under the candidate" in title(Difference("", path, "added", None, True))


def test_what_send_refused_was_not_said() -> None:
    refused = [*say("a"), {"kind": "send raised", "raised": {"type": "TypeError", "message": ""}}]
    refused = [refused[0], refused[2], *say("b")]
    assert altered(facts(message(TEXT, b"b"), calls=[talked(*refused)])) == set()


def test_an_accept_begins_a_101_whose_fields_are_passed_on() -> None:
    def accepting(*fields: tuple[bytes, bytes], **keys: Any) -> dict[str, Any]:
        call = talked()
        call["events"] = [call["events"][0], *send(b"", type="websocket.accept", **keys)]
        return seen(fields=list(fields), calls=[call])

    told = facts_of(accepting((b"sec-websocket-protocol", b"b"), (b"x-a", b"1"), subprotocol="b", headers=[(b"x-a", b"1")]), HERE)
    assert told["main call 1", "send.status"] == 101
    assert told["main call 1", "send.field[sec-websocket-protocol]"] == (b"b",)
    assert altered(told) == set()
    ignored = facts_of(accepting(subprotocol="b", headers=[(b"x-a", b"1")]), HERE)
    assert altered(ignored) == {"response.altered[field[sec-websocket-protocol]]", "response.altered[field[x-a]]"}
    assert ("main call 1", "send.event[websocket.accept].subprotocol") in facts_of(accepting(subprotocol=None), HERE)


def test_a_denial_is_a_response() -> None:
    def denied(body: bytes, sent: bytes = b"denied") -> dict[str, Any]:
        call = talked()
        call["events"] = [
            call["events"][0],
            *send(b"", type="websocket.http.response.start", status=401, headers=[(b"x-why", b"no")]),
            *send(sent, type="websocket.http.response.body", body=sent),
        ]
        return observation([response(401, body, [(b"x-why", b"no"), (b"content-length", str(len(body)).encode())])], [call])

    told = facts_of(denied(b"denied"), HERE)
    assert told["main call 1", "send.status"] == 401
    assert told["main call 1", "send.body"].data == b"denied"
    assert altered(told) == set()
    assert here(denied(b"denied"), denied(b"ied")) == [("response.body", "value")]


# --- causes ----------------------------------------------------------------------------------------------------------------------------


def test_a_refused_handshake_is_one_difference() -> None:
    refused = observation([response(403, b"", [])], [talked()])
    causes = [path for path, _ in here(seen(CLOSED), refused)]
    assert "response.status" in causes
    assert not {"socket", "end", "message", "socket.end", "socket.close"} & set(causes)
    all_of_it = {d.path for d in found(seen(message(TEXT, b"a"), CLOSED), refused)}
    assert "socket" in all_of_it and not any(path.startswith(("socket.", "message")) for path in all_of_it)
    unasked = observation([response(400, b"", [])], [])
    talk = seen(message(TEXT, b"a"), calls=[talked(received(b"", type="websocket.receive", text="a"), *say("a"))])
    assert here(talk, unasked) == [("request", "served→refused")]
    assert not any(" message " in d.place or " receive " in d.place or " send " in d.place for d in found(talk, unasked))


def test_how_a_socket_ended_is_told_once() -> None:
    open_ = seen(CLOSED, calls=[])
    open_["connections"][0]["end"] = "open"
    assert here(seen(CLOSED, calls=[]), open_) == [("socket.end", "closed→open")]
    assert here(seen(CLOSED, calls=[]), seen(calls=[])) == [("socket.close", "yes→no")]
    (difference,) = (d for d in found(seen(CLOSED, calls=[]), open_) if d.because is None)
    assert difference.severity == "break"  # where a connection that stays open after a response is drift


def test_a_server_that_gives_another_message_is_not_excused_by_another_scope() -> None:
    def echoed(text: bytes, sent: str, **scope: Any) -> dict[str, Any]:
        call = talked(*say(sent))
        return seen(message(TEXT, text), calls=[call | {"scope": call["scope"] | scope}])

    assert here(echoed(b"a", "a"), echoed(b"b", "b", scheme="wss")) == [("scope.scheme", "added")]
    assert here(echoed(b"a", "a"), echoed(b"c", "b", scheme="wss")) == [("scope.scheme", "added"), ("message.body", "value")]
    assert here(echoed(b"a", "a"), echoed(b"b", "a", scheme="wss")) == [("scope.scheme", "added"), ("message.body", "value")]


def test_values_inside_a_message_follow_from_those_that_the_app_sent() -> None:
    def priced(price: int, scheme: str) -> dict[str, Any]:
        text = f'{{"price": {price}}}'
        call = talked(*say(text))
        return seen(message(TEXT, text.encode()), calls=[call | {"scope": call["scope"] | {"scheme": scheme}}])

    assert here(priced(1, "ws"), priced(2, "wss")) == [("scope.scheme", "value")]


def test_a_message_that_the_app_did_not_send_follows_from_that() -> None:
    received_ = received(b"", type="websocket.receive", text="a")
    reference = seen(message(TEXT, b"a"), calls=[talked(received_, *say("a"))])
    assert here(reference, seen(calls=[talked()])) == [("receive.message", "missing")]
    assert here(reference, seen(calls=[talked(received_, *say("a"))])) == [("message", "missing")]


def test_what_the_app_answered_follows_from_what_it_received() -> None:
    def echoed(text: str) -> dict[str, Any]:
        return seen(message(TEXT, text.encode()), calls=[talked(received(b"", type="websocket.receive", text=text), *say(text))])

    assert here(echoed("a"), echoed("b")) == [("receive.message.body", "value")]


def test_the_close_of_the_app_is_passed_on() -> None:
    def closing(code: int, wire: bytes, scheme: str) -> dict[str, Any]:
        call = talked(*say(code=code, reason="x"))
        return seen(message(CLOSE, wire), calls=[call | {"scope": call["scope"] | {"scheme": scheme}}])

    reference = closing(4001, b"\x0f\xa1x", "ws")
    assert here(reference, closing(4002, b"\x0f\xa2x", "wss")) == [("scope.scheme", "value")]
    assert here(reference, closing(4002, b"\x0f\xa3x", "wss")) == [("scope.scheme", "value"), ("socket.close.code", "value")]
    assert here(reference, closing(4001, b"\x0f\xa2x", "wss")) == [("scope.scheme", "value"), ("socket.close.code", "value")]
    assert here(reference, closing(4001, b"\x0f\xa1y", "wss")) == [("scope.scheme", "value"), ("socket.altered[reason]", "added")]


def test_how_a_socket_ends_goes_with_how_its_call_ended() -> None:
    raised = {"end": "raised", "raised": {"type": "OSError", "message": ""}}
    refused = [*say("a")[:1], {"kind": "send raised", "raised": {"type": "OSError", "message": ""}}]
    good = seen(message(TEXT, b"a"), CLOSED, calls=[talked(*say("a"))])
    bad = seen(message(CLOSE, b"\x03\xf3"), calls=[talked(*refused, **raised)])
    assert here(good, bad) == [("send.raised", "count")]
    assert here(seen(CLOSED), seen()) == [("socket.close", "yes→no")]


def test_a_step_that_waited_in_vain_goes_with_what_did_not_come() -> None:
    def waited(observed: dict[str, Any], *faults: tuple[int, str]) -> dict[str, Any]:
        return observed | {"steps": list(faults)}

    assert here(waited(seen(CLOSED)), waited(seen(), (7, "closed"))) == [("socket.close", "yes→no")]
    assert here(waited(seen(message(TEXT, b"a"), calls=[])), waited(seen(calls=[]), (7, "timed out"))) == [("message", "missing")]
    assert here(waited(seen(CLOSED)), waited(seen(CLOSED), (7, "timed out"))) == [("script[timed out]", "added")]
    refused = observation([response(403, b"", [])], [talked()])
    assert "script[not a WebSocket]" not in [path for path, _ in here(seen(CLOSED), waited(refused, (7, "not a WebSocket")))]
    one, other = seen(CLOSED), seen()
    for observed in (one, other):
        observed["connections"].append(observed["connections"][0] | {"name": "second", "websocket": None, "responses": []})
    assert ("script[closed]", "added") in here(one, waited(other, (7, "closed")))


def test_a_handshake_that_is_served_as_a_plain_request_is_one_difference() -> None:
    plain = observation([response(fields=[(b"upgrade", b"h2c"), (b"content-type", b"text/plain"), (b"content-length", b"5")])], [call()])
    assert [(path, kind) for path, kind in here(seen(CLOSED), plain) if path != "scope.http_version"] == [("scope.type", "value")]
    assert [(path, kind) for path, kind in here(plain, seen(CLOSED)) if path != "scope.http_version"] == [("scope.type", "value")]


def test_what_an_app_did_not_stay_to_receive_is_not_missing() -> None:
    refused = [*say("a")[:1], {"kind": "send raised", "raised": {"type": "OSError", "message": ""}}]
    gone = received(b"", type="websocket.disconnect", code=1000)
    raised = {"end": "raised", "raised": {"type": "OSError", "message": ""}}
    stayed, left = seen(message(TEXT, b"a"), calls=[talked(*say("a"), gone)]), seen(calls=[talked(*refused, **raised)])
    assert here(stayed, left) == [("send.raised", "count")]
    assert here(left, stayed) == [("send.raised", "count")]
    odd = seen(calls=[talked(*refused, gone, **raised)])
    assert ("receive.types", "count") in here(seen(message(TEXT, b"a"), calls=[talked(*say("a"))]), odd)


def test_a_servers_own_reason_is_drift_and_the_apps_is_not() -> None:
    own = [d.severity for d in found(seen(message(CLOSE, b"\x03\xeaone")), seen(message(CLOSE, b"\x03\xeatwo")))]
    assert own == ["drift"]
    said = [talked(*say(code=1002, reason="one"))]
    kept, lost = seen(message(CLOSE, b"\x03\xeaone"), calls=said), seen(message(CLOSE, b"\x03\xea"), calls=said)
    assert [(d.path, d.severity) for d in found(kept, lost) if d.because is None] == [("socket.altered[reason]", "break")]


def test_a_code_of_another_kind_is_another_value() -> None:
    assert here(seen(CLOSED), seen(message(CLOSE))) == [("socket.close.code", "value")]


def test_a_servers_own_exception_is_known_by_the_built_in_class() -> None:
    def refused(kind: str, base: str, left: bool = True) -> dict[str, Any]:
        raised = {"type": kind, "message": "", "base": base}
        events = [*say("a")[:1], {"kind": "send raised", "raised": raised}]
        return seen(calls=[talked(*events, **({"end": "raised", "raised": raised} if left else {}))])

    one, other = refused("one.Lost", "OSError"), refused("other.Gone", "OSError")
    assert [(d.path, d.severity) for d in found(one, other)] == [("send.raised-type", "drift")]
    assert [(d.path, d.kind) for d in found(one, refused("OSError", "OSError"))] == [("send.raised-type", "missing")]
    assert here(one, refused("RuntimeError", "RuntimeError")) == [("send.raised", "value")]
    assert here(one, refused("asyncio.exceptions.InvalidStateError", "Exception")) == [("send.raised", "value")]
    told = facts_of(one, HERE)
    assert told["main call 1", "send.raised"] == ("OSError",)
    assert told["main call 1", "call.end"] == "raised OSError"
    own = changed(one, ("calls", 0, "raised"), {"type": "app.Own", "message": "", "base": "OSError"})
    assert facts_of(own, HERE)["main call 1", "call.end"] == "raised app.Own"


# --- demands ---------------------------------------------------------------------------------------------------------------------------


def test_a_must_names_facts_of_the_first_message_or_of_any() -> None:
    told = facts(message(TEXT, b"a"), message(BINARY, b"b"), message(CLOSE, b"\x03\xea"))

    def holds(must: str) -> bool:
        return all(way.holds(told) for way in Demand.of({"must": must}).ways)

    assert holds("socket.close.code = 1002; socket.end = closed; socket.fault[masked] missing")
    assert holds('message.body = b"a"; main socket 1 message 2 message.body = b"b"')
    assert not holds("socket.close.code = 1000")
    assert not holds("main socket 1 message 3 message present")
    with pytest.raises(DemandError, match='message.type stands in a message: its place is written as in "main socket 2 message 2"'):
        Demand.of({"must": "main socket 1 message.type = text"})
    with pytest.raises(DemandError, match="no fact has the path socket.closed"):
        Demand.of({"must": "socket.closed = yes"})
