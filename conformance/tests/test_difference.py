"""What is a difference, what is none, and what follows from what."""

import gzip
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from typing import Any

import pytest

from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.difference import Difference, differences
from bridgecheck.conformance.compare.fact import Address, facts_of, facts_of_all
from bridgecheck.conformance.compare.weight import quirk, weight

from .observations import HERE, call, changed, here, observation, received, response, send

THERE = Address("127.0.0.1", 2000)


def compare(reference: dict[str, Any], candidate: dict[str, Any], rule: str = "") -> list[Difference]:
    return differences(facts_of(reference, HERE), facts_of(candidate, THERE), Demand((rule,) if rule else ()))


def causes(reference: dict[str, Any], candidate: dict[str, Any], rule: str = "") -> list[tuple[str, str]]:
    return [(d.path, d.kind) for d in compare(reference, candidate, rule) if d.because is None]


def test_the_same_observation_on_another_port_is_the_same() -> None:
    assert compare(observation(), observation(calls=[call(port=2000)])) == []


@pytest.mark.parametrize(
    ("path", "new", "expected"),
    [
        (("connections", 0, "responses", 0, "status"), 404, ("response.status", "value")),
        (("connections", 0, "responses", 0, "reason"), b"Fine", ("response.reason", "value")),
        (("connections", 0, "responses", 0, "version"), "1.0", ("response.version", "value")),
        (("connections", 0, "responses", 0, "complete"), False, ("response.complete", "yes→no")),
        (("connections", 0, "responses", 0, "framing"), "chunked", ("response.framing", "content-length→chunked")),
        (("connections", 0, "responses", 0, "interim"), [{"status": 100, "reason": b"", "fields": []}], ("response.interim", "count")),
        (("connections", 0, "responses", 0, "trailers"), [(b"X-T", b"1")], ("response.trailer[x-t]", "added")),
        (("connections", 0, "responses", 0, "body"), {"length": 5, "hash": 1, "bytes": b"hullo"}, ("response.body", "value")),
        (("connections", 0, "end"), "closed", ("end", "open→closed")),
        (("connections", 0, "error"), "HPE_INVALID_CONSTANT", ("garbage", "added")),
        (("connections", 0, "opened"), False, ("connection", "yes→no")),
        (("steps",), [(7, "timed out")], ("script[timed out]", "added")),
        (("calls", 0, "scope", "client"), ("127.0.0.1", "20000"), ("scope.client[1]", "int→str")),
        (("calls", 0, "scope", "server"), ("127.0.0.1", "2000"), ("scope.server[1]", "int→str")),
        (("calls", 0, "scope", "client"), ["127.0.0.1", 20000], ("scope.client", "tuple→list")),
        (("calls", 0, "scope", "http_version"), "1", ("scope.http_version", "value")),
        (("calls", 0, "scope", "headers"), [], ("scope.headers[host]", "missing")),
        (("calls", 0, "scope", "headers"), ((b"host", b"probe.test"),), ("scope.headers", "list→tuple")),
        (
            ("calls", 0, "scope", "headers"),
            [[b"host", b"probe.test"]],
            ("scope.headers-shape", "tuple of bytes, bytes→list of bytes, bytes"),
        ),
        (("calls", 0, "scope", "asgi", "spec_version"), "2.4", ("scope.asgi.spec_version", "value")),
        (("calls", 0, "scope", "path"), ..., ("scope.path", "missing")),
        (("calls", 0, "end"), "still running", ("call.end", "returned→still running")),
        (("calls", 0, "properties", "receive"), "other", ("face.receive", "coroutine function→other")),
        (("calls", 0, "events", 0, "event", "more_body"), True, ("receive.body-end", "yes→no")),
        (("calls", 0, "events", 2), {"kind": "send raised", "raised": {"type": "OSError", "message": ""}}, ("send.raised", "count")),
    ],
)
def test_one_change_is_one_difference(path: tuple[Any, ...], new: Any, expected: tuple[str, str]) -> None:
    candidate = changed(observation(calls=[call(port=2000)]), path, new)
    found = causes(observation(), candidate)
    assert expected in found
    assert {p for p, _ in found} <= {expected[0], "answer-before-body-end"}


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("calls", 0, "scope", "client"), ("127.0.0.1", "20000")),
        (("calls", 0, "scope", "server"), ("127.0.0.1", "2000")),
        (("calls", 0, "scope", "server"), ("127.0.0.1", 2001)),
        (("calls", 0, "scope", "http_version"), "1"),
        (("calls", 0, "result"), 0),
        (("calls", 0, "events", 0, "event", "more_body"), 0),
        (("connections", 0, "responses", 0, "complete"), 1),
        (("steps",), [(7, "timed out")]),
    ],
)
def test_the_short_way_to_facts_sees_what_the_long_way_sees(path: tuple[Any, ...], new: Any) -> None:
    same, other = observation(calls=[call(port=2000)]), changed(observation(calls=[call(port=2000)]), path, new)
    short = facts_of_all([observation(), same, other], [HERE, THERE, THERE])
    assert short[0] is short[1]
    assert short[2] is not short[0]
    assert short == (facts_of(observation(), HERE), facts_of(same, THERE), facts_of(other, THERE))


