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

from bridgecheck.conformance.difference import Difference, differences
from bridgecheck.conformance.fact import Address, facts_of, facts_of_all
from bridgecheck.conformance.weight import quirk, weight

from .observations import call, changed, observation, response, send

HERE, THERE = Address("127.0.0.1", 1000), Address("127.0.0.1", 2000)


def compare(reference: dict[str, Any], candidate: dict[str, Any], rule: str = "") -> list[Difference]:
    return differences(facts_of(reference, HERE), facts_of(candidate, THERE), rule)


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
    assert quirk("response.status", "value") is None


def test_no_server_is_named_in_what_decides() -> None:
    names = ("uvicorn", "granian", "hypercorn", "daphne", "gunicorn")
    table = files("bridgecheck.conformance").joinpath("observation.toml").read_text("utf-8").lower()
    assert not [name for name in names if name in table]
    for module in ("fact", "difference", "weight", "judge", "bucket", "content", "gate"):
        source = files("bridgecheck.conformance").joinpath(f"{module}.py").read_text("utf-8").lower()
        assert not [name for name in names if name in source], module


def test_every_weighed_path_is_explained() -> None:
    page = files("bridgecheck.conformance").joinpath("observation.toml").read_text("utf-8")
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


def here(reference: dict[str, Any], candidate: dict[str, Any]) -> list[tuple[str, str]]:
    """Causes, both sides on one port."""
    return [(d.path, d.kind) for d in differences(facts_of(reference, HERE), facts_of(candidate, HERE)) if d.because is None]


def stated(path: str, new: Any, **changes: Any) -> dict[str, Any]:
    """A call whose scope differs in one key."""
    return changed(call(**changes), ("scope", path), new)


def test_a_server_that_corrupts_a_body_stands_beside_another_scope() -> None:
    """The app sent the same on both sides, so what it was handed explains nothing."""
    port = ("127.0.0.1", "20000")
    found = here(observation(), observation([response(body=b"hullo")], [stated("client", port)]))
    assert found == [("scope.client[1]", "int→str"), ("response.body", "value")]


def test_a_server_that_corrupts_a_body_stands_though_the_app_sent_another() -> None:
    reference = observation([response(body=b"1.1")], [call(body=b"1.1")])
    passed = observation([response(body=b"1")], [stated("http_version", "1", body=b"1")])
    corrupt = observation([response(body=b"?")], [stated("http_version", "1", body=b"1")])
    assert here(reference, passed) == [("scope.http_version", "value")]
    assert here(reference, corrupt) == [("scope.http_version", "value"), ("response.body", "value")]
    assert here(corrupt, reference) == [("scope.http_version", "value"), ("response.body", "value")]


def test_a_server_that_hides_what_its_app_sent_otherwise_is_seen() -> None:
    """On the wire both are the same, since this server answers from elsewhere."""
    reference = observation([response(body=b"1.1")], [call(body=b"1.1")])
    cached = observation([response(body=b"1.1")], [stated("http_version", "1", body=b"1")])
    assert here(reference, cached) == [("scope.http_version", "value"), ("response.altered[body]", "added")]


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        ((b"x-a", b"2"), []),
        ((b"x-a", b"3"), [("response.field[x-a]", "value")]),
        ((b"x-a", b"1"), [("response.altered[field[x-a]]", "added")]),
    ],
)
def test_a_field_is_passed_on_only_as_the_app_sent_it(came: tuple[bytes, bytes], expected: list[tuple[str, str]]) -> None:
    reference = observation([response(fields=[(b"x-a", b"1")])], [call(headers=[(b"x-a", b"1")])])
    candidate = observation([response(fields=[came])], [stated("scheme", "https", headers=[(b"x-a", b"2")])])
    assert here(reference, candidate) == [("scope.scheme", "added"), *expected]


def test_a_status_that_the_server_made_up_is_not_passed_on() -> None:
    def answered(status: int, sent: int, **scope: Any) -> dict[str, Any]:
        changed_call = changed(call(), ("events", 1, "event", "status"), sent)
        return observation([response(status)], [changed(changed_call, ("scope", "scheme"), scope.get("scheme", "http"))])

    assert here(answered(200, 200), answered(404, 404, scheme="https")) == [("scope.scheme", "value")]
    assert here(answered(200, 200), answered(500, 404, scheme="https")) == [("scope.scheme", "value"), ("response.status", "value")]


