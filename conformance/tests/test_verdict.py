"""Who is right: a difference is excused only where the exchange names it, the reference is wrong and the candidate right in whole."""

from typing import Any

import pytest

from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.difference import Difference, differences
from bridgecheck.conformance.compare.fact import facts_of
from bridgecheck.conformance.compare.verdict import BOTH, CANDIDATE, REFERENCE, UNDEFINED, merged

from .observations import HERE, call, changed, observation, received, response, send

CHUNKED = response(framing="chunked", fields=[(b"content-type", b"text/plain"), (b"transfer-encoding", b"chunked")])
CLOSE = response(framing="close", fields=[(b"content-type", b"text/plain")])
REFUSED = response(400, b"bad", [(b"content-length", b"3")])


def compare(reference: dict[str, Any], candidate: dict[str, Any], must: str, rules: str = "FR-HOST-01") -> list[Difference]:
    demand = Demand.of({"must": must, "rules": rules})
    return differences(facts_of(reference, HERE), facts_of(candidate, HERE), demand)


def verdicts(reference: dict[str, Any], candidate: dict[str, Any], must: str) -> dict[str, str]:
    """Of the causes, by path."""
    return {d.path: d.verdict for d in compare(reference, candidate, must) if d.because is None}


@pytest.mark.parametrize(
    ("must", "expected"),
    [
        ("response.framing = close", REFERENCE),
        ("response.framing = chunked", CANDIDATE),
        ("response.framing = chunked or close", BOTH),
        ("response.framing = content-length", UNDEFINED),
        ("response.framing = chunked | response.framing = close", BOTH),
        ("response.status = 200", UNDEFINED),  # says nothing of this
        ("main response 2 response.framing missing or = close", UNDEFINED),  # nor this
        ("response.framing = close; response.status = 201", UNDEFINED),  # no side does right
        ("response.framing = close; response.field[transfer-encoding] missing", REFERENCE),
        ("response.framing = close; end = closed", UNDEFINED),  # right in one thing alone
        ("response.framing = chunked; end = closed", UNDEFINED),
        ("response.framing = close | response.status = 500", REFERENCE),
        ("response.framing = chunked | response.status = 200", UNDEFINED),  # both do right, and the candidate's way does not speak of it
        ("response.framing any; response.field[transfer-encoding] missing", REFERENCE),
        ("response.framing any; response.field[transfer-encoding] present", UNDEFINED),  # the framing itself breaks nothing
    ],
)
def test_the_verdict_follows_from_who_does_right(must: str, expected: str) -> None:
    found = {d.path: d.verdict for d in compare(observation([CHUNKED]), observation([CLOSE]), must)}
    assert found["response.framing"] == expected


def test_what_one_case_does_not_name_still_stands_beside_what_it_excuses() -> None:
    truncated = CLOSE | {"body": response(body=b"hell")["body"]}
    found = verdicts(observation([CHUNKED]), observation([truncated]), "response.framing = close")
    assert found == {"response.framing": REFERENCE, "response.body": UNDEFINED}


def test_a_broken_rule_weighs_as_one_and_is_not_told_with_something_lighter() -> None:
    (found,) = [d for d in compare(observation([CLOSE]), observation([CHUNKED]), "response.framing = close") if d.because is None]
    assert (found.verdict, found.severity) == (CANDIDATE, "rule")  # else drift
    assert verdicts(observation([CLOSE]), observation([CHUNKED]), "response.field[transfer-encoding] missing") == {
        "response.framing": UNDEFINED,
        "response.field[transfer-encoding]": CANDIDATE,
    }
    found = [d for d in compare(observation([CHUNKED]), observation([CLOSE]), "response.framing = close") if d.because is None][0]
    assert (found.verdict, found.severity) == (REFERENCE, "drift")
    changed_status = compare(observation(), observation([response(500)]), "response.status = 200")[-1]
    assert (changed_status.verdict, changed_status.severity) == (CANDIDATE, "break")  # never lighter


def test_what_the_way_allows_goes_with_what_the_reference_breaks() -> None:
    reference = observation(error="HPE_INVALID_CONSTANT", rest=b"BODY", end="silent")
    events = call()["events"]
    refused = [*events[:4], {"kind": "send raised", "raised": {"type": "builtins.RuntimeError", "message": "no"}}]
    raised = call(events=refused, end="raised", raised={"type": "builtins.RuntimeError", "message": "no"})
    candidate = observation(calls=[raised], end="closed")
    must = "garbage missing; end = open or closed; send.raised any; call.end any"
    found = {d.path: d.because and d.because.path for d in compare(reference, candidate, must)}
    assert found == {
        "garbage": None,
        "rest": "garbage",
        "end": None,  # silence is broken, too
        "send.raised": "garbage",
        "send.raised-text": "garbage",
        "call.end": "garbage",
        "call.raised-text": "garbage",
    }
    assert verdicts(reference, candidate, "garbage missing; end = open or closed") == {
        "garbage": REFERENCE,
        "end": REFERENCE,
        "send.raised": UNDEFINED,
    }
    assert verdicts(reference, candidate, "garbage missing; end = open; send.raised any; call.end any") == {
        "garbage": UNDEFINED,
        "end": UNDEFINED,
        "send.raised": UNDEFINED,
    }


