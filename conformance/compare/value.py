"""Values as facts hold them: by exact type, in words that can always be written.

Takes what a trace carries, of whatever an app or a server put there. Knows nothing of paths, facts or targets.
"""

from dataclasses import dataclass
from typing import Any

from .._player import Instance

_LONG = {"length", "hash", "first", "last"}
SIMPLE = frozenset((str, bytes, int, bool, float, type(None)))  # most values are of these: the short way through what follows


@dataclass(frozen=True)
class Container:
    """A container by its type; its parts are facts of their own."""

    type: str

    def __repr__(self) -> str:
        return self.type


@dataclass(frozen=True)
class Port:
    """A port that we chose, the target's or the player's: another in each replay. The type it had is the fact."""

    type: str


@dataclass(frozen=True)
class Long:
    """Bytes or text too long to be traced whole."""

    type: str
    length: int
    hash: int
    first: Any
    last: Any


@dataclass(frozen=True)
class Length:
    """The value of a content-length field. Two that each fit their content are the same: the content itself is compared."""

    text: bytes
    fits: bool
    type = "bytes"

    def __repr__(self) -> str:
        return repr(self.text)


def text(value: Any) -> str:
    """A word for a path or a kind: never fails, never holds what cannot be written as UTF-8."""
    if type(value) is bytes:
        return value.decode("latin-1")
    try:
        word = value if type(value) is str else repr(value)
    except ValueError:  # an int of more digits than Python writes
        word = type_name(value)
    return word.encode("utf-8", "backslashreplace").decode()


def type_name(value: Any) -> str:
    """The exact type, as the app saw it."""
    if type(value) in SIMPLE:
        return type(value).__name__
    if isinstance(value, (Instance, Container, Port, Long, Length)):
        return text(value.type)
    return type(value).__qualname__


def leaf(value: Any) -> Any:
    """A value that has no parts, where the trace may have shortened it."""
    if type(value) is dict and value.keys() == _LONG:
        return Long(type(value["first"]).__qualname__, value["length"], value["hash"], value["first"], value["last"])
    return value


def plain(value: Any) -> Any:
    """The value that an instance of a subclass holds. An object of which only the type is known stays what it is."""
    if type(value) in SIMPLE:
        return value
    return leaf(value.value if isinstance(value, Instance) and value.value is not None else value)


def pairs(value: Any) -> list[tuple[str, Any, Any]] | None:
    """What should be a list of names and values: type of each pair, name, value. None where it is not."""
    listed = plain(value)
    if type(listed) not in (list, tuple):
        return None
    found = [(type_name(pair), plain(pair)) for pair in listed]
    if not all(type(pair) in (list, tuple) and len(pair) == 2 for _, pair in found):
        return None
    return [(kind, leaf(pair[0]), leaf(pair[1])) for kind, pair in found]


def same(one: Any, other: Any) -> bool:
    """Equal in value and in exact type, all the way down: 1, True and 1.0 are three values, and NaN is one."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        left, right = ({(type_name(key), text(key)): value for key, value in side.items()} for side in (one, other))
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(one, Instance):
        return bool(one.type == other.type) and same(one.value, other.value)
    if isinstance(one, Long):  # field by field: whether == of dataclasses takes NaN for itself depends on the Python
        return same((one.type, one.length, one.hash, one.first, one.last), (other.type, other.length, other.hash, other.first, other.last))
    if isinstance(one, Length):
        return one.text == other.text or (one.fits and other.fits)
    if isinstance(one, float):
        return one.hex() == other.hex()
    return bool(one == other)
