"""Secrets in requests: where they stand, what stands for them instead, and which answer gives them again.

The same secret gets the same name wherever it stands. Where an earlier answer gave it, the request takes what that answer gives when it is
played; else the environment may; else a placeholder stands there, which an app refuses. Knows requests and responses as HAR tells of them.
Knows nothing of files.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from . import giver
from .giver import Save
from .har import Entry

ENVIRONMENT = "BRIDGECHECK_SECRET_"
FIELDS = frozenset(
    "authorization proxy-authorization cookie x-api-key x-auth-token x-access-token x-csrf-token x-csrftoken x-xsrf-token".split()
)
# Part of a name of a parameter, a form's field or a key in JSON, without what is neither letter nor digit.
WORDS = ("password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "credential", "sessionid", "jwt", "csrf", "xsrf")
_EXACT = ("auth", "pin", "otp", "sid", "session", "pass")
_LONG = 8  # characters from which on a secret is looked for everywhere, not only where its name tells it
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_JSON_PAIR = re.compile(r'("((?:[^"\\]|\\.)*)"\s*:\s*)(?:"((?:[^"\\]|\\.)*)"|(-?[0-9][0-9.eE+-]*))')
_PART = re.compile(
    r'(Content-Disposition:[^\r\n]*?\bname="([^"]*)"(?![^\r\n]*filename)[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)(.*?)(?=\r\n--)', re.I | re.S
)
_COOKIE = "cookie "  # begins the name of a cookie

Parts = list[bytes | str]  # bytes as they are; a str for the value that was saved under that name


@dataclass
class Secret:
    name: str
    value: str
    where: str  # it was first, for a person
    given: str | None = None  # by the environment
    saved: bool = False  # by an earlier answer

    @property
    def variable(self) -> str:
        return ENVIRONMENT + re.sub("[^A-Z0-9]", "_", self.name.upper())


@dataclass(frozen=True)
class Rewritten:
    """A request without its secrets."""

    target: Parts
    fields: list[tuple[str, Parts]]
    content: Parts
    givers: frozenset[int]  # the entries whose answers it needs


class _Coding(NamedTuple):
    decode: Callable[[str], str]
    encode: Callable[[str], str]


_PLAIN = _Coding(lambda raw: raw, lambda value: value)
_FORM = _Coding(unquote_plus, quote_plus)
_PERCENT = _Coding(unquote, lambda value: quote(value, safe=""))
_JSON = _Coding(lambda raw: json.loads(f'"{raw}"', strict=False), lambda value: json.dumps(value)[1:-1])
_NUMBER = _Coding(lambda raw: raw, lambda value: value if re.fullmatch(r"-?[1-9][0-9]*", value) else "1")
_Visit = Callable[[str, str, _Coding, str], str]  # name, raw value, coding, where: what stands there instead of it
_MARK = "\0\x1fsecret {}\x1f\0"  # stands for a saved value; in no text that anybody sends
_MARKED = re.compile("\0\x1fsecret ([A-Za-z0-9._-]+)\x1f\0")


class _Replacements:
    """Long texts, each with what stands for it, found by how they begin: a text is gone through once, however many there are."""

    def __init__(self) -> None:
        self._table: dict[str, list[tuple[str, str]]] = {}

    def add(self, raw: str, replacement: str) -> None:
        """Short ones are let through, and what is there already stays."""
        if len(raw) >= _LONG:
            beginning = self._table.setdefault(raw[:_LONG], [])
            if all(raw != other for other, _ in beginning):
                beginning.append((raw, replacement))
                beginning.sort(key=lambda pair: -len(pair[0]))

    def replace(self, text: str) -> str:
        done: list[str] = []
        start = at = 0
        while at + _LONG <= len(text):
            for raw, replacement in self._table.get(text[at : at + _LONG], ()):
                if text.startswith(raw, at):
                    done += (text[start:at], replacement)
                    start = at = at + len(raw)
                    break
            else:
                at += 1
        return "".join((*done, text[start:]))


class Secrets:
    """Those of the entries of one file, which are in the order of their time. `names` are those that secrets have by their values, also in
    other files."""

    def __init__(
        self,
        extra: Iterable[str] = (),
        kept: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
        names: dict[str, str] | None = None,
    ) -> None:
        self.found: dict[str, Secret] = {}  # by value
        self.saves: dict[int, list[Save]] = {}  # by the index of the entry whose answer gives them
        self._extra = {name.lower() for name in extra}
        self._kept = {name.lower() for name in kept}
        self._environment = environment or {}
        self._names = {} if names is None else names
        self._taken = set(self._names.values())
        self._numbers: Counter[str] = Counter()
        self._values = _Replacements()
        self._replacements: dict[tuple[_Coding, ...], _Replacements] = {}  # made when all are found
        self._givers: dict[str, int] = {}  # by a secret's name

    def look_through(self, entries: Sequence[Entry]) -> None:
        """Find all secrets, and the answers that give them."""
        for index, entry in enumerate(entries):

            def visit(name: str, raw: str, coding: _Coding, where: str, index: int = index, entry: Entry = entry) -> str:
                value = coding.decode(raw)
                if value and value not in self.found:
                    place = f"{where} of {entry.method} {_JWT.sub('…', entry.target.partition('?')[0])}"
                    self.found[value] = self._new(name, value, place, entries[:index], coding is not _NUMBER)
                return raw

            self._walk(entry, visit)

    def rewrite(self, entry: Entry) -> Rewritten:
        def visit(name: str, raw: str, coding: _Coding, where: str) -> str:
            secret = self.found.get(coding.decode(raw))
            return self._stand_in(secret, coding, raw) if secret else raw

        target, fields, content = self._walk(entry, visit)
        target = self._everywhere(target, _FORM, _PERCENT)
        fields = [(name, self._everywhere(value, _PLAIN, _FORM, _PERCENT)) for name, value in fields]
        content = self._everywhere(content, _JSON, _FORM, _PLAIN)
        whole = "".join((target, *(value for _, value in fields), content))
        used = set(_MARKED.findall(whole))
        return Rewritten(
            _parts(target, "ascii"),
            [(name, _parts(value, "utf-8")) for name, value in fields],
            _parts(content, "utf-8"),
            frozenset(self._givers[name] for name in used),
        )

    def _new(self, name: str, value: str, where: str, before: Sequence[Entry], may_be_saved: bool) -> Secret:
        if value not in self._names:
            self._names[value] = self._free(name)
        secret = Secret(self._names[value], value, where)
        self._values.add(value, "")
        secret.given = self._environment.get(secret.variable)
        for index in reversed(range(len(before))) if may_be_saved else ():
            if save := _giving(before[index], secret, name, self._values):
                self.saves.setdefault(index, []).append(save)
                self._givers[secret.name] = index
                secret.saved = True
                break
        return secret

    def _free(self, name: str) -> str:
        base = re.sub("[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60] or "secret"
        while True:
            self._numbers[base] += 1
            name = base if self._numbers[base] == 1 else f"{base}-{self._numbers[base]}"
            if name not in self._taken:
                self._taken.add(name)
                return name

    def _stand_in(self, secret: Secret, coding: _Coding, raw: str) -> str:
        if secret.saved and raw == secret.value:
            return _MARK.format(secret.name)
        return coding.encode(f"scrubbed-{secret.name}" if secret.given is None else secret.given)

    def _everywhere(self, text: str, *codings: _Coding) -> str:
        """Also where no name tells it, a long secret is one."""
        if codings not in self._replacements:
            table = self._replacements[codings] = _Replacements()
            for secret in self.found.values():
                for coding in codings:
                    raw = coding.encode(secret.value)
                    table.add(raw, self._stand_in(secret, coding, raw))
        return self._replacements[codings].replace(text)

    def _is_secret(self, name: str) -> bool:
        name = name.lower()
        plain = re.sub("[^a-z0-9]", "", name)
        return name not in self._kept and (name in self._extra or plain in _EXACT or any(word in plain for word in WORDS))

    def _walk(self, entry: Entry, visit: _Visit) -> tuple[str, list[tuple[str, str]], str]:
        """Target, fields and content, with the visitor's answer in the place of each secret."""
        path, mark, query = entry.target.partition("?")
        path = _JWT.sub(lambda found: visit("jwt", found[0], _PLAIN, "path"), path)
        target = path + mark + self._pairs(query, visit, "parameter")
        fields = [(name, self._field(name, value, visit)) for name, value in entry.fields]
        content = entry.content.decode("utf-8", "surrogateescape")
        kind = entry.field("content-type").lower()
        if "urlencoded" in kind:
            content = self._pairs(content, visit, "form field")
        elif "json" in kind:
            content = _JSON_PAIR.sub(lambda found: self._json(found, visit), content)
        elif "multipart" in kind:
            content = _PART.sub(lambda found: found[1] + self._named(found[2], found[3], _PLAIN, visit, "form field"), content)
        return target, fields, content

    def _named(self, name: str, raw: str, coding: _Coding, visit: _Visit, where: str) -> str:
        if self._is_secret(name):
            return visit(name, raw, coding, f"{where} {name}")
        return _JWT.sub(lambda found: visit(name, found[0], _PLAIN, f"{where} {name}"), raw)

    def _pairs(self, text: str, visit: _Visit, where: str) -> str:
        done = []
        for pair in text.split("&"):
            name, mark, raw = pair.partition("=")
            done.append(name + mark + self._named(unquote_plus(name), raw, _FORM, visit, where))
        return "&".join(done)

    def _json(self, found: re.Match[str], visit: _Visit) -> str:
        key = _JSON.decode(found[2])
        if found[3] is None:
            return found[1] + (visit(key, found[4], _NUMBER, f"key {key}") if self._is_secret(key) else found[4])
        return f'{found[1]}"{self._named(key, found[3], _JSON, visit, "key")}"'

    def _field(self, name: str, value: str, visit: _Visit) -> str:
        lower = name.lower()
        if lower in self._kept:
            return value
        if lower == "cookie":
            return "; ".join(self._cookie(pair, visit) for pair in value.split("; "))
        if lower in ("authorization", "proxy-authorization"):
            scheme, space, credentials = value.partition(" ")
            where = f"field {name}"
            return scheme + space + visit(scheme, credentials, _PLAIN, where) if space else visit(name, value, _PLAIN, where)
        if lower in FIELDS or lower in self._extra:
            return visit(name, value, _PLAIN, f"field {name}")
        if lower == "referer":
            return "?".join((value.partition("?")[0], self._pairs(value.partition("?")[2], visit, "parameter"))) if "?" in value else value
        return _JWT.sub(lambda found: visit(name, found[0], _PLAIN, f"field {name}"), value)

    def _cookie(self, pair: str, visit: _Visit) -> str:
        name, mark, raw = pair.partition("=")
        return name + mark + visit(f"{_COOKIE}{name}", raw, _PLAIN, f"cookie {name}") if mark and name.lower() not in self._kept else pair


def _parts(text: str, coding: str) -> Parts:
    parts: Parts = []
    for index, piece in enumerate(_MARKED.split(text)):
        if index % 2:
            parts.append(piece)
        elif piece:
            parts.append(piece.encode(coding, "surrogateescape" if coding == "utf-8" else "strict"))
    return parts


def _giving(entry: Entry, secret: Secret, name: str, secrets: _Replacements) -> Save | None:
    """The step that takes the secret from this answer. What it looks for holds no other secret. A short one may be anywhere by chance, so
    it must be a cookie that was set."""
    if name.startswith(_COOKIE) and (found := giver.cookie(secret.name, name.removeprefix(_COOKIE), secret.value, entry.answered)):
        return found
    if len(secret.value) < _LONG:
        return None
    return giver.anywhere(secret.name, secret.value, entry.answered, entry.answer, lambda before: secrets.replace(before) == before)
