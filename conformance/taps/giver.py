"""How an answer gives a value: the `save` step that takes it from there.

Knows fields and contents as text, and the player's way to look. Knows nothing of which values are worth it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .coding import UNDONE, is_plain, written_anyhow

Fields = Sequence[tuple[str, str]]

_WORD = re.compile(r'[\w"-]')
_WORDS = re.compile("[A-Za-z0-9]+")
_IN_URL = re.compile(r"[?&;][A-Za-z0-9._~%\[\]-]+=$")  # before a parameter's value
_CONTEXT = 60  # characters before a value, to find it by
_NAME = re.compile("[A-Za-z0-9._-]+")


class Save(NamedTuple):
    """A `save` step."""

    name: str
    field: str  # "" for the content
    before: str
    after: str
    decode: str = ""  # codings of the grammar
    encode: str = ""

    def __str__(self) -> str:
        where = f"field {self.field}" if self.field else "body"
        codings = [f" {what} {coding}" for what, coding in (("decode", self.decode), ("encode", self.encode)) if coding]
        return f"save {self.name} from {where} between {quoted(self.before)} {quoted(self.after)}{''.join(codings)}"


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


def anywhere(name: str, value: str, fields: Fields, content: str, coding: str = "") -> Save | None:
    """In any field, else in the content, however it is written there. `coding`: in which it is to be saved."""
    for of in dict.fromkeys(given.lower() for given, _ in fields):
        lines = _lines(fields, of)
        for line in lines:
            if _NAME.fullmatch(of) and (found := _coded(name, of, line, value, lines, "", coding)):
                return found
    return _coded(name, "", content, value, [content], _kind(fields, content), coding)


def within(name: str, value: str, content: str, places: Iterable[int]) -> Save | None:
    """In the content, as it is, at one of these places."""
    found = next((found for at in places if (found := _between(content, at, value, [content]))), None)
    return Save(name, "", *found) if found else None


def last_segment(name: str, value: str, location: str) -> Save | None:
    """As the end of a path."""
    places = [at for at in _places(location, value) if location[at - 1 : at] == "/"]
    found = next((found for at in places if (found := _between(location, at, value, [location], "/"))), None)
    return Save(name, "location", *found) if found else None


def _kind(fields: Fields, content: str) -> str:
    """The coding of texts in such a content."""
    kind = next((line.lower() for name, line in fields if name.lower() == "content-type"), "") or content.lstrip()[:1]
    return "json" if "json" in kind or kind in ("{", "[") else "html" if re.search("html|xml|^<$", kind) else ""


def _coded(name: str, of: str, text: str, value: str, lines: Sequence[str], kind: str, coding: str) -> Save | None:
    for at, raw in _written(text, value):
        own = "percent" if _IN_URL.search(text, max(at - _CONTEXT, 0), at) else kind
        decode = next((coding for coding in dict.fromkeys((own, *UNDONE)) if UNDONE[coding](raw) == value), None)
        if decode is not None and (found := _between(text, at, raw, lines)):
            return Save(name, of, *found) if decode == coding else Save(name, of, *found, decode, coding)
    return None


def _lines(fields: Fields, name: str) -> list[str]:
    return [value for given, value in fields if given.lower() == name]


def _written(text: str, value: str) -> Iterator[tuple[int, str]]:
    """Where it stands by itself, and how it is written there."""
    if is_plain(value):
        yield from ((at, value) for at in _places(text, value))
        return
    if any(word in text for word in _WORDS.findall(value)):
        for found in written_anyhow(value).finditer(text):
            if _alone(text, *found.span()):
                yield found.start(), found[0]


def _places(text: str, value: str) -> Iterator[int]:
    """Where it stands by itself, as it is."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if _alone(text, at, end):
            yield at
        at = text.find(value, end)


def _alone(text: str, start: int, end: int) -> bool:
    """No part of a longer word or number."""
    begun = text[max(start - 1, 0) : start].isalnum() and text[start].isalnum()
    return not begun and not (text[end : end + 1].isalnum() and text[end - 1].isalnum())


def _between(text: str, at: int, raw: str, lines: Sequence[str], ends: str = "") -> tuple[str, str] | None:
    """What stands before and behind it, if the first place that fits them in the lines is this one, as a player looks. `ends`: what stands
    before ends so."""
    end = at + len(raw)
    after = text[end : end + 1]
    for size in (*range(min(at, 4), min(at, _CONTEXT)), min(at, _CONTEXT)):
        before = text[at - size : at]
        named = size == at or not (_WORD.match(before) and _WORD.match(text[at - size - 1]))  # no word is cut
        if named and before.endswith(ends) and _first(lines, before, after) == raw:
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