def test_bytes_that_are_left_are_excused_with_garbage_only_where_there_are_none() -> None:
    reference = observation(error="HPE_INVALID_CONSTANT", rest=b"BODY", end="silent")
    must = "garbage missing; end = closed"
    assert verdicts(reference, observation(end="closed"), must) == {"garbage": REFERENCE, "end": REFERENCE}
    unfinished = observation(rest=b"HTTP/1.1 200", end="closed")
    assert verdicts(reference, unfinished, must) == {"garbage": REFERENCE, "end": REFERENCE, "rest": UNDEFINED}


def _posted(content: bytes, answer: bytes) -> dict[str, Any]:
    events = [
        received(content, type="http.request", body=content, more_body=False),
        *send(b"", type="http.response.start", status=200, headers=[(b"content-type", b"application/json")]),
        *send(answer, type="http.response.body", body=answer),
    ]
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    return observation([response(body=answer, fields=fields)], [call(events=events)])


def test_what_the_app_did_by_an_excused_input_is_excused_only_where_it_is_named() -> None:
    reference, candidate = _posted(b"", b'{"body": 0}'), _posted(b"hello", b'{"body": 5}')
    assert verdicts(reference, candidate, 'receive.body = b"hello"') == {"receive.body": REFERENCE, "send.body.$.body": UNDEFINED}
    assert verdicts(reference, candidate, """receive.body = b"hello"; send.body = b'{"body": 5}'""") == {"receive.body": REFERENCE}
    assert verdicts(reference, candidate, """receive.body = b"hello"; send.body = b'{"body": 6}'""") == {"receive.body": UNDEFINED}


def test_a_value_inside_a_content_has_the_verdict_on_that_content() -> None:
    fields = [(b"content-type", b"application/json"), (b"content-length", b"8")]
    one, other = (observation([response(body=body, fields=fields)]) for body in (b'{"a": 1}', b'{"a": 2}'))
    assert verdicts(one, other, """response.body = b'{"a": 2}'""") == {"response.body.$.a": REFERENCE}
    assert verdicts(one, other, """response.body = b'{"a": 1}'""") == {"response.body.$.a": CANDIDATE}


def test_a_refusal_has_the_verdict_on_its_call() -> None:
    candidate = observation([REFUSED], [], end="closed")
    must = "call missing; response.status = 400"
    assert verdicts(observation(), candidate, must) == {"request[FR-HOST-01]": REFERENCE}
    assert verdicts(candidate, observation(), must) == {"request[FR-HOST-01]": CANDIDATE}
    assert verdicts(observation(), candidate, "response.status = 400") == {"request[FR-HOST-01]": UNDEFINED}
    wrong = observation([response(500, b"bad", [(b"content-length", b"3")])], [], end="closed")
    assert verdicts(observation(), wrong, must) == {"request[FR-HOST-01]": UNDEFINED}


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"responses": [REFUSED, REFUSED]}, "response"),
        ({"error": "HPE_INVALID_CONSTANT", "rest": b"BODY"}, "garbage"),
        ({"end": "silent"}, "end"),
        ({"stray": 2}, "stray"),
    ],
)
def test_a_right_refusal_excuses_nothing_else_that_came_on_its_connection(more: dict[str, Any], path: str) -> None:
    candidate = observation([REFUSED], [], end="closed")
    candidate["connections"][0] |= more
    found = verdicts(observation(), candidate, "call missing; response.status = 400")
    assert found["request[FR-HOST-01]"] == REFERENCE
    assert found[path] == UNDEFINED


def test_a_right_refusal_excuses_no_step_that_could_not_be_done() -> None:
    candidate = changed(observation([REFUSED], [], end="closed"), ("steps",), [(7, "timed out")])
    found = verdicts(observation(), candidate, "call missing; response.status = 400")
    assert found == {"request[FR-HOST-01]": REFERENCE, "script[timed out]": UNDEFINED}


def test_a_servers_own_answer_is_not_excused_with_an_app_that_sent_nothing() -> None:
    silent = observation([response(500, b"failed", [(b"content-length", b"6")])], [call(events=call()["events"][:1])])
    must = "send.types = (); response.status = 500"
    found = verdicts(observation(), silent, must)
    assert found == {
        "send.types": REFERENCE,  # and with it the status, which is named
        "response.body": UNDEFINED,
        "response.field[content-type]": UNDEFINED,
    }
    assert set(verdicts(observation(), silent, "end = open")) == {"send.types"}  # as ever


def test_a_case_that_demands_what_both_do_moves_nothing() -> None:
    must = "end = open"
    for one, other in ((CHUNKED, CLOSE), (response(), response(404)), (response(), response(body=b"other"))):
        with_it, without = (compare(observation([one]), observation([other]), text) for text in (must, "end = closed"))
        assert with_it == without


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([REFERENCE, REFERENCE], REFERENCE),
        ([REFERENCE, UNDEFINED], UNDEFINED),
        ([REFERENCE, CANDIDATE], CANDIDATE),
        ([REFERENCE, BOTH], UNDEFINED),
        ([UNDEFINED], UNDEFINED),
    ],
)
def test_several_plays_excuse_only_what_each_of_them_does(seen: list[str], expected: str) -> None:
    assert merged(seen) == expected
