"""Values by exact type, and words that can always be written."""

from typing import Any

import pytest

from bridgecheck.conformance._player import Instance
from bridgecheck.conformance.compare.value import Container, Length, Long, Port, leaf, pairs, plain, same, text, type_name

LONG = {"length": 9000, "hash": 1, "first": b"a", "last": b"b"}
MET = Long("bytes", 9000, 1, b"a", b"b")
HUGE = 10**5000

DIFFERENT: list[Any] = [
    1,
    True,
    1.0,
    "1",
    b"1",
    None,
    0.0,
    -0.0,
    float("nan"),
    float("inf"),
    HUGE,
    (),
    [],
    {},
    (1,),
    (True,),
    [1],
    {1: 1},
    {True: 1},
    {"1": 1},
    {1: True},
    {1: 1, 2: 2},
    Instance("a.A"),
    Instance("a.B"),
    Instance("a.A", 1),
    Instance("a.A", True),
    Instance("a.A", {"k": 1}),
    Instance("a.A", {"k": 1.0}),
    ({"k": 1},),
    ({"k": True},),
    ({"k": 1, "l": 1},),
    Container("list"),
    Port("list"),
    MET,
    Long("str", 9000, 1, "a", "b"),
    Length(b"1", False),
    Length(b"2", True),
]


def test_each_value_is_the_same_as_itself_alone() -> None:
    for index, one in enumerate(DIFFERENT):
        for place, other in enumerate(DIFFERENT):
            assert same(one, other) == (index == place), (one, other)


def test_equal_values_need_not_be_one_object() -> None:
    assert same(float("nan"), -float("nan"))
    assert same({"a": [1, {"b": (None,)}], "c": 1}, {"c": 1, "a": [1, {"b": (None,)}]})
    assert same(Instance("a.A", {"k": [1]}), Instance("a.A", {"k": [1]}))


def test_lengths_are_the_same_where_each_fits_its_content() -> None:
    assert same(Length(b"1", True), Length(b"2", True))
    assert same(Length(b"1", True), Length(b"1", False))
    assert not same(Length(b"1", True), Length(b"2", False))
    assert not same(Length(b"1", False), Length(b"2", True))


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("a", "a"),
        (b"\xff", "ÿ"),
        ("\ud800", "\\ud800"),
        (1, "1"),
        (None, "None"),
        (HUGE, "int"),
        ([HUGE], "list"),
        (Instance("a.\ud800", HUGE), "a.\\ud800"),
    ],
    ids=type_name,
)
def test_a_word_can_always_be_written(value: object, word: str) -> None:
    assert text(value) == word
    text(value).encode()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "int"),
        (True, "bool"),
        (None, "NoneType"),
        ((), "tuple"),
        (Instance("a.A", 1), "a.A"),
        (Instance("a.\ud800"), "a.\\ud800"),
        (Container("a.List"), "a.List"),
        (Port("str"), "str"),
        (MET, "bytes"),
        (Length(b"1", True), "bytes"),
    ],
)
def test_a_type_is_named_as_the_app_saw_it(value: object, name: str) -> None:
    assert type_name(value) == name


def test_what_was_shortened_is_a_value_of_its_own() -> None:
    assert leaf(LONG) == MET
    assert leaf(LONG | {"more": 1}) == LONG | {"more": 1}
    assert plain(Instance("bytearray", LONG)) == MET
    assert plain(Instance("a.A", [1])) == [1]
    opaque = Instance("a.A")
    assert plain(opaque) is opaque


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], []),
        ([(b"a", b"1")], [("tuple", b"a", b"1")]),
        (([b"a", LONG],), [("list", b"a", MET)]),
        ([(LONG, b"1")], [("tuple", MET, b"1")]),
        (Instance("a.List", [Instance("a.Pair", (b"a", b"1"))]), [("a.Pair", b"a", b"1")]),
        ([(b"a",)], None),
        ([(b"a", b"1"), b"ab"], None),
        ({}, None),
        (Instance("a.Iterator"), None),
        (None, None),
    ],
)
def test_names_and_values_are_told_with_the_type_of_each_pair(value: object, expected: object) -> None:
    assert pairs(value) == expected
