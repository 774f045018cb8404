"""Findings as buckets: one for each cause, the best exchange to see it, the same order every time."""

from dataclasses import replace

import pytest

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.conformance.compare.bucket import Sighting, buckets, title
from bridgecheck.conformance.compare.difference import Difference
from bridgecheck.conformance.compare.judge import Finding
from bridgecheck.conformance.compare.verdict import BOTH, CANDIDATE, REFERENCE

STATUS = Difference("main response 1", "response.status", "value", 200, 404)
PORT = Difference("main call 1", "scope.client[1]", "int→str", 1, "1")
BODY = Difference("main response 1 at $.a", "response.body.$.a", "value", 1, 2, because=PORT)
END = Difference("main", "end", "open→closed", "open", "closed")


def exchange(name: str, target: str = "/", extra: str = "", rules: str = "") -> Exchange:
    meta = f"rules: {rules}\n" if rules else ""
    text = f"bridgecheck-exchange 1\nexchange {name}\n{meta}send\n> GET {target} HTTP/1.1\n> Host: a{extra}\n>\nend next\n"
    return parse(text.encode(), "test")[0]


SHORT, LONG = exchange("short"), exchange("long", "/items/1?page=2", "b" * 50)


def test_a_bucket_for_each_signature_heaviest_first() -> None:
    other = replace(PORT, place="main call 2", reference=3, candidate="3")
    found = buckets([((LONG,), "spec", Finding([END, PORT], [])), ((SHORT,), "spec", Finding([other, STATUS], []))])
    assert [(b.difference.path, b.severity, b.exchanges) for b in found] == [
        ("scope.client[1]", "break", ["long", "short"]),
        ("response.status", "break", ["short"]),
        ("end", "drift", ["long"]),
    ]
    assert found[0].routes == ["GET /", "GET /items/1"]
    assert found[0].difference is other
    again = buckets([((SHORT,), "spec", Finding([STATUS, other], [])), ((LONG,), "spec", Finding([PORT, END], []))])
    assert [b.signature for b in again] == [b.signature for b in found]


def test_a_consequence_is_listed_under_its_cause() -> None:
    found = buckets([((SHORT,), "spec", Finding([BODY, PORT], []))])
    assert [(b.difference.path, sorted(b.consequences)) for b in found] == [
        ("scope.client[1]", ["response.body.$.a: another value under the candidate"])
    ]


def test_a_consequence_whose_cause_is_not_among_the_findings_stands_for_itself() -> None:
    found = buckets([((SHORT,), "spec", Finding([BODY], [])), ((LONG,), "spec", Finding([PORT], []))])
    assert [b.difference.path for b in found] == ["scope.client[1]", "response.body.$.a"]
    assert found[1].exchanges == ["short"]


def test_what_is_shown_is_a_steady_sighting_though_another_is_shorter() -> None:
    found = buckets([((SHORT,), "spec", Finding([], [PORT])), ((SHORT, LONG), "spec", Finding([PORT], []))])
    assert [(b.steady, b.shortest.exchange.name) for b in found] == [(True, "long")]
    found = buckets([((LONG,), "spec", Finding([], [PORT])), ((SHORT,), "spec", Finding([], [PORT]))])
    assert [(b.steady, b.shortest.exchange.name) for b in found] == [(False, "short")]


def test_a_steady_and_an_intermittent_sighting_of_one_exchange_are_told_apart() -> None:
    other = replace(PORT, place="main call 2")
    (bucket,) = buckets([((SHORT,), "spec", Finding([other], [PORT]))])
    assert bucket.steady
    assert bucket.difference is other
    assert [sighting.steady for sighting in bucket.sightings] == [True, False]
    assert Sighting(PORT, (SHORT,), "spec").steady


def test_one_signature_with_two_verdicts_is_two_buckets() -> None:
    right, wrong, other = (replace(PORT, verdict=verdict) for verdict in (REFERENCE, CANDIDATE, PORT.verdict))
    found = buckets([((exchange(str(d.verdict)[:3]),), "spec", Finding([d], [])) for d in (right, wrong, other)])
    assert [(b.verdict, b.exchanges, b.excused) for b in found] == [
        ("candidate breaks", ["can"], False),
        ("reference breaks", ["ref"], True),
        ("undefined", ["und"], False),
    ]
    assert len({b.signature for b in found}) == 1
    assert [b.name for b in found] == [f"{PORT.signature}{end}" for end in ("-candidate-breaks", "-reference-breaks", "")]


def test_a_verdict_names_the_rules_of_its_exchanges_that_bind() -> None:
    one, other = exchange("one", rules="FR-LINE-01 HTTP-SCOPE-05"), exchange("other", rules="FR-HOST-01")
    (bucket,) = buckets([((case,), "spec", Finding([replace(PORT, verdict=BOTH)], [])) for case in (one, other)])
    assert bucket.rules == ["FR-HOST-01", "HTTP-SCOPE-05"]
    (bucket,) = buckets([((case,), "spec", Finding([PORT], [])) for case in (one, other)])
    assert bucket.rules == []


def test_a_consequence_goes_with_the_verdict_that_its_cause_has_in_the_finding() -> None:
    """Which may be another than in the play that showed it."""
    body = replace(BODY, because=replace(PORT, verdict=REFERENCE))
    (bucket,) = buckets([((SHORT,), "spec", Finding([body, PORT], []))])
    assert not bucket.excused
    assert len(bucket.consequences) == 1


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("response.field[a]", "count", "response.field[a]: more or fewer values under the candidate"),
        ("response.body", "layout", "response.body: the same values, written differently under the candidate"),
        ("response.field[date]", "time", "response.field[date]: no date, or another time, under the candidate"),
        ("scope.client[1]", "int→str", "scope.client[1]: int → str"),
        ("response.altered[body]", "added", "body of the response: not what the app sent, under the candidate"),
        ("response.altered[field[a]]", "missing", "field[a] of the response: not what the app sent, under the reference"),
        ("response", "added", "response: one more under the candidate"),
        ("request[FR-HOST-01]", "served→refused", "the reference serves this request, the candidate does not (FR-HOST-01)"),
        ("request", "refused→served", "the candidate serves a request that the reference does not"),
        ("socket", "missing", "WebSocket: missing under the candidate"),
        ("socket.close", "yes→no", "close frame of the server over the WebSocket: yes → no"),
        ("socket.close.code", "value", "code in the server's close frame: another value under the candidate"),
        ("socket.end", "closed→dropped", "end of the WebSocket: closed → dropped"),
        ("message", "added", "WebSocket message of the server: one more under the candidate"),
        ("message.body.$.a", "value", "WebSocket message of the server (body.$.a): another value under the candidate"),
        ("receive.message.type", "text→binary", "WebSocket message that the app received (type): text → binary"),
        ("died", "running→died", "the candidate ends while it serves this"),
        ("died", "died→running", "the reference ends while it serves this"),
    ],
)
def test_a_title_is_a_line_that_a_person_reads(path: str, kind: str, expected: str) -> None:
    assert title(Difference("main", path, kind, 1, 2)) == expected
