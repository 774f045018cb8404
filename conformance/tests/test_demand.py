"""What a `must` line says of facts, and what is said of one that cannot be read."""

from pathlib import Path
from typing import Any

import pytest

from bridgecheck.conformance.compare import demand
from bridgecheck.conformance.compare.demand import Demand, DemandError
from bridgecheck.conformance.compare.fact import Facts, facts_of
from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.taps import tap

from .observations import HERE, call, changed, observation, response, rich

PLAIN = facts_of(observation(), HERE)


def holds(must: str, facts: Facts = PLAIN) -> bool:
    return any(way.holds(facts) for way in Demand.of({"must": must}).ways)


@pytest.mark.parametrize(
    ("must", "expected"),
    [
        ("response.status = 200", True),
        ("response.status = 201", False),
        ("response.status = 404 or 200", True),
        ('response.status = "200"', False),  # a fact has its exact type
        ("response.complete = yes", True),
        ("response.complete = no", False),
        ("response.complete = 1", False),
        ("response.framing = content-length", True),
        ("response.field[content-type] = b'text/plain'", True),
        ('response.field[content-type] = "text/plain"', False),
        ('response.field[content-type] = b"text/plain", b"text/plain"', False),
        ('response.field[content-length] = b"5"', True),
        ('response.body = b"hello"', True),
        ('response.body = b"hell\\x6f"', True),
        ('response.body = b"hell"', False),
        ("response.interim = ()", True),
        ("response.interim = 100", False),
        ("response.field[x] missing", True),
        ("response.field[content-type] missing", False),
        ("response.field[content-type] present", True),
        ("response.field[x] present", False),
        ("response.field[x] any", True),
        ("response.field[content-type] any", True),
        ('response.field[x] missing or = b"1"', True),
        ('response.field[content-type] missing or = b"1"', False),
        ('response.field[content-type] missing or = b"1" or b"text/plain"', True),
        ("end = open; response.status = 200", True),
        ("end = open; response.status = 201", False),
        ("end = closed | response.status = 200", True),
        ("end = closed | end = reset; response.status = 200", False),
        ("call present", True),
        ("call missing", False),
        ("main call 1 call present; main call 2 call missing", True),
        ("main response 2 response missing; main end = open", True),
        ("other end = open", False),
        ('scope.http_version = "1.1"; scope.path = "/"', True),
        ("scope.path = b'/'", False),
        ("response.status not = 201", True),
        ("response.status not = 201 or 200", False),
        ("response.field[x] not = b'1'", False),  # there has to be one
        ("response.field[x] missing or not = b'1'", True),
        ("response.field[content-type] missing or not = b'text/plain'", False),
        ("send.raised not = ()", False),
        ("response.field-order holds content-type, content-length", True),
        ("response.field-order holds content-length", True),
        ("response.field-order holds content-length, content-type", False),
        ("response.field-order holds content-length, content-length", False),
        ("response.field-order holds x or content-type", True),
        ("response.field[x] holds b'1'", False),
        ("response.field[x] missing or holds b'1'", True),
        ("scope.client = tuple; scope.client[1] = int; scope.server[1] = int", True),
        ("scope.client = list", False),
        ("scope.server[1] = str", False),
        ("script[timed out] missing", True),
        ("script[timed out] present", False),
    ],
)
def test_a_condition_holds_or_not(must: str, expected: bool) -> None:
    assert holds(must) is expected


def test_values_of_several_parts_are_told_in_order() -> None:
    facts = facts_of(observation([response(interim=[{"status": status, "reason": b"", "fields": []} for status in (100, 103)])]), HERE)
    assert holds("response.interim = 100, 103", facts)
    assert not holds("response.interim = 103, 100", facts)
    assert not holds("response.interim = 100", facts)


def test_a_step_that_could_not_be_done_is_named_without_its_line() -> None:
    late = facts_of(observation() | {"steps": [(12, "timed out")]}, HERE)
    assert holds("script[timed out] present; script[closed] missing", late)
    assert not holds("script[timed out] missing", late)


def test_an_empty_content_is_a_value() -> None:
    empty = facts_of(observation([response(body=b"")], [call(body=b"")]), HERE)
    assert holds('response.body = b""', empty)
    assert not holds("response.body missing", empty)


def test_a_content_that_is_only_known_by_its_hash_is_no_value() -> None:
    long = changed(observation(), ("connections", 0, "responses", 0, "body"), {"length": 9, "hash": 1, "bytes": b"12345678"})
    assert not holds('response.body = b"12345678"', facts_of(long, HERE))