def test_numbers_and_booleans_that_are_equal_are_not_the_same() -> None:
    reference = changed(observation(), ("calls", 0, "scope", "state"), {"on": True})
    candidate = changed(observation(calls=[call(port=2000)]), ("calls", 0, "scope", "state"), {"on": 1})
    assert causes(reference, candidate) == [("scope.state.on", "bool→int")]


def test_an_empty_container_is_not_a_missing_one() -> None:
    candidate = changed(observation(calls=[call(port=2000)]), ("calls", 0, "scope", "state"), {})
    assert causes(observation(), candidate) == [("scope.state", "added")]


def test_field_order_and_case_are_drift_and_order_within_a_name_is_not() -> None:
    def wire(*fields: tuple[bytes, bytes]) -> dict[str, Any]:
        return observation([response(fields=list(fields))], [])

    reference = wire((b"a", b"1"), (b"set-cookie", b"x"), (b"set-cookie", b"y"))
    assert causes(reference, wire((b"set-cookie", b"x"), (b"set-cookie", b"y"), (b"a", b"1"))) == [("response.field-order", "value")]
    assert causes(reference, wire((b"A", b"1"), (b"Set-Cookie", b"x"), (b"Set-Cookie", b"y"))) == [("response.field-case", "value")]
    assert causes(reference, wire((b"set-cookie", b"x"), (b"set-cookie", b"y"))) == [("response.field[a]", "missing")]
    assert causes(reference, wire((b"a", b"1"), (b"set-cookie", b"y"), (b"set-cookie", b"x"))) == [("response.field[set-cookie]", "value")]
    assert weight("response.field[set-cookie]", "value").severity == "break"


def test_json_is_compared_value_by_value_with_general_indexes() -> None:
    def body(value: Any, text: str | None = None) -> dict[str, Any]:
        data = (text or json.dumps(value)).encode()
        return observation([response(body=data, fields=[(b"content-type", b"application/json; charset=utf-8")])], [])

    found = compare(body({"items": [{"price": 1}, {"price": 2}]}), body({"items": [{"price": 1}, {"price": 2.0}]}))
    assert [(d.path, d.place, d.kind) for d in found] == [
        ("response.body.$.items[*].price", "main response 1 at $.items[1].price", "int→float")
    ]
    assert causes(body({"a": 1}), body({"a": 1}, '{ "a": 1}')) == [("response.body", "layout")]


def test_a_compressed_body_is_compared_by_what_it_holds() -> None:
    def zipped(data: bytes, second: int) -> dict[str, Any]:
        return observation([response(body=gzip.compress(data, mtime=second), fields=[(b"content-encoding", b"gzip")])], [])

    assert compare(zipped(b"x" * 999, 1), zipped(b"x" * 999, 2)) == []
    assert causes(zipped(b"x" * 999, 1), zipped(b"y" * 999, 1)) == [("response.body", "value")]


def test_a_body_too_long_to_carry_is_compared_by_length_and_hash() -> None:
    long = {"length": 2 << 20, "hash": 7, "bytes": b"x" * (1 << 20)}
    reference = observation([response(body=b"") | {"body": long}], [])
    assert compare(reference, observation([response(body=b"") | {"body": dict(long)}], [])) == []
    assert causes(reference, observation([response(body=b"") | {"body": long | {"hash": 8}}], [])) == [("response.body", "value")]