def streamed(*, whole: bool, complete: bool, **scope: Any) -> dict[str, Any]:
    """A response in two pieces of which the app sent both or, raising, the first; `complete`: how it came over the wire."""
    pieces = [
        *send(b"", type="http.response.start", status=200, headers=[]),
        *send(b"he", type="http.response.body", body=b"he", more_body=True),
    ]
    pieces += send(b"hello", type="http.response.body", body=b"llo") if whole else []
    end = {} if whole else {"end": "raised", "raised": {"type": "KeyError", "message": "x"}}
    handed = call()["scope"] | scope
    body = b"hello" if whole else b"he"
    return observation(
        [response(200, body, [(b"transfer-encoding", b"chunked")], framing="chunked", complete=complete)],
        [call(events=pieces, scope=handed, **end)],
    )


def test_a_response_cut_by_the_server_is_no_consequence_of_an_app_that_raised() -> None:
    reference = streamed(whole=True, complete=True)
    assert here(reference, streamed(whole=False, complete=False, scheme="https")) == [("scope.scheme", "added")]
    assert here(reference, streamed(whole=True, complete=False, scheme="https")) == [
        ("scope.scheme", "added"),
        ("response.complete", "yes→no"),
    ]
    masked = streamed(whole=False, complete=True, scheme="https")
    assert here(streamed(whole=False, complete=False), masked) == [("scope.scheme", "added"), ("response.complete", "no→yes")]


def test_the_servers_own_answer_goes_with_an_app_that_began_none() -> None:
    failed = call(events=[], end="raised", raised={"type": "KeyError", "message": "x"}, scope=call()["scope"] | {"scheme": "https"})
    found = here(observation(), observation([response(500, b"Internal Server Error")], [failed]))
    assert found == [("receive.body", "empty→unread"), ("scope.scheme", "added")]
    cut = observation([response(500, b"Int", complete=False)], [failed])
    assert ("response.complete", "yes→no") in here(observation(), cut)
    assert ("response", "missing") in here(observation(), observation([], [failed]))


@pytest.mark.parametrize(
    ("end", "stands"),
    [
        ({"end": "raised", "raised": {"type": "KeyError", "message": "x"}}, False),
        ({"end": "raised", "raised": {"type": "asyncio.exceptions.CancelledError", "message": ""}}, True),
        ({"end": "still running"}, True),
    ],
)
def test_a_call_that_waits_or_is_cancelled_does_not_follow_from_its_scope(end: dict[str, Any], stands: bool) -> None:
    found = here(observation(), observation(calls=[stated("scheme", "https", **end)]))
    assert any(path == "call.end" for path, _ in found) == stands


def test_a_send_that_does_not_come_back_is_why_the_call_still_runs() -> None:
    hung = call(end="still running")
    del hung["events"][-1]
    assert here(observation(), observation(calls=[hung])) == [("send.pending", "value")]


def test_framing_is_told_once_and_contradicting_framing_stands() -> None:
    def framed(framing: str, *fields: tuple[bytes, bytes]) -> dict[str, Any]:
        return observation([response(framing=framing, fields=list(fields))], [])

    length, chunked = (b"content-length", b"5"), (b"transfer-encoding", b"chunked")
    assert here(framed("content-length", length), framed("chunked", chunked)) == [("response.framing", "content-length→chunked")]
    assert here(framed("content-length", length), framed("close")) == [("response.framing", "content-length→close")]
    both = here(framed("content-length", length), framed("chunked", length, chunked))
    assert ("response.field[transfer-encoding]", "added") in both
    assert here(framed("none", length), framed("none")) == [("response.field[content-length]", "missing")]


def test_a_length_that_fits_its_content_is_told_by_the_content() -> None:
    def sized(body: bytes, length: bytes) -> dict[str, Any]:
        return observation([response(body=body, fields=[(b"content-length", length)])], [])

    assert here(sized(b"a", b"1"), sized(b"bb", b"2")) == [("response.body", "value")]
    assert here(sized(b"a", b"1"), sized(b"bb", b"02")) == [("response.body", "value"), ("response.field[content-length]", "value")]