def test_marks_inside_quotes_and_brackets_are_no_marks() -> None:
    facts = PLAIN | {
        ("main response 1", "response.field[a;|=b]"): (b'x; y | z = "',),
        ("main response 1", "response.altered[field[a]]"): True,
    }
    assert holds("response.altered[field[a]] = yes", facts)
    assert holds("response.field[a;|=b] = b'x; y | z = \"'", facts)


def test_the_rules_come_from_the_meta_and_no_must_is_no_demand() -> None:
    assert Demand.of({"rules": "FR-HOST-01 FR-HOST-02"}) == Demand(("FR-HOST-01", "FR-HOST-02"))
    assert Demand.of({"rules": "FR-HOST-01 FR-HOST-02"}).rule == "FR-HOST-01"
    assert Demand.of({}) == demand.NOTHING
    assert demand.NOTHING.rule == ""


@pytest.mark.parametrize(
    ("must", "message"),
    [
        ("", "no condition in ''"),
        ("response.status", "no condition in 'response.status'"),
        ("response.status = 200;", "no condition in ''"),
        ("response.status = 200 |", "no condition in ''"),
        ("response.status absent", "no condition in 'response.status absent'"),
        ("= 200", "no path in '= 200'"),
        ("missing", "no path in 'missing'"),
        ("missing or = 200", "no path in 'missing or = 200'"),
        ("response.status =", "'' is no value"),
        ("response.status = 200 or", "'' is no value"),
        ("response.status = 200 201", "'200 201' is no value"),
        ("response.status = missing", "'missing' is no value"),
        ("response.version = 1.1", "'1.1' is no value"),
        ("response.body = b'\\xg'", "is no text or octets as Python writes them"),
        ("response.body = b'half", 'cannot read "\'half"'),
        ("response.farming = close", "no fact has the path response.farming"),
        ("request missing", "no fact has the path request"),
        ("response.body.$.a = 1", "no fact has the path response.body.$.a"),
        ("call 1 call missing", 'its place is written as in "main call 2"'),
        ("main response 1 call missing", 'its place is written as in "main call 2"'),
        ("main response x response.status = 1", 'its place is written as in "main response 2"'),
        ("main response 1 end = open", "its place is the connection's name"),
        ("main script[timed out] missing", "it has no place"),
        ("response.status not missing", "no fact has the path not"),
        ("not = 200", "no path in 'not = 200'"),
        ("holds 200", "no path in 'holds 200'"),
    ],
)
def test_what_cannot_be_read_is_said(must: str, message: str) -> None:
    with pytest.raises(DemandError) as raised:
        Demand.of({"must": must})
    assert message in str(raised.value)


def test_every_fact_of_an_exchange_can_be_named_where_it_stands() -> None:
    facts = facts_of(rich(), HERE)
    unnamed = set()
    for place, path in facts:
        if not place.startswith("line "):  # what the script could not do is no server's duty
            try:
                (way,) = Demand.of({"must": f"{place} {path} any"}).ways
            except DemandError:
                unnamed.add((place, path))
            else:
                assert way.names((place, path))
    assert unnamed == set()


@pytest.mark.parametrize("path", ["response.status", "call", "end", "scope.path"])
def test_without_a_place_it_is_the_first_of_main(path: str) -> None:
    (way,) = Demand.of({"must": f"{path} any"}).ways
    assert [way.names(spot) for spot in PLAIN if spot[1] == path] == [True]


def test_a_file_with_a_bad_must_names_file_line_and_exchange(tmp_path: Path) -> None:
    file = tmp_path / "own.exchange"
    file.write_text(
        "bridgecheck-exchange 1\n\nexchange hello\nmust: response.farming = close\nsend\n> GET / HTTP/1.1\n> Host: a\n>\nend next\n"
    )
    with pytest.raises(UsageError) as raised:
        tap.read(file)
    assert str(raised.value) == f"{file}:3: exchange hello: must: no fact has the path response.farming"


def _spots(value: Any) -> list[Any]:
    return [clause.spot for way in Demand.of({"must": value}).ways for clause in way.clauses]


def test_a_broken_clause_is_one_about_that_very_fact() -> None:
    (way,) = Demand.of({"must": "end = closed; response.status = 200"}).ways
    assert way.broken(("main", "end"), PLAIN)
    assert not way.broken(("main response 1", "response.status"), PLAIN)
    assert not way.broken(("main", "stray"), PLAIN)
    assert _spots("end any; call any") == [("main", "end"), ("main call 1", "call")]