def test_pieces_of_a_stream_do_not_matter_but_its_bytes_do() -> None:
    def received(*pieces: bytes) -> dict[str, Any]:
        events, total = [], b""
        for index, piece in enumerate(pieces):
            total += piece
            event = {"type": "http.request", "body": piece, "more_body": index < len(pieces) - 1}
            events.append({"kind": "received", "event": event, "total": len(total), "hash": 0})
        return observation([], [call(events=events)])

    found = causes(received(b"hello"), changed(received(b"he", b"llo"), ("calls", 0, "scope", "server"), ("127.0.0.1", 2000)))
    assert found == [("receive.pieces", "one→several")]
    found = causes(received(b"hello"), changed(received(b"he", b"lp!"), ("calls", 0, "scope", "server"), ("127.0.0.1", 2000)))
    assert ("receive.body", "value") in found


def test_a_disconnect_before_the_last_event_is_another_fact_than_one_after_it() -> None:
    disconnect = {"kind": "received", "event": {"type": "http.disconnect"}, "total": 0, "hash": 0}
    events = call()["events"]
    early = observation(calls=[call(port=2000, events=[*events[:2], disconnect, *events[2:]])])
    late = observation(calls=[call(port=2000, events=[*events, disconnect])])
    assert causes(observation(), early) == [("receive.disconnect", "no→yes")]
    assert causes(observation(), late) == [("receive.disconnect-late", "no→yes")]


def test_what_the_app_was_handed_explains_what_it_answered() -> None:
    reference = observation([response(body=b"1.1")], [call(body=b"1.1")])
    handed = observation([response(body=b"1")], [changed(call(port=2000, body=b"1"), ("scope", "http_version"), "1")])
    found = compare(reference, handed)
    assert [d.path for d in found if d.because is None] == ["scope.http_version"]
    assert {d.path for d in found if d.because} >= {"response.body", "send.body"}


def test_a_light_difference_never_hides_a_heavy_one() -> None:
    reference = observation([response(body=b"1.1")], [call(body=b"1.1")])
    handed = observation([response(body=b"1")], [changed(call(port=2000, body=b"1"), ("scope", "asgi", "spec_version"), "2.4")])
    assert ("send.body", "value") in causes(reference, handed)


def test_the_server_changing_what_the_app_sent_is_a_cause() -> None:
    found = causes(observation(), observation([response(body=b"hullo")], [call(port=2000)]))
    assert found == [("response.body", "value")]


def test_a_refusal_is_one_difference_named_with_its_rule() -> None:
    refused = observation([response(400, b"Bad")], [], end="closed")
    assert causes(observation(), refused, "FR-HOST-01") == [("request[FR-HOST-01]", "served→refused")]
    assert causes(refused, observation(), "FR-HOST-02") == [("request[FR-HOST-02]", "refused→served")]
    first, second = (compare(observation(), refused, rule)[0].signature for rule in ("FR-HOST-01", "FR-HOST-02"))
    assert first != second


def test_a_refused_second_request_does_not_excuse_the_first() -> None:
    reference = observation([response(), response()], [call(), call()])
    candidate = observation([response(201), response(400)], [call(port=2000)])
    assert causes(reference, candidate) == [("request", "served→refused"), ("response.status", "value")]


def test_no_answer_where_the_reference_gives_one() -> None:
    silent = observation([], [call(port=2000)], end="silent")
    assert set(causes(observation(), silent)) == {("response", "missing"), ("end", "open→silent")}
    assert weight("end", "open→silent").severity == "break"
    assert weight("end", "closed→open").severity == "drift"


def test_signatures_hold_no_value_and_no_route() -> None:
    one = compare(observation(), changed(observation(calls=[call(port=2000)]), ("calls", 0, "scope", "client"), ("127.0.0.1", "1")))[0]
    other = compare(observation(), changed(observation(calls=[call(port=2000)]), ("calls", 0, "scope", "client"), ("::1x", "2")))[-1]
    assert one.path == other.path == "scope.client[1]"
    assert one.signature == other.signature
    assert re.fullmatch("[0-9a-f]{12}", one.signature)


def test_a_quirk_excuses_a_value_and_never_a_missing_field() -> None:
    assert quirk("response.field[date]", "value")
    assert quirk("response.field[date]", "missing") is None
    assert quirk("response.field[dates]", "value") is None
    assert quirk("scope.headers[probe-date-first]", "value")
    assert quirk("scope.headers[date]", "value") is None
    assert quirk("response.status", "value") is None


