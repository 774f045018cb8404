"""How an answer gives a value: the `save` step that takes it from there.

Knows fields and contents as text, and the player's way to look. Knows nothing of which values are worth it.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

Fields = Sequence[tuple[str, str]]

_WORD = re.compile(r'[\w"-]')
_CONTEXT = 60  # characters before a value, to find it by
_NAME = re.compile("[A-Za-z0-9._-]+")


class Save(NamedTuple):
    """A `save` step."""

    name: str
    field: str  # "" for the content
    before: str
    after: str

    def __str__(self) -> str:
        where = f"field {self.field}" if self.field else "body"
        return f"save {self.name} from {where} between {quoted(self.before)} {quoted(self.after)}"


def cookie(name: str, cookie: str, value: str, fields: Fields) -> Save | None:
    """As Set-Cookie sets it."""
    lines = _lines(fields, "set-cookie")
    before = f"{cookie}="
    for after in (";", ""):
        if any(line.startswith(before + value + after) for line in lines) and _first(lines, before, after) == value:
            return Save(name, "set-cookie", before, after)
    return None


def field(name: str, of: str, value: str, fields: Fields) -> Save | None:
    """As the end of a field's value."""
    lines = _lines(fields, of)
    for line in lines:
        before = line.removesuffix(value)
        if before != line and _first(lines, before, "") == value:
            return Save(name, of, before, "")
    return None


def anywhere(name: str, value: str, fields: Fields, content: str, fit: Callable[[str], bool] = lambda before: True) -> Save | None:
    """In any field, else in the content. `fit`: whether a text may be what the value is found by."""
    for of in dict.fromkeys(given.lower() for given, line in fields if value in line):
        lines = _lines(fields, of)
        for line in lines:
            if _NAME.fullmatch(of) and (found := _between(line, value, lines, _places(line, value), fit)):
                return Save(name, of, *found)
    return within(name, value, content, _places(content, value), fit)


def within(
    name: str, value: str, content: str, places: Iterable[int], fit: Callable[[str], bool] = lambda before: True
) -> Save | None:
    """In the content, at one of these places."""
    found = _between(content, value, [content], places, fit)
    return Save(name, "", *found) if found else None


def _lines(fields: Fields, name: str) -> list[str]:
    return [value for given, value in fields if given.lower() == name]


def _places(text: str, value: str) -> Iterable[int]:
    """Where it stands by itself: no part of a longer word or number."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (text[max(at - 1, 0) : at].isalnum() and value[0].isalnum()) and not (text[end : end + 1].isalnum() and value[-1].isalnum()):
            yield at
        at = text.find(value, end)


def _between(text: str, value: str, lines: Sequence[str], places: Iterable[int], fit: Callable[[str], bool]) -> tuple[str, str] | None:
    """What stands before and behind the value, if the first place that fits them in the lines is that of the value, as a player looks."""
    for at in places:
        end = at + len(value)
        after = text[end : end + 1]
        for size in (*range(min(at, 4), min(at, _CONTEXT)), min(at, _CONTEXT)):
            before = text[at - size : at]
            named = size == at or not (_WORD.match(before) and _WORD.match(text[at - size - 1]))  # no word is cut
            if named and fit(before) and _first(lines, before, after) == value:
                return before, after
    return None


def _first(lines: Sequence[str], before: str, after: str) -> str | None:
    for line in lines:
        start = line.find(before)
        end = line.find(after, start + len(before)) if after else len(line)
        if start >= 0 and end >= 0:
            return line[start + len(before) : end]
    return None


def quoted(given: str, encoding: str = "utf-8") -> str:
    """A TEXT of the grammar."""
    octets = given.encode(encoding, "surrogateescape" if encoding == "utf-8" else "strict")
    escapes = {ord("\\"): "\\\\", ord('"'): '\\"', ord("$"): "\\$"}
    return '"' + "".join(escapes.get(octet) or (chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}") for octet in octets) + '"'
