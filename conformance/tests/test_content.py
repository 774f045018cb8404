"""Content behind its coding, and JSON value by value: nothing that comes makes it fail, and nothing that differs is the same."""

import gzip
import json
import time
import zlib

import pytest

from bridgecheck.conformance.compare.content import INFLATED_MAX, MISSING, Content, json_changes

from .observations import fnv

PLAIN = b"a page of text, " * 40


def packed(data: bytes, second: int = 1) -> bytes:
    return gzip.compress(data, mtime=second)


def content(data: bytes, coding: str = "gzip", media_type: str = "text/plain") -> Content:
    return Content.of(data, len(data), fnv(data), coding, media_type)


def begun(data: bytes, coding: str = "gzip") -> Content:
    """Content of which only the beginning was kept."""
    return Content.of(data[: len(data) // 2], len(data), fnv(data), coding, "")


def test_the_second_of_packing_is_no_difference_however_the_member_came() -> None:
    one, other = packed(PLAIN, 1), packed(PLAIN, 2)
    assert content(one) == content(other) == content(zlib.compress(PLAIN), "deflate") == content(PLAIN, "")
    assert content(one[:-3]) == content(other[:-3])  # cut
    assert content(one + b"?") == content(other + b"?")  # with bytes behind it
    assert begun(one) == begun(other)
    assert content(one, "br") != content(other, "br")


def test_several_members_are_one_content() -> None:
    assert content(packed(PLAIN) + packed(PLAIN)) == content(PLAIN + PLAIN, "")


@pytest.mark.parametrize(
    "wrong",
    [
        packed(PLAIN)[:-1],
        packed(PLAIN)[:-8] + b"\0" * 8,
        packed(PLAIN) + b"?",
        packed(PLAIN) + packed(PLAIN),
        packed(PLAIN) + packed(PLAIN)[:-1],
        b"",
        PLAIN,
        packed(b""),
        packed(packed(PLAIN)),
        zlib.compress(PLAIN),
    ],
)
def test_what_is_not_the_same_content_differs(wrong: bytes) -> None:
    assert content(packed(PLAIN)) != content(wrong)


def test_a_broken_member_differs_from_one_that_is_broken_otherwise() -> None:
    whole = packed(PLAIN)
    assert content(whole[:-1]) != content(whole[:-2])
    assert content(whole[:-1]) != content(b"?" + whole[1:-1])


def test_what_inflates_without_end_is_compared_as_it_came() -> None:
    bomb = packed(b"\0" * (INFLATED_MAX + 1))
    assert content(bomb).data is not None and len(content(bomb).data or b"") == len(bomb)
    assert content(bomb) == content(packed(b"\0" * (INFLATED_MAX + 1), 9))
    assert content(bomb) != content(packed(b"\0" * (INFLATED_MAX + 2)))
    assert len(content(packed(b"\0" * INFLATED_MAX)).data or b"") == INFLATED_MAX
    begin = time.process_time()
    many = packed(b"\0" * (INFLATED_MAX // 2)) * 50
    assert content(many).length == len(many)
    assert time.process_time() - begin < 20


def test_a_long_content_is_known_by_its_beginning_length_and_hash() -> None:
    long = bytes(range(256)) * 99
    assert begun(long, "") == begun(long, "")
    assert begun(long, "") != begun(long[:-1] + b"?", "")
    assert begun(long, "br") != begun(long[:-1] + b"?", "br")
    assert begun(packed(PLAIN)) != begun(packed(PLAIN + b"a longer page"))
    assert begun(packed(PLAIN)) != begun(packed(b"?" + PLAIN[1:]))
    assert begun(long, "") != content(long, "")
    unknown = Content.of(None, 7, 1, "", "application/json")
    assert unknown == Content.of(None, 7, 1, "", "") != Content.of(None, 7, 2, "", "")
    assert Content.of(None, 7, 1, "gzip", "") != Content.of(None, 8, 1, "gzip", "")


def test_a_media_type_says_how_to_compare_and_is_no_part_of_the_content() -> None:
    assert content(b"{}", "", "application/json") == content(b"{}", "", "text/plain")
    assert [content(b"{}", "", kind).json for kind in ("application/json", "application/problem+json", "text/json", "")] == [
        True,
        True,
        False,
        False,
    ]
    assert not begun(b"[1, 2, 3]", "").json


@pytest.mark.parametrize(
    ("one", "other", "changes", "rewritten"),
    [
        ("{}", "{}", [], False),
        ('{"a": 1}', '{"a": 2}', [("$.a", "$.a", 1, 2)], False),
        ('{"a": 1}', '{"a": 1.0}', [("$.a", "$.a", 1, 1.0)], False),
        ('{"a": 1}', '{"a": true}', [("$.a", "$.a", 1, True)], False),
        ('{"a": 1}', "{}", [("$.a", "$.a", 1, MISSING)], False),
        ('{"a": {}}', '{"a": []}', [("$.a", "$.a", {}, [])], False),
        ('{"a": []}', '{"a": {}}', [("$.a", "$.a", [], {})], False),
        ('{"a": 1}', '{"a": {}}', [("$.a", "$.a", 1, {})], False),
        ('{"a": {}}', '{"a": 1}', [("$.a", "$.a", {}, 1)], False),
        ('{"a": 1}', '{"a": []}', [("$.a", "$.a", 1, [])], False),
        ('{"a": []}', '{"a": 1}', [("$.a", "$.a", [], 1)], False),
        ('{"d": 1, "b": 1, "e": 1, "c": 1, "a": 1}', "{}", [(f"$.{key}", f"$.{key}", 1, MISSING) for key in "abcde"], False),
        ('{"a": null}', "{}", [("$.a", "$.a", None, MISSING)], False),
        ("[1, 2]", "[1, 3]", [("$[*]", "$[1]", 2, 3)], False),
        ("[1]", "[1, 2, 3]", [("$[*]", "$[*]", MISSING, 2)], False),
        ('{"17": {"p": 1}}', '{"17": {"p": 2}}', [("$.*.p", '$["17"].p', 1, 2)], False),
        ('{"17": 1, "18": 2}', '{"19": 1, "18": 2}', [("$.*", "$.*", ("17",), ("19",))], False),
        ('{"\\ud800": 1}', '{"\\ud800": 2}', [("$.*", '$["\\ud800"]', 1, 2)], False),
        ('{"a.b": 1}', '{"a": {"b": 1}}', [("$.a", "$.a", MISSING, {"b": 1}), ("$.*", "$.*", ("a.b",), ())], False),
        ('"x"', '"y"', [("$", "$", "x", "y")], False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', [], True),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 3}', [("$.a", "$.a", 1, 3)], True),
        ('{"a": 1}', '{"a":1}', [], True),
        ('{"a": 1}', '{"a":2}', [("$.a", "$.a", 1, 2)], True),
        ('["\\u00e9"]', '["é"]', [], True),
        ('["\\u00e9", 1]', '["é", 2]', [("$[*]", "$[1]", 1, 2)], True),
        ("[1.0]", "[1.00]", [], True),
        ("[1e999]", "[1e998]", [], True),
        ("[0]", "[-0]", [], True),
        ('{"a": 1, "a": 2}', '{"a": 3, "a": 2}', [], True),
        ('{"a": 1, "a": 2, "at": 1}', '{"a": 3, "a": 2, "at": 2}', [("$.at", "$.at", 1, 2)], True),
        ('["a\\\\", "b"]', '["a\\\\", "c"]', [("$[*]", "$[1]", "b", "c")], False),
    ],
)
def test_json_is_compared_by_value_and_then_by_how_it_is_written(one: str, other: str, changes: list[object], rewritten: bool) -> None:
    assert json_changes(one, other) == (changes, rewritten)
    assert json_changes(one, one) == ([], False)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": NaN}', "[Infinity]", "[" * 100000, "[" * 100000 + "]" * 100000, f"[{'9' * 5000}]", "\ufeff{}"]
)
def test_what_cannot_be_read_as_json_is_an_error_that_the_comparer_knows(text: str) -> None:
    for pair in ((text, "{}"), ("{}", text)):
        with pytest.raises((ValueError, RecursionError)):
            json_changes(*pair)


def test_json_that_is_deep_but_can_be_read_is_compared() -> None:
    deep = "[" * 150 + "%d" + "]" * 150
    assert [change[2:] for change in json_changes(deep % 1, deep % 2)[0]] == [(1, 2)]


def test_bytes_that_are_no_utf_8_are_an_error_that_the_comparer_knows() -> None:
    for data in (b'{"a": "\xff"}', json.dumps({"a": 1}).encode("utf-16"), json.dumps({"a": 1}).encode("utf-32")):
        with pytest.raises(ValueError):
            json_changes(content(data, "", "application/json").text(), "{}")