def test_no_server_is_named_in_what_decides() -> None:
    names = ("uvicorn", "granian", "hypercorn", "daphne", "gunicorn")
    room = files("bridgecheck.conformance")
    beside = ("gate.py", "suite.py", "reproduction.py")
    rooms = (room / "compare", room / "minimise")
    files_that_decide = [*(file for room in rooms for file in room.iterdir()), *(room / name for name in beside)]
    sources = {file.name: file.read_text("utf-8").lower() for file in files_that_decide if file.name.endswith((".py", ".toml"))}
    assert {"observation.toml", "difference.py", "gate.py", "search.py"} <= sources.keys()
    assert not [(file, name) for file, source in sources.items() for name in names if name in source]


def test_every_weighed_path_is_explained() -> None:
    page = files("bridgecheck.conformance.compare").joinpath("observation.toml").read_text("utf-8")
    assert page.rstrip().count('path = "*"') == 1


def test_chunks_are_counted_and_reads_are_not() -> None:
    def framed(framing: str, pieces: int) -> dict[str, Any]:
        return observation([response(framing=framing, pieces=pieces)], [])

    assert causes(framed("chunked", 1), framed("chunked", 3)) == [("response.pieces", "one→several")]
    assert causes(framed("close", 1), framed("close", 3)) == []


def test_an_empty_content_that_nobody_fetched_is_drift_and_a_lost_content_is_not() -> None:
    def received(body: bytes) -> dict[str, Any]:
        return changed(
            observation(),
            ("calls", 0, "events", 0),
            {**call()["events"][0], "event": {"type": "http.request", "body": body}, "total": len(body)},
        )

    unread = changed(observation(calls=[call(port=2000)]), ("calls", 0, "events", 0), ...)
    assert causes(received(b""), unread) == [("answer-before-body-end", "no→yes"), ("receive.body", "empty→unread")]
    assert weight("receive.body", "empty→unread").severity == "drift"
    assert ("receive.body", "missing") in causes(received(b"hello"), unread)
    assert weight("receive.body", "missing").severity == "break"


def test_a_length_that_fits_its_content_is_told_by_the_content() -> None:
    def sized(body: bytes, length: bytes) -> dict[str, Any]:
        return observation([response(body=body, fields=[(b"content-length", length)])], [])

    assert here(sized(b"a", b"1"), sized(b"bb", b"2")) == [("response.body", "value")]
    assert here(sized(b"a", b"1"), sized(b"bb", b"02")) == [("response.body", "value"), ("response.field[content-length]", "value")]


def test_no_work_grows_with_the_square_of_what_differs() -> None:
    def listed(first: int) -> dict[str, Any]:
        body = json.dumps(list(range(first, first + 20000))).encode()
        kind = [(b"content-type", b"application/json")]
        headers = [(b"x-%d" % number, b"%d" % first) for number in range(2000)]
        scope = call(port=2000)["scope"] | {"headers": headers, "state": {f"k{number}": first for number in range(2000)}}
        return observation([response(body=body, fields=kind)], [call(scope=scope, headers=kind + headers)])

    found = compare(listed(0), listed(1))
    assert len(found) > 20000
    assert len({d.signature for d in found}) < 7000


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_the_order_of_differences_does_not_hang_on_hashes(seed: str) -> None:
    code = (
        "from bridgecheck.conformance.tests.test_difference import *\n"
        "from bridgecheck.conformance.tests.observations import rich\n"
        "found = compare(rich(), observation(calls=[call(port=2000)], responses=[response(fields=[(b'A', b'1'), (b'a', b'2')])]))\n"
        "print([(d.place, d.path, d.kind, d.signature, d.because and d.because.key) for d in found])\n"
    )
    outputs = {
        subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": value}, capture_output=True, check=True).stdout
        for value in (seed, "77")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("path", "side"),
    [
        ("connection", "wire"),
        ("response.field[a-b.c]", "wire"),
        ("request[FR-HOST-01]", "wire"),
        ("scope", "scope"),
        ("scope.headers-order", "scope"),
        ("receive.body-end", "events"),
        ("send.event[a.b].c", "events"),
        ("call", "events"),
        ("answer-before-body-end", "events"),
        ("face.main-thread", "events"),
        ("lifespan.scope.state", "process"),
        ("died", "process"),
    ],
)
def test_each_path_has_its_side(path: str, side: str) -> None:
    assert Difference("main", path, "value", 1, 2).side == side


