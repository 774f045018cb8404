"""Values of scopes and events as they are judged: live ones, or what a trace kept of one.

Knows the types that ASGI allows. Knows nothing of events.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

SHOWN_MAX = 80
_NUMBERS = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Traced:
    """What a trace kept of a value that it could not carry as it was: the name of its exact type, the plain type whose subclass that is,
    the value where it is short, its length where it is long."""

    type: str
    subclass_of: type | None = None
    value: Any = None
    length: int = 0

    def __repr__(self) -> str:
        return f"{self.type} of {self.length} bytes" if self.length else self.type if self.value is None else repr(self.value)


UNKNOWN = Traced("(cut)")  # was too deep or too large to be traced: nothing is said about it


def holds(value: Any, kind: type) -> bool:
    """Whether it is of this type or of a subclass; a bool is no int here."""
    if isinstance(value, Traced):
        return value is UNKNOWN or value.type == kind.__name__ or value.subclass_of is kind
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def between(value: Any, kind: type) -> bool:
    """Whether it is of a subclass of str or bytes, which are to be exact."""
    if isinstance(value, Traced):
        return value is not UNKNOWN and value.subclass_of is kind
    return isinstance(value, kind) and type(value) is not kind


def plain(value: Any) -> Any:
    """The value inside, where a trace kept it."""
    return value.value if isinstance(value, Traced) else value


def size(value: Any) -> int:
    """The length of bytes."""
    if isinstance(value, Traced):
        return value.length or len(value.value or b"")
    return value.nbytes if isinstance(value, memoryview) else len(value)


def type_name(value: Any) -> str:
    return value.type if isinstance(value, Traced) else type(value).__qualname__


def shown(value: Any) -> str:
    """For a message: bounded, and never fails."""
    try:
        text = repr(value)
    except Exception:  # an app's own object, or an int too long to write down
        text = type_name(value)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"


def faults(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Rule, what and detail for everything in a value of an event that ASGI does not allow there."""
    if value is None or value is UNKNOWN or type(value) in (bool, str, bytes):
        return
    if holds(value, int):
        if plain(value) not in _NUMBERS:
            yield "MSG-02", "an integer in an event does not fit 64 bits", path
    elif holds(value, float):
        if not isfinite(plain(value)):
            yield "MSG-03", "a float in an event is not finite", f"{path}: {shown(value)}"
    elif type(value) is dict:
        for key, item in value.items():
            if not holds(key, str):
                yield "MSG-05", "a dict in an event has a key that is no str", f"{path}: {shown(key)}"
            yield from faults(item, f"{path}[{shown(key)}]")
    elif isinstance(value, (list, tuple)):
        if isinstance(value, tuple):
            yield "MSG-04", "a tuple in an event", path
        for index, item in enumerate(value):
            yield from faults(item, f"{path}[{index}]")
    elif between(value, str) or between(value, bytes):
        yield "GEN-SCOPE-09", "a subclass of str or bytes in an event", f"{path}: {type_name(value)}"
    else:
        yield "MSG-01", "a value in an event is of a type that events do not have", f"{path}: {type_name(value)}"
