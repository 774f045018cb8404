"""Content of a message as it is compared: bytes behind their content coding, and JSON value by value.

Knows nothing of targets, connections or weights.
"""

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

INFLATED_MAX = 16 << 20  # bytes; what inflates further is compared as it came

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def _inflate(data: bytes, coding: str) -> bytes | None:
    """The whole of what is behind the coding, all members of it; None where it is broken, cut or too large."""
    plain = bytearray()
    while True:
        inflater = zlib.decompressobj(_WINDOWS[coding])
        try:
            plain += inflater.decompress(data, INFLATED_MAX + 1 - len(plain))
        except zlib.error:
            return None
        if not inflater.eof or len(plain) > INFLATED_MAX:
            return None
        data = inflater.unused_data
        if not data:
            return bytes(plain)


def _undated(data: bytes) -> bytes:
    """A gzip member carries the second it was made in."""
    return data[:4] + bytes(4) + data[8:] if data[:2] == b"\x1f\x8b" else data


def _reject(constant: str) -> Any:
    raise ValueError(constant)


@dataclass(frozen=True)
class Content:
    """What there is to compare of a content: all its bytes, or its beginning, or none, beside length and hash."""

    data: bytes | None
    length: int
    hash: int = 0  # where `data` is not all
    coding: str = ""  # what `data` is still behind
    json: bool = field(default=False, compare=False)  # how to compare it, no part of what it is

    @classmethod
    def of(cls, data: bytes | None, length: int, digest: int, coding: str, media_type: str) -> "Content":
        """`data` is the content or its beginning, as it came; None where only length and hash are known."""
        whole = data if data is not None and len(data) == length else None
        if coding in _WINDOWS:
            whole = _inflate(whole, coding) if whole is not None else None
            if whole is None:  # the hash has that second in it
                return cls(None if data is None else _undated(data), length, 0, coding)
        if whole is None:
            return cls(None, length, digest)
        return cls(whole, len(whole), json=media_type == "application/json" or media_type.endswith("+json"))

    def text(self) -> str:
        """What is compared as JSON. ValueError where it is no text."""
        assert self.data is not None
        return self.data.decode()


MISSING = object()

# Path, with `[*]` for every index; place, with the indexes; both values (MISSING for
# none, tuples of keys where keys that are data stand on one side only).
Change = tuple[str, str, Any, Any]

# A key of other characters, or of many digits, is taken for data (an id, a date, an address): like an index, it stands in no path.
_NAME = re.compile(r"[A-Za-z_$@][A-Za-z_$-]{0,39}[0-9]{0,3}")
_SCALAR = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[^\s"{}\[\],:]+')


def json_changes(reference: str, candidate: str) -> tuple[list[Change], bool]:
    """Where two JSON texts differ in value, and whether they are written differently besides: order of keys, white space, escapes.
    That is not told where their shape differs. ValueError or RecursionError where one cannot be read."""
    changes = list(_changes(_read(reference), _read(candidate), "$", "$"))
    if any(value is MISSING or isinstance(value, (dict, list, tuple)) for change in changes for value in change[2:]):
        return changes, False
    moved = sum(left != right for left, right in zip(_SCALAR.findall(reference), _SCALAR.findall(candidate), strict=False))
    return changes, moved != len(changes) or _SCALAR.sub("*", reference) != _SCALAR.sub("*", candidate)


def _read(text: str) -> Any:
    return json.loads(text, parse_constant=_reject)


def _changes(reference: Any, candidate: Any, path: str, place: str) -> Iterator[Change]:
    if isinstance(reference, dict) and isinstance(candidate, dict):
        data: tuple[list[str], list[str]] = ([], [])  # keys that are data and stand on one side only
        for key in sorted(reference.keys() | candidate.keys()):
            named = _NAME.fullmatch(key)
            if key in reference and key in candidate:
                inside = f"{place}.{key}" if named else f"{place}[{json.dumps(key)}]"
                yield from _changes(reference[key], candidate[key], f"{path}.{key if named else '*'}", inside)
            elif named:
                yield f"{path}.{key}", f"{place}.{key}", reference.get(key, MISSING), candidate.get(key, MISSING)
            else:
                data[key in candidate].append(key)
        if data != ([], []):
            yield f"{path}.*", f"{place}.*", tuple(data[0]), tuple(data[1])
    elif isinstance(reference, list) and isinstance(candidate, list):
        for index, (left, right) in enumerate(zip(reference, candidate, strict=False)):
            yield from _changes(left, right, f"{path}[*]", f"{place}[{index}]")
        shared = min(len(reference), len(candidate))
        if len(reference) != len(candidate):  # once, however many there are
            yield f"{path}[*]", f"{place}[*]", (*reference[shared:], MISSING)[0], (*candidate[shared:], MISSING)[0]
    elif type(reference) is not type(candidate) or reference != candidate:
        yield path, place, reference, candidate
