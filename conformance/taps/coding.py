"""How a value is written where not every character may stand as it is: percent-coded in targets and forms, escaped in JSON and in HTML.

Knows texts. Knows nothing of where they stand.
"""

import html
import json
import re
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote, unquote_plus


class Coding(NamedTuple):
    decode: Callable[[str], str]
    encode: Callable[[str], str]
    character: re.Pattern[str]  # one, as it may be written

    def like(self, raw: str, value: str) -> str:
        """The value, with its characters as the raw text writes them, where it has them."""
        seen = {self.decode(written): written for written in self.character.findall(raw)}
        return "".join(seen.get(character) or self.encode(character) for character in value)


_PERCENT_CODED = re.compile("%[0-9A-Fa-f]{2}|.", re.S)

PLAIN = Coding(str, str, re.compile(".", re.S))
FORM = Coding(unquote_plus, quote_plus, _PERCENT_CODED)
COOKIE = Coding(unquote, str, _PERCENT_CODED)  # some write them percent-coded
JSON = Coding(
    lambda raw: json.loads(f'"{raw}"', strict=False), lambda value: json.dumps(value)[1:-1], re.compile(r"\\u[0-9A-Fa-f]{4}|\\?.", re.S)
)
HTML = Coding(html.unescape, html.escape, re.compile("&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);|.", re.S))

_HIGH, _LOW = r"u[dD][89abAB][0-9A-Fa-f]{2}", r"u[dD][c-fC-F][0-9A-Fa-f]{2}"
_JSON_ESCAPE = re.compile(rf'\\(?:["\\/bfnrt]|{_HIGH}\\{_LOW}|u[0-9A-Fa-f]{{4}})')
_HTML_ESCAPE = re.compile("&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,7})|(amp|lt|gt|quot|apos));")


def _json(found: re.Match[str]) -> str:
    value = json.loads(f'"{found[0]}"')
    return found[0] if len(value) == 1 and 0xD800 <= ord(value) < 0xE000 else value


def _html(found: re.Match[str]) -> str:
    code = int(found[1] or "0") or int(found[2] or "0", 16)
    return html.unescape(found[0]) if found[3] else chr(code) if code < 0xD800 or 0xDFFF < code < 0x110000 else found[0]


# The codings of `save` (docs/exchange.md), as the player undoes them.
UNDONE: dict[str, Callable[[str], str]] = {
    "": str,
    "percent": partial(unquote, errors="surrogateescape"),
    "json": partial(_JSON_ESCAPE.sub, _json),
    "html": partial(_HTML_ESCAPE.sub, _html),
}

_UNRESERVED = re.compile("[A-Za-z0-9._~-]*")
_NAMED = {"+": "&plus;", "/": "&sol;", "=": "&equals;", ":": "&colon;", "'": "&apos;", "`": "&grave;"}


def is_plain(value: str) -> bool:
    """Whether it is written in the same way everywhere."""
    return _UNRESERVED.fullmatch(value) is not None


@cache
def _any(character: str) -> str:
    """A pattern for each way to write it."""
    if is_plain(character):
        return re.escape(character)
    octets, code = quote(character, safe=""), ord(character)
    ways = {
        character,
        "\\" + character,
        quote_plus(character),
        json.dumps(character)[1:-1],
        html.escape(character),
        _NAMED.get(character, ""),
    }
    escaped = [octets, rf"&#0*{code};", rf"&#x0*{code:x};", *([rf"\\u{code:04x}", rf"\\x{code:02x}"] if code < 0x100 else [])]
    return f"({'|'.join(map(re.escape, sorted(ways - {''}, key=len, reverse=True)))}|(?i:{'|'.join(escaped)}))"


def written_anyhow(value: str) -> re.Pattern[str]:
    """It has a group for each character that may be written in several ways."""
    return re.compile("".join(map(_any, value)))


def alike(found: re.Match[str], value: str, instead: str) -> str:
    """What comes instead of a value that was found so, with its characters as they are written there."""
    seen = dict(zip((character for character in value if not is_plain(character)), found.groups(), strict=True))
    return "".join(seen.get(character, character) for character in instead)
