"""Which difference follows from which, and which never does: a cause of its own is not hidden under another."""

from typing import Any

import pytest

from bridgecheck.conformance._player import Instance
from bridgecheck.conformance.compare.difference import differences
from bridgecheck.conformance.compare.fact import Address, facts_of

from .observations import HERE, call, changed, here, observation, received, response, send


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


def test_what_lies_before_a_refused_request_has_causes_of_its_own() -> None:
    reference = observation([response(body=b"1.1"), response()], [call(body=b"1.1"), call()])
    refused = observation([response(body=b"1"), response(400)], [stated("http_version", "1", body=b"1")])
    assert here(reference, refused) == [("request", "served→refused"), ("scope.http_version", "value")]


def test_a_call_too_many_is_seen_whether_or_not_it_is_answered() -> None:
    smuggled = observation(calls=[call(), call()])
    assert here(observation(), smuggled) == [("request", "refused→served")]


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
    found = differences(facts_of(observation(), HERE), facts_of(unread, Address("127.0.0.1", 2000)))
    standing = {(d.path, d.severity) for d in found if d.because is None}
    assert standing >= {("send.body", "break"), ("scope.client[1]", "break"), ("receive.body", "drift")}
    assert [d.path for d in found if d.path == "receive.body-end" and d.because is None] == []


def test_each_connection_has_its_own_refusal_in_the_order_of_names() -> None:
    def three(*served: str) -> dict[str, Any]:
        whole = observation([], [call(connection=name) for name in served])
        whole["connections"] = [whole["connections"][0] | {"name": name} for name in ("b", "c", "a")]
        return whole

    found = differences(facts_of(three("a", "b", "c"), HERE), facts_of(three("c", "c"), HERE))
    assert [(d.place, d.kind) for d in found if d.because is None] == [
        ("a", "served→refused"),
        ("b", "served→refused"),
        ("c", "refused→served"),
    ]
    timed = three() | {"steps": [(3, "timed out")]}
    assert ("script[timed out]", "added") in here(three("a"), timed)
    assert here(observation(), observation([], []) | {"steps": [(3, "timed out")]}) == [("request", "served→refused")]


def altered(came: dict[str, Any], *events: dict[str, Any]) -> list[str]:
    """What did not come over the wire as the app sent it."""
    facts = facts_of(observation([came], [call(events=list(events))]), HERE)
    return [path.removeprefix("response.altered")[1:-1] for _, path in facts if path.startswith("response.altered")]


def test_what_is_passed_on_is_not_altered() -> None:
    def start(status: Any = 200, *headers: tuple[bytes, bytes]) -> list[dict[str, Any]]:
        return send(b"", type="http.response.start", status=status, headers=list(headers))

    body = send(b"hello", type="http.response.body", body=b"hello")
    assert altered(response(), *start(Instance("http.HTTPStatus", 200)), *body) == []
    assert altered(response(fields=[(b"X-A", b"1  "), (b"server", b"x")]), *start(200, (b"x-a", b"  1")), *body) == []
    assert altered(response(body=b"", framing="none"), *start(), *body) == []
    assert altered(response(body=b""), *start()) == []
    assert altered(response(body=b"he", complete=False), *start(), *body) == []
    assert altered(response(), *body) == []  # the server's own answer to an app that began none


def test_what_is_not_passed_on_is_altered() -> None:
    begun = send(b"", type="http.response.start", status=200, headers=[(b"x-a", b"1"), (b"x-a", b"2")])
    body = send(b"hello", type="http.response.body", body=b"hello")
    fields = [(b"x-a", b"1"), (b"x-a", b"2")]
    assert altered(response(fields=fields), *begun, *body) == []
    assert altered(response(fields=fields[::-1]), *begun, *body) == ["field[x-a]"]
    assert altered(response(fields=fields[:1], body=b"hullo"), *begun, *body) == ["field[x-a]", "body"]
    assert altered(response(fields=fields, body=b"hello"), *begun) == ["body"]
    assert altered(response(fields=fields, body=b"hu", complete=False), *begun, *body) == ["body"]
    assert altered(response(404, fields=[], body=b"hullo"), *begun, *body) == ["status"]


def test_a_json_value_is_carried_by_the_same_value_that_the_app_sent() -> None:
    kind = [(b"content-type", b"application/json")]

    def answered(came: bytes, sent: bytes, scheme: str) -> dict[str, Any]:
        handed = call()["scope"] | {"scheme": scheme}
        return observation([response(body=came, fields=kind)], [call(body=sent, headers=kind, scope=handed)])

    reference = answered(b'{"a": 1, "b": 2}', b'{"a": 1, "b": 2}', "http")
    carried = answered(b'{"a": 1, "b": 3}', b'{"a": 1, "b": 3}', "https")
    assert here(reference, carried) == [("scope.scheme", "value")]
    same_scope = answered(b'{"a": 1, "b": 3}', b'{"a": 1, "b": 3}', "http")
    found = differences(facts_of(reference, HERE), facts_of(same_scope, HERE))
    assert [(d.path, d.because and d.because.path) for d in found] == [("send.body.$.b", None), ("response.body.$.b", "send.body.$.b")]
    one_more = answered(b'{"a": 9, "b": 3}', b'{"a": 1, "b": 3}', "https")
    assert here(reference, one_more) == [("scope.scheme", "value"), ("response.body.$.a", "value"), ("response.body.$.b", "value")]


def test_an_upload_cut_short_is_told_by_its_bytes_and_by_its_end() -> None:
    whole = observation([], [call(events=[received(b"hello", type="http.request", body=b"hello", more_body=False)])])
    cut = observation([], [call(events=[received(b"he", type="http.request", body=b"he", more_body=True)])])
    assert here(whole, cut) == [("receive.body", "value"), ("receive.body-end", "yes→no")]


def test_a_field_of_the_servers_own_answer_goes_with_it() -> None:
    failed = call(events=[], end="raised", raised={"type": "KeyError", "message": "x"})
    own = observation([response(500, b"Error", fields=[(b"x-error", b"1")], framing="close", version="1.0")], [failed])
    unfetched = ("receive.body", "empty→unread")
    assert here(observation(), own) == [("call.end", "returned→raised KeyError"), unfetched, ("send.types", "count")]


def test_an_end_is_passed_on_only_where_it_was_so_on_both_sides() -> None:
    reference, candidate = streamed(whole=True, complete=False), streamed(whole=False, complete=True)
    assert ("response.complete", "no→yes") in here(reference, candidate)


def test_what_follows_garbage_counts_up_to_the_next_head() -> None:
    def broken(rest: bytes) -> dict[str, Any]:
        return observation(error="HPE_INVALID_CONSTANT", rest=rest)

    assert here(broken(b"hello"), broken(b"hello" + b"HTTP/1.1 200 OK\r\n")) == []
    assert here(broken(b"hello"), broken(b"hell")) == [("rest", "value")]
    assert here(broken(b"HTTP/1.1 200"), broken(b"HTTP/1.1 404")) == [("rest", "value")]
    assert here(broken(b"HTTP/1.1 2\r\nDate: a\r\n"), broken(b"HTTP/1.1 2\r\nDate: b\r\n")) == []
    assert here(observation(), observation(rest=b"HTTP/1.1 200 OK\r\n")) == [("rest", "added")]
