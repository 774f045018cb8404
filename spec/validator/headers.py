"""Header lists that an application gives: their shape, their types, and what HTTP lets stand in them.

Knows which rules speak of which list. Knows nothing of events and their order.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .value import UNKNOWN, Traced, between, holds, plain, shown, type_name

Tell = Callable[[str, str, str], None]
Header = tuple[bytes, bytes]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LINE_BREAK = re.compile(rb"[\r\n\0]")


@dataclass(frozen=True)
class HeaderRules:
    """The rules that ask the same of one kind of list."""

    shape: str
    octets: str
    lower: str
    pseudo: str


RESPONSE = HeaderRules("HTTP-START-25", "HTTP-START-11", "HTTP-START-10", "HTTP-START-12")
ACCEPT = HeaderRules("WS-ACC-06", "WS-ACC-06", "WS-ACC-06", "WS-ACC-09")
PUSH = HeaderRules("EXT-PUSH-03", "EXT-PUSH-03", "EXT-PUSH-03", "EXT-PUSH-03")
TRAILERS = HeaderRules("EXT-TRAIL-06", "EXT-TRAIL-06", "EXT-TRAIL-06", "EXT-TRAIL-06")


def _pairs(headers: Any, rules: HeaderRules, tell: Tell) -> Iterator[tuple[Any, Any]]:
    if isinstance(headers, (str, bytes, dict)) or not (isinstance(headers, (Traced, Iterable))):
        tell(rules.shape, "headers are not an iterable of pairs", type_name(headers))
        return
    if isinstance(headers, Traced) or iter(headers) is headers:
        return  # can be walked through once only, and that is the server's
    for pair in headers:
        if isinstance(pair, (list, tuple)) and len(pair) == 2:
            yield pair[0], pair[1]
        elif isinstance(pair, (list, tuple, str, bytes, dict)) or not isinstance(pair, (Traced, Iterable)):
            tell(rules.shape, "a header is not a pair of name and value", shown(pair))


def _octets(value: Any, rules: HeaderRules, tell: Tell) -> bytes | None:
    if type(value) is bytes:
        return value
    if not holds(value, bytes):
        tell(rules.octets, "a header name or value is not bytes", f"{shown(value)}, {type_name(value)}")
        return None
    if between(value, bytes):
        tell("GEN-SCOPE-09", "a subclass of bytes among the headers", type_name(value))
    held = plain(value)
    return bytes(held) if isinstance(held, bytes) else None


def checked(headers: Any, rules: HeaderRules, tell: Tell) -> list[Header]:
    """Tell what is wrong with them, and give those that can be read: names in lower case, values stripped."""
    if headers is UNKNOWN:
        return []
    read = []
    for first, second in _pairs(headers, rules, tell):
        name, value = _octets(first, rules, tell), _octets(second, rules, tell)
        if name is not None:
            lowered = name.lower()
            if name[:1] == b":":
                tell(rules.pseudo, "a pseudo header among the headers", shown(name))
            elif not _TOKEN.fullmatch(name):
                tell("HTTP-HDR-04", "a header name that is no token", shown(name))
            elif lowered != name:
                tell(rules.lower, "a header name that is not lower case", shown(name))
            if value is not None:
                read.append((lowered, value.strip(b" \t")))
        if value is not None and _LINE_BREAK.search(value):
            tell("HTTP-HDR-04", "a header value with a CR, LF or NUL in it", shown(value))
    return read
