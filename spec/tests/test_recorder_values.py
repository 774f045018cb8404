"""Every kind of Python value in a record: the same bytes from both recorders, and the value that was meant."""

import enum
import math
import struct
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any

import pytest

from .observer_trace import Cut, Instance, Long, Other, fnv1a
from .recording import MODULES, Traced, both, describe


@pytest.fixture(params=list(MODULES))
def traced(request: pytest.FixtureRequest, tmp_path: Path) -> Traced:
    return Traced(request.param, tmp_path)


class Text(str): ...


class Octets(bytes): ...


class Array(bytearray): ...


class Number(int): ...


class Real(float): ...


class Items(list): ...


class Pair(tuple): ...


class Fields(dict): ...


Point = namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 3


class Lies(dict):
    """Says one thing and holds another; the trace is about what it holds."""

    def __len__(self) -> int:
        raise AssertionError("the app's code was run")

    def items(self) -> Any:
        raise AssertionError("the app's code was run")

    __iter__ = __getitem__ = keys = items


class Strange:
    def __repr__(self) -> str:
        raise AssertionError("the app's code was run")


def nested(depth: int) -> Any:
    value: Any = "leaf"
    for _ in range(depth):
        value = [value]
    return value


def released() -> memoryview:
    view = memoryview(b"gone")
    view.release()
    return view


def own(name: str) -> str:
    return f"{__name__}.{name}"


def long_of(data: bytes, text: bool = False) -> Long:
    return Long(len(data), fnv1a(data), data[:4096], data[-4096:], text)


LOOP: list[Any] = []
LOOP.append(LOOP)
LETTERS = bytes(range(256)) * 40

VALUES: dict[str, tuple[Any, Any]] = {
    "none": (None, None),
    "true": (True, True),
    "false": (False, False),
    "zero": (0, 0),
    "negative": (-1, -1),
    "int64 max": (2**63 - 1, 2**63 - 1),
    "int64 min": (-(2**63), -(2**63)),
    "beyond int64": (2**63, 2**63),
    "below int64": (-(2**63) - 1, -(2**63) - 1),
    "more digits than Python writes": (-(1 << 20000), -(1 << 20000)),
    "float": (1.5, 1.5),
    "infinity": (-math.inf, -math.inf),
    "str": ("grün \U0001f600\0", "grün \U0001f600\0"),
    "empty str": ("", ""),
    "surrogates": ("a\udcff\ud83d", "a\udcff\ud83d"),
    "long str": ("é" * 5000, long_of("é".encode() * 5000, text=True)),
    "long surrogates": ("\udcff" * 3000, long_of(b"\xed\xb3\xbf" * 3000, text=True)),
    "bytes": (b"\0\xff", b"\0\xff"),
    "longest inline": (LETTERS[:8192], LETTERS[:8192]),
    "shortest long": (LETTERS[:8193], long_of(LETTERS[:8193])),
    "bytearray": (bytearray(b"ab"), Instance("bytearray", b"ab")),
    "long bytearray": (bytearray(LETTERS), Instance("bytearray", long_of(LETTERS))),
    "bytearray subclass": (Array(b"ab"), Instance(own("Array"), b"ab")),
    "memoryview": (memoryview(b"abc"), Instance("memoryview", b"abc")),
    "memoryview with strides": (memoryview(b"abcdef")[::2], Instance("memoryview", b"ace")),
    "memoryview of numbers": (memoryview(struct.pack("=2I", 1, 2)).cast("I"), Instance("memoryview", struct.pack("=2I", 1, 2))),
    "memoryview, released": (released(), Instance("memoryview", None)),
    "list": ([1, [2, "3"]], [1, [2, "3"]]),
    "tuple": ((1, (), b""), (1, (), b"")),
    "dict": ({"b": 1, "a": {}, 3: None, b"k": (1,)}, {"b": 1, "a": {}, 3: None, b"k": (1,)}),
    "str subclass": (Text("a"), Instance(own("Text"), "a")),
    "bytes subclass": (Octets(b"a"), Instance(own("Octets"), b"a")),
    "long bytes subclass": (Octets(LETTERS), Instance(own("Octets"), long_of(LETTERS))),
    "int subclass": (Number(2**70), Instance(own("Number"), 2**70)),
    "enum": (Colour.RED, Instance(own("Colour"), 3)),
    "float subclass": (Real(0.5), Instance(own("Real"), 0.5)),
    "list subclass": (Items([1]), Instance(own("Items"), [1])),
    "tuple subclass": (Pair((1, 2)), Instance(own("Pair"), (1, 2))),
    "named tuple": (Point(1, 2), Instance(own("Point"), (1, 2))),
    "dict subclass": (Fields(a=1), Instance(own("Fields"), {"a": 1})),
    "dict of another mind": (Lies(a=1), Instance(own("Lies"), {"a": 1})),
    "ordered dict": (OrderedDict(b=1, a=2), Instance("collections.OrderedDict", {"b": 1, "a": 2})),
    "object": (Strange(), Other(own("Strange"))),
    "built-in object": (range(3), Other("range")),
    "type": (int, Other("type")),
    "function": (describe, Other("function")),
    "16 deep": (nested(16), nested(16)),
    "17 deep": (nested(17), None),
    "inside itself": (LOOP, None),
    "too long": ([b"x" * 8000] * 140, Cut()),
}


def expected_depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list):
        value, depth = value[0], depth + 1
    assert value == Cut()
    return depth


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_the_same_bytes_from_both_recorders(name: str, tmp_path: Path) -> None:
    value, expected = VALUES[name]
    by_c, by_python = both(tmp_path, lambda traced: traced.begin({}).sent(value))
    assert by_c[-1].kind == "sent"
    assert by_c[-1].payload == by_python[-1].payload
    if name in ("17 deep", "inside itself"):
        assert expected_depth(by_c[-1].values[0]) == 16
    else:
        assert by_c[-1].values == [expected]
        assert type(by_c[-1].values[0]) is type(expected)


def test_not_a_number_keeps_its_bits(tmp_path: Path) -> None:
    by_c, by_python = both(tmp_path, lambda traced: traced.begin().sent(math.nan))
    assert by_c[-1].payload == by_python[-1].payload == b"d" + struct.pack("=d", math.nan)


def test_a_value_that_fits_the_longest_record_is_whole(traced: Traced) -> None:
    value = [b"x" * 8000] * 130
    traced.begin(value)
    assert traced.records()[0].values[0] == value


def test_a_scope_that_fits_only_without_the_properties_is_left_out(tmp_path: Path) -> None:
    scope = [b"x" * 7000] * 149 + [b"y" * 4721]  # 100 bytes below the limit

    def act(traced: Traced) -> None:
        traced.begin({}).sent(scope)
        traced.begin(scope)

    for records in both(tmp_path, act):
        assert len(records[1].payload) == (1 << 20) - 100
        assert records[1].values == [scope]
        assert records[2].values[0] == Cut()
        assert records[2].values[1]["loop"] == ""