def test_a_content_that_was_never_fetched_is_drift_only_where_it_is_empty() -> None:
    def asked(*events: dict[str, Any]) -> dict[str, Any]:
        return observation([], [call(events=list(events))])

    empty, full = received(b"", type="http.request", body=b""), received(b"x", type="http.request", body=b"x")
    assert here(asked(), asked(empty)) == [("receive.body", "unread→empty")]
    assert here(asked(empty), asked()) == [("receive.body", "empty→unread")]
    assert here(asked(), asked(full)) == [("receive.body", "added")]
    assert here(asked(full), asked()) == [("receive.body", "missing")]


def test_header_values_are_compared_by_type_and_number() -> None:
    def handed(*headers: Any) -> dict[str, Any]:
        return observation(calls=[call(scope=call()["scope"] | {"headers": list(headers)})])

    reference = handed((b"a", b"1"), (b"b", b"2"))
    assert ("scope.headers[a]", "bytes→str") in here(reference, handed((b"a", "1"), (b"b", b"2")))
    assert here(reference, handed((b"a", b"1"), (b"b", b"2"), (b"b", b"2"))) == [("scope.headers[b]", "count")]
    assert here(reference, handed((b"b", b"2"), (b"a", b"1"))) == [("scope.headers-order", "value")]
    assert here(reference, handed((b"A", b"1"), (b"b", b"2"))) == [("scope.headers[A]", "added"), ("scope.headers[a]", "missing")]


def test_names_that_only_one_side_has_do_not_disturb_order_and_case() -> None:
    def wire(*names: bytes) -> dict[str, Any]:
        return observation([response(fields=[(name, b"1") for name in names])], [])

    assert here(wire(b"a", b"B", b"c"), wire(b"B", b"x", b"c")) == [("response.field[a]", "missing"), ("response.field[x]", "added")]
    assert here(wire(b"a", b"b", b"a"), wire(b"a", b"a", b"b")) == [("response.field-order", "value")]
    assert here(wire(b"a", b"A"), wire(b"A", b"a")) == [("response.field-case", "value")]
    assert here(wire(b"a", b"A"), wire(b"A")) == [("response.field[a]", "count")]


def test_a_date_that_the_app_makes_up_is_a_value_like_others() -> None:
    def dated(value: bytes) -> dict[str, Any]:
        return observation([], [call(headers=[(b"date", value)])])

    assert here(dated(b"x"), dated(b"y")) == [("send.field[date]", "value")]


def test_how_often_a_key_stands_in_pieces_of_content_is_not_compared_and_elsewhere_it_is() -> None:
    def got(*events: dict[str, Any]) -> dict[str, Any]:
        return observation([], [call(events=list(events))])

    one = received(b"ab", type="http.request", body=b"ab", tag=[1])
    two = [
        received(b"a", type="http.request", body=b"a", more_body=True, tag=[1]),
        received(b"ab", type="http.request", body=b"b", more_body=False, tag=[1]),
    ]
    assert {path for path, _ in here(got(one), got(*two))} == {"receive.pieces", "receive.key[more_body]", "receive.key-absent[more_body]"}
    message = received(b"", type="websocket.receive", text="a")
    assert here(got(message), got(message, message)) == [("receive.message", "added")]
    long = {"length": 9000, "hash": 1, "first": "a", "last": "b"}
    other = received(b"", type="websocket.receive", text=long | {"hash": 2})
    assert here(got(received(b"", type="websocket.receive", text=long)), got(other)) == [("receive.message.body", "value")]


def test_a_disconnect_is_early_until_the_response_is_whole() -> None:
    gone = received(b"", type="http.disconnect")
    start = send(b"", type="http.response.start", status=200, headers=[])
    piece, last = (send(b"a" * n, type="http.response.body", body=b"a", more_body=n == 1) for n in (1, 2))

    def facts(*events: dict[str, Any]) -> tuple[bool, bool]:
        made = facts_of(observation([], [call(events=list(events))]), HERE)
        return made["main call 1", "receive.disconnect"], made["main call 1", "receive.disconnect-late"]

    assert facts(*start, *piece) == (False, False)
    assert facts(gone, *start, *piece, *last) == (True, False)
    assert facts(*start, *piece, gone) == (True, False)
    assert facts(*start, *piece, *last, gone) == (False, True)
    assert facts(*start, gone, *piece, *last, gone) == (True, False)
    unlike = received(b"", type="http.response.body", more_body=False)
    assert facts(*start, unlike, gone) == (True, False)
