"""Content of a message as it is compared: bytes behind their content coding, and JSON value by value.

Knows nothing of targets, connections or weights.
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

INFLATED_MAX = 16 << 20  # bytes; what inflates further is compared as it came


def _inflate(data: bytes, coding: str) -> bytes | None:
    window = {"gzip": 31, "deflate": 15}.get(coding)
    if window is None:
        return None
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(data, INFLATED_MAX)
    except zlib.error:
        return None
    return plain if inflater.eof and not inflater.unused_data else None


def _reject(constant: str) -> Any:
    raise ValueError(constant)


@dataclass(frozen=True)
class Content:
    """`data` is None where only length and hash are known: content too long to be carried whole."""

    data: bytes | None
    length: int
    hash: int
    json: bool = False

    @classmethod
    def of(cls, data: bytes | None, length: int, digest: int, coding: str, media_type: str) -> "Content":
        """Undo the content coding where the whole content is there. A gzip member carries the second it was made in, so a coded
        content that is not there whole is known by its length alone."""
        if data is not None and coding:
            plain = _inflate(data, coding)
            if plain is not None:
                data, length, digest = plain, len(plain), 0
        elif coding:
            digest = 0
        if data is not None:
            length, digest = len(data), 0
        return cls(data, length, digest, media_type == "application/json" or media_type.endswith("+json"))

    def parsed(self) -> Any:
        """The JSON value, or an exception (ValueError, RecursionError)."""
        assert self.data is not None
        return json.loads(self.data, parse_constant=_reject)


MISSING = object()


def json_changes(reference: Any, candidate: Any, path: str = "$", place: str = "$") -> Iterator[tuple[str, str, Any, Any]]:
    """Where two JSON values differ: path with `[*]` for every index, place with the indexes, both values (MISSING for none)."""
    if isinstance(reference, dict) and isinstance(candidate, dict):
        for key in sorted(reference.keys() | candidate.keys()):
            left, right = reference.get(key, MISSING), candidate.get(key, MISSING)
            yield from json_changes(left, right, f"{path}.{key}", f"{place}.{key}")
    elif isinstance(reference, list) and isinstance(candidate, list):
        for index in range(max(len(reference), len(candidate))):
            left = reference[index] if index < len(reference) else MISSING
            right = candidate[index] if index < len(candidate) else MISSING
            yield from json_changes(left, right, f"{path}[*]", f"{place}[{index}]")
    elif type(reference) is not type(candidate) or reference != candidate:
        yield path, place, reference, candidate
