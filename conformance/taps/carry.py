"""Which values of requests earlier answers gave, by rules: cookies, validators, places, ids, and whatever looks like chance made it.

What a client said before an answer did is the client's own and never carried. Knows messages. Knows nothing of exchanges.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlsplit

from . import giver
from .coding import UNDONE
from .giver import Save
from .message import Answer, Request, Span

# Fields of requests that hold nothing an answer gave.
_PLAIN_FIELDS = re.compile(
    "host|user-agent|accept.*|content-.*|connection|keep-alive|transfer-encoding|te|expect|upgrade.*|origin|referer|cache-control|pragma"
    "|date|dnt|via|range|forwarded|x-forwarded-.*|x-real-ip|sec-(?!websocket-protocol).*|priority"
)
_ENTITY_TAG = re.compile(r'(?:W/)?"[^"]*"')
_LONG = 8  # characters from which on a value is looked for wherever it may stand
_RUN = re.compile("[A-Za-z0-9]{4,}")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\.|&#?[A-Za-z0-9]{1,8};")  # percent, JSON, JavaScript, HTML
_MOMENT = re.compile(r"\d{4}-?\d\d-?\d\d([T ].*)?|\d\d:\d\d.*|\d+(\.\d+)+")  # a date, a time, a version or an address
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_UUID_IN = re.compile(f"(?<![0-9a-z]){_UUID.pattern}(?![0-9a-z])", re.I)
_WORD_IN = re.compile(f"(?<![A-Za-z0-9])(?!eyJ)[A-Za-z0-9_+/-]{{{_LONG},}}={{0,2}}")  # all tokens of JSON Web Signature begin alike
_CREDENTIALS = re.compile(r"(?:Bearer|Basic|Token|JWT) +(\S+)", re.I)
_CHANCE = re.compile("(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")  # where the kind of character changes
_CAPITALS = re.compile("[A-Z](?=[A-Z])")
_JSON_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|(?<![\w.])(-?[0-9]+)(?![\w.])')
_ID = re.compile("(.*_)?(id|uuid)|.*[a-z](Id|ID)", re.S)
_PART = re.compile(
    r'Content-Disposition:[^\r\n]*?\bname="([^"]*)"(?![^\r\n]*filename)[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)(?=\r\n--)', re.I | re.S
)
_GIVERS = 4  # answers that are remembered for one word
_SCANNED = 1 << 16  # bytes of a request's content


class Unit(NamedTuple):
    """A value in a request."""

    kind: str  # "cookie", "field", "etag", "date", "path", "named", "message"
    name: str
    raw: str  # as it is written there
    place: Span
    coding: str = ""  # of save, in which it is written

    @property
    def value(self) -> str:
        return unquote_plus(self.raw) if self.coding == "percent" and self.kind == "named" else UNDONE[self.coding](self.raw)


@dataclass(frozen=True)
class Given:
    """Where a value comes from."""

    key: tuple[str, ...]  # the same for what is the same value
    label: str  # to make a name of
    answer: int
    save: Save  # without a name yet
    coding: str = ""  # in which it is saved


def looks_random(value: str) -> bool:
    """Long, and letters and digits mixed as no person mixes them; where it is longer, it may have no digit by chance, but small letters
    between capitals that stand together."""
    if _UUID.fullmatch(value):
        return True
    if len(value) < _LONG or not value.isascii() or re.search(r"[\s\"<>]", value) or _MOMENT.fullmatch(value):
        return False
    if value.isdigit():
        return len(value) >= 12
    digits = any(c.isdigit() for c in value) or (len(value) >= 2 * _LONG and len(_CAPITALS.findall(value)) >= 2)
    return digits and any(c.isalpha() for c in value) and len(_CHANCE.findall(value)) >= 3


def units(data: bytes, request: Request) -> Iterator[Unit]:
    """The values of a request that an answer may have given, each as it stands there."""
    target = data[slice(*request.target)].decode("latin-1")
    path, mark, query = target.partition("?")
    before = ""
    for segment in re.finditer("[^/]+", path):
        yield Unit("path", before, segment[0], _moved(segment.span(), request.target.start), _percent(segment[0]))
        before = segment[0]
    yield from _pairs(query, request.target.start + len(path + mark))
    for name, place in request.fields:
        yield from _of_field(name, data[slice(*place)].decode("latin-1"), place)
    kind = next((data[slice(*place)].decode("latin-1").lower() for place in request.places("content-type")), "")
    for place in request.content:  # a value that two chunks share is left as it is
        yield from _of_content(kind, data[slice(*place)].decode("latin-1"), place.start)


def _parts(unit: Unit) -> Iterator[Unit]:
    """Words in a value, as `report-UUID.pdf` has one; what is escaped stands between them. Credentials are one behind their scheme."""
    if credentials := _CREDENTIALS.fullmatch(unit.raw):
        yield unit._replace(raw=credentials[1], place=_moved(credentials.span(1), unit.place.start))
        return
    raw = _ESCAPE.sub(lambda found: "\0" * len(found[0]), unit.raw)
    for word in list(_UUID_IN.finditer(raw)) or _WORD_IN.finditer(raw):
        if word[0] != raw:
            yield unit._replace(raw=word[0], place=_moved(word.span(), unit.place.start))


def _moved(span: tuple[int, int], by: int) -> Span:
    return Span(span[0] + by, span[1] + by)


def _percent(raw: str) -> str:
    """The coding of what has to be percent-coded only here and there."""
    return "percent" if "%" in raw else ""


def _pairs(text: str, start: int) -> Iterator[Unit]:
    """What is written here is coded, whether the recorded value had to be or not."""
    for pair in re.finditer("([^&=]+)=([^&]+)", text):
        yield Unit("named", unquote_plus(pair[1]), pair[2], _moved(pair.span(2), start), "percent")


def _of_field(name: str, value: str, place: Span) -> Iterator[Unit]:
    if name == "cookie":
        for pair in re.finditer(r"([^=;\s]+)=([^;]+)", value):
            yield Unit("cookie", pair[1], pair[2], _moved(pair.span(2), place.start), _percent(pair[2]))
    elif name in ("if-match", "if-none-match") or (name == "if-range" and '"' in value):
        for tag in _ENTITY_TAG.finditer(value):
            yield Unit("etag", "etag", tag[0], _moved(tag.span(), place.start))
    elif name in ("if-modified-since", "if-unmodified-since", "if-range"):
        yield Unit("date", "last-modified", value, place)
    elif name in ("authorization", "proxy-authorization"):
        scheme, space, credentials = value.partition(" ")
        if credentials:
            yield Unit("field", scheme.lower(), credentials, Span(place.start + len(scheme + space), place.end))
    elif value and not _PLAIN_FIELDS.fullmatch(name):
        yield Unit("field", name, value, place)


def _of_content(kind: str, text: str, start: int) -> Iterator[Unit]:
    if "urlencoded" in kind:
        yield from _pairs(text, start)
    elif "json" in kind:
        key = ""
        for token in _JSON_TOKEN.finditer(text):
            if token[2]:
                key = token[1]
            elif token[1] != "":
                group = 3 if token[1] is None else 1
                yield Unit("named", key, token[group], _moved(token.span(group), start), "json" if group == 1 else "")
    elif "multipart" in kind:
        for part in _PART.finditer(text):
            if part[2]:
                yield Unit("named", part[1], part[2], _moved(part.span(2), start))


def _of_message(text: str) -> Iterator[Unit]:
    if text.lstrip()[:1] in ("{", "["):
        yield from _of_content("json", text, 0)
    else:
        yield Unit("message", "message", text, Span(0, len(text)))


class Memory:
    """What was said and answered so far, in the order in which it was."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self._said: set[tuple[str, ...]] = set()  # words and keys of values, in requests
        self._words: dict[str, list[int]] = {}  # the first answers that gave a word
        self._given: dict[tuple[str, ...], tuple[int, Save]] = {}  # short values, by the key of where they may stand

    def find(self, data: bytes, request: Request) -> list[tuple[Unit, Given]]:
        """What earlier answers gave of this request; then it is said."""
        path = data[slice(*request.target)].decode("latin-1").partition("?")[0]
        end = min(request.end, request.content[0].start + _SCANNED if request.content else request.end)
        found = [(unit, _keys(unit, path, request.target.start)) for unit in units(data, request)]
        return self._find(found, data[request.start : end])

    def find_in_message(self, text: bytes) -> list[tuple[Unit, Given]]:
        """The same of a text that a client says over a WebSocket."""
        return self._find([(unit, _keys(unit, "", 0)) for unit in _of_message(text.decode("latin-1"))], text[:_SCANNED])

    def _find(self, found: list[tuple[Unit, list[tuple[str, ...]]]], said: bytes) -> list[tuple[Unit, Given]]:
        given: list[tuple[Unit, Given]] = []
        for unit, keys in found:
            whole = self._origin(unit, keys)
            if whole is not None:
                given.append((unit, whole))
            else:
                given += [(part, origin) for part in _parts(unit) if (origin := self._origin(part, []))]
        self._said.update(key for _, keys in found for key in keys)
        self._said.update((word,) for word in _words(said.decode("latin-1")))
        return given

    def add(self, answer: Answer, method: str, path: str) -> int:
        """An answer to such a request; its number."""
        number = len(self.answers)
        self.answers.append(answer)
        for name, value in answer.fields:
            lower = name.lower()
            if lower == "set-cookie":
                cookie, _, rest = value.partition("=")
                self._may_give(("cookie", cookie.strip(), rest.partition(";")[0]), number, giver.cookie)
            elif lower in ("etag", "last-modified"):
                self._may_give((lower, path, value), number, giver.field)
            elif lower == "location":
                self._place(number, value)
        if method == "POST" and answer.status // 100 == 2:
            self._ids(number, path.rstrip("/"), answer)
        everything = "\n".join((*(value for _, value in answer.fields), answer.content))
        for word in set(_words(everything)):
            if (word,) not in self._said:
                givers = self._words.setdefault(word, [])
                if len(givers) < _GIVERS:
                    givers.append(number)
        return number

    def _origin(self, unit: Unit, keys: list[tuple[str, ...]]) -> Given | None:
        for key in keys:
            if key in self._given:
                answer, save = self._given[key]
                return Given(key, save.name, answer, save)
        value = unit.value.strip('W/"') if unit.kind == "etag" else unit.value
        if not looks_random(value):
            return None
        known = sorted((self._words.get(word, []) for word in _RUN.findall(value)), key=len)
        for answer in dict.fromkeys(answer for givers in known for answer in givers):
            given = self.answers[answer]
            if save := giver.anywhere("", unit.value, given.fields, given.content, unit.coding):
                label = unit.name if unit.kind != "path" else f"{_singular(unit.name)}-id"
                return Given(("value", unit.value), label, answer, save, unit.coding)
        return None

    def _may_give(self, key: tuple[str, ...], answer: int, find: Any) -> None:
        """What the client said first is its own, also when an answer repeats it."""
        if key in self._given or key not in self._said:
            kind, name, value = key
            what = name if kind == "cookie" else kind
            if value and (save := find(what, what, value, self.answers[answer].fields)):
                self._given[key] = (answer, save)

    def _place(self, answer: int, location: str) -> None:
        """The last segment of where something is, if it is no word."""
        path = urlsplit(location).path
        parent, _, last = path.rstrip("/").rpartition("/")
        key = ("path", parent, last)
        if not any(c.isdigit() for c in last) or key in self._said or key in self._given:
            return
        if save := giver.last_segment("", last, location):
            self._given[key] = (answer, save._replace(name=f"{_singular(parent)}-id"))

    def _ids(self, answer: int, path: str, given: Answer) -> None:
        """What a POST made: its id is a segment behind the path, or has a name that says whose it is."""
        try:
            data = json.loads(given.content)
        except ValueError:
            return
        for key, value in data.items() if isinstance(data, dict) else ():
            if not _ID.fullmatch(key) or isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
                continue
            text = str(value)
            kind = _singular(path)
            names = {f"{kind}_id", f"{kind}Id"} if key.lower() in ("id", "uuid") else {key}
            keys = [("path", path, text), *(("named", name, text) for name in sorted(names))]
            before = re.compile(rf'"{re.escape(key)}"\s*:\s*"?(?={re.escape(text)}[",}}\s])')
            places = [found.end() for found in before.finditer(given.content)]
            save = giver.within(f"{kind}-id" if key == "id" else key, text, given.content, places)
            for key_of in keys if save else ():
                if key_of not in self._said and key_of not in self._given:
                    self._given[key_of] = (answer, save)


def _keys(unit: Unit, path: str, start: int) -> list[tuple[str, ...]]:
    """By which a short value may be known to have been given, in a request whose target begins at START."""
    if unit.kind == "path":
        return [("path", path[: unit.place.start - start].rstrip("/"), unit.raw)]
    if unit.kind in ("etag", "date"):
        return [(unit.name, path, unit.raw)]
    return [(unit.kind, unit.name, unit.raw if unit.kind == "cookie" else unit.value)]


def _words(text: str) -> list[str]:
    """Also of values that are written with escapes."""
    plain = _ESCAPE.sub(" ", text)
    return [*_RUN.findall(text), *(_RUN.findall(plain) if plain != text else ())]


def _singular(path: str) -> str:
    word = re.sub("[^A-Za-z0-9]+", "", path.rpartition("/")[2]).lower()
    return f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s") or "its"