def test_a_refusal_covers_its_own_connection_and_no_garbage_and_no_silence() -> None:
    def two(calls: int, **other: Any) -> dict[str, Any]:
        whole = observation(calls=[call()] * calls)
        whole["connections"].append(whole["connections"][0] | {"name": "other", "responses": [response()]} | other)
        whole["calls"].append(call(connection="other"))
        return whole

    assert here(two(1), two(0)) == [("request", "served→refused")]
    assert here(two(1), two(0, end="closed")) == [("request", "served→refused"), ("end", "open→closed")]
    assert here(two(1), two(0, responses=[])) == [("request", "served→refused"), ("response", "missing")]
    late = two(0) | {"steps": [(3, "timed out")]}
    assert here(two(1), late) == [("request", "served→refused"), ("script[timed out]", "added")]
    silent, garbage = observation([], [], end="silent"), observation([], [], error="HPE_INVALID_CONSTANT", rest=b"?")
    assert here(observation(), silent) == [("request", "served→refused"), ("end", "open→silent")]
    assert here(observation(), garbage) == [("request", "served→refused"), ("garbage", "added")]


def test_what_lies_before_a_refused_request_has_its_own_here() -> None:
    reference = observation([response(body=b"1.1"), response()], [call(body=b"1.1"), call()])
    refused = observation([response(body=b"1"), response(400)], [stated("http_version", "1", body=b"1")])
    assert here(reference, refused) == [("request", "served→refused"), ("scope.http_version", "value")]


def test_a_call_too_many_is_seen_whether_or_not_it_is_answered() -> None:
    smuggled = observation(calls=[call(), call()])
    assert here(observation(), smuggled) == [("request", "refused→served")]


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


def test_a_response_that_is_not_the_apps_is_told_by_its_status_alone() -> None:
    """The response of the first request never came, that of the second stands in its place."""
    reference = observation([response(body=b"hello")], [call(headers=[(b"content-length", b"5")])])
    candidate = observation([response(400, b"Bad", fields=[(b"content-length", b"3")])], [call(headers=[(b"content-length", b"5")])])
    reference["connections"][0]["responses"][0]["fields"] = [(b"content-length", b"5")]
    assert here(reference, candidate) == [("response.body", "value"), ("response.status", "value")]
    other = changed(candidate, ("calls", 0, "scope", "http_version"), "1")
    assert ("response.body", "value") in here(reference, other)


def test_content_that_the_server_reads_itself_cannot_be_held_against_what_the_app_sent() -> None:
    def from_file(body: bytes, scheme: str) -> dict[str, Any]:
        events = [*send(b"", type="http.response.start", status=200, headers=[]), *send(b"", type="http.response.pathsend", path="/a")]
        return observation([response(body=body)], [call(events=events, scope=call()["scope"] | {"scheme": scheme})])

    sent = observation([response(body=b"hello")], [call(headers=[], scope=call()["scope"] | {"scheme": "http"})])
    assert here(sent, from_file(b"hello", "https")) == [("receive.body", "empty→unread"), ("scope.scheme", "value")]
    assert ("response.body", "value") in here(sent, from_file(b"hullo", "https"))
    assert here(from_file(b"hello", "http"), from_file(b"hullo", "https")) == [("scope.scheme", "value"), ("response.body", "value")]


def test_neither_an_address_nor_an_unfetched_end_hides_what_the_app_did_otherwise() -> None:
    unread = changed(observation([response(body=b"hullo")], [call(port=2000, body=b"hullo")]), ("calls", 0, "events", 0), ...)
    unread = changed(unread, ("calls", 0, "scope", "client"), ("127.0.0.1", "20000"))
    found = compare(observation(), unread)
    standing = {(d.path, d.severity) for d in found if d.because is None}
    assert standing >= {("send.body", "break"), ("scope.client[1]", "break"), ("receive.body", "drift")}
    assert [d.path for d in found if d.path == "receive.body-end" and d.because is None] == []
