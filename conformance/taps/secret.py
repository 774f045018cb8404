"""Secrets in what was recorded: where they stand, and what stands for them instead.

The same secret gets the same stand-in wherever it stands, in requests and in answers, so that what an answer gave to a request is still to
be seen (carry.py finds it then). Of what no answer gave, the environment may give the value. Knows requests and answers as HAR
tells of them. Knows nothing of files.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import unquote_plus

from .coding import COOKIE, FORM, HTML, JSON, PLAIN, Coding, alike, is_plain, written_anyhow
from .har import Entry, Fields, Message

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
_URL_PAIR = re.compile(r"(?<=[?&#])([^=&?#\s]+)=([^&#\s;,>\"]+)")  # in a URL that stands in a field
_TAG = re.compile(r"<(?:input|meta)\b[^>]*>", re.I)
_ATTRIBUTE = re.compile(r"""\b(name|value|content)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.I)
_PLAIN_RUN = re.compile(f"[A-Za-z0-9._~-]{{{_LONG},}}")
_COOKIE = "cookie "  # begins the name of a cookie
STAND_IN = re.compile("scrubbed-[a-z0-9-]*?-((?:[a-p][0-9]){3})")  # as it begins

_NUMBER = Coding(str, lambda value: value if re.fullmatch(r"-?[1-9][0-9]*", value) else "1", re.compile(r"(?!)"))
_Visit = Callable[[str, str, Coding, str], str]  # name, raw value, coding, where: what stands there instead of it


@dataclass
class Secret:
    name: str
    value: str
    where: str  # it was first, for a person
    given: str | None = None  # by the environment

    @property
    def variable(self) -> str:
        return ENVIRONMENT + re.sub("[^A-Z0-9]", "_", self.name.upper())

    @property
    def stand_in(self) -> str:
        """Tells the name alone, but looks as if chance made it, and has to be coded where the secret has."""
        return f"scrubbed-{self.name}-{mark(self.name)}" + "".join(c for c in "+/=" if c in self.value)


def mark(name: str) -> str:
    """A word that stands in nothing else."""
    digits = hashlib.sha256(name.encode()).digest()
    return "".join(f"{chr(ord('a') + digits[i] % 16)}{digits[i + 1] % 10}" for i in (0, 2, 4))


class _Replacements:
    """Long texts, and what stands for each, however it is written. What is written in one way alone is found by how it begins: a text is
    gone through once for all of those."""

    def __init__(self) -> None:
        self._table: dict[str, list[tuple[str, str]]] = {}
        self._coded: list[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str]]] = []

    def add(self, secret: Secret, coding: Coding) -> None:
        """Short ones are let through. `coding`: in which a given value is written."""
        value = secret.value
        if len(value) < _LONG:
            return
        if is_plain(value):
            beginning = self._table.setdefault(value[:_LONG], [])
            beginning.append((value, secret.stand_in if secret.given is None else coding.encode(secret.given)))
            beginning.sort(key=lambda pair: -len(pair[0]))
        else:
            word = max(re.findall("[A-Za-z0-9]*", value), key=len)
            self._coded.append((word, written_anyhow(value), partial(_instead, secret, coding)))
            self._coded.sort(key=lambda item: -len(item[1].pattern))

    def replace(self, text: str) -> str:
        for word, pattern, replacement in self._coded:
            if word in text:
                text = pattern.sub(replacement, text)
        return _PLAIN_RUN.sub(self._in_run, text) if self._table else text

    def _in_run(self, run: re.Match[str]) -> str:
        text = run[0]
        done: list[str] = []
        start = at = 0
        while at + _LONG <= len(text):
            for value, stand_in in self._table.get(text[at : at + _LONG], ()):
                if text.startswith(value, at):
                    done += (text[start:at], stand_in)
                    start = at = at + len(value)
                    break
            else:
                at += 1
        return "".join((*done, text[start:]))


class Secrets:
    """Those of the entries of one file, which are in the order of their time. `names` are those that secrets have by their values, also in
    other files."""

    def __init__(self, extra: Iterable[str] = (), kept: Iterable[str] = (), names: dict[str, str] | None = None) -> None:
        self.found: dict[str, Secret] = {}  # by value
        self._extra = {name.lower() for name in extra}
        self._kept = {name.lower() for name in kept}
        self._names = {} if names is None else names
        self._taken = set(self._names.values())
        self._numbers: Counter[str] = Counter()
        self._replacements: dict[Coding, _Replacements] = {}  # by how a given value is written; made when all are found

    def scrubbed(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries without their secrets. What requests tell of them comes first: it gives the names."""
        for entry in entries:
            self._request(entry, self._finder(f"{_asked(entry)}, {entry.place}"))
        for entry in entries:
            self._answer(entry, self._finder(f"the answer to {_asked(entry)}, {entry.place}"))
        self._replacements.clear()
        return [self._scrubbed(entry) for entry in entries]

    def give(self, environment: Mapping[str, str], scrubbed: Iterable[Entry], carried: Collection[str]) -> list[Secret]:
        """From now on, what stands in requests and is in no value that is carried is what the environment gives. Returns those which it
        does not give."""
        sent = {found for entry in scrubbed for text in _sent(entry) for found in STAND_IN.findall(text)}
        sent -= {found for value in carried for found in STAND_IN.findall(value)}
        wanted = [secret for secret in self.found.values() if mark(secret.name) in sent]
        for secret in wanted:
            secret.given = environment.get(secret.variable)
        return [secret for secret in wanted if secret.given is None]

    def _finder(self, place: str) -> _Visit:
        def visit(name: str, raw: str, coding: Coding, where: str) -> str:
            value = coding.decode(raw)
            if value and value not in self.found:
                if value not in self._names:
                    self._names[value] = self._free(name)
                self.found[value] = Secret(self._names[value], value, f"{where} of {place}")
            return raw

        return visit

    def _free(self, name: str) -> str:
        base = re.sub("[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60] or "secret"
        while True:
            self._numbers[base] += 1
            name = base if self._numbers[base] == 1 else f"{base}-{self._numbers[base]}"
            if name not in self._taken:
                self._taken.add(name)
                return name

    def _scrubbed(self, entry: Entry) -> Entry:
        def visit(name: str, raw: str, coding: Coding, where: str) -> str:
            secret = self.found.get(coding.decode(raw))
            if secret is None:
                return raw
            if coding is _NUMBER:
                return coding.encode(secret.given or "")
            return coding.like(raw, secret.stand_in) if secret.given is None else coding.encode(secret.given)

        target, fields, content, messages = self._request(entry, visit)
        answered, answer = self._answer(entry, visit)
        kind = entry.field("content-type").lower()
        return replace(
            entry,
            target=self._everywhere(target, FORM),
            fields=[(name, self._everywhere(value, PLAIN)) for name, value in fields],
            content=_octets(self._everywhere(content, JSON if "json" in kind else FORM if "urlencoded" in kind else PLAIN)),
            messages=messages and [replace(message, data=_octets(self._everywhere(_text(message.data), JSON))) for message in messages],
            answered=[(name, self._everywhere(value, PLAIN)) for name, value in answered],
            answer=self._unseen(self._everywhere(answer, PLAIN)),
        )

    def _everywhere(self, text: str, coding: Coding) -> str:
        """Also where no name tells it, a long secret is one."""
        if coding not in self._replacements:
            table = self._replacements[coding] = _Replacements()
            for secret in self.found.values():
                table.add(secret, coding)
        return self._replacements[coding].replace(text)

    def _unseen(self, answer: str) -> str:
        """An answer whose secrets are not to be seen in any coding; else nothing of it, since it may be left out."""
        readings = (decoded for decode in (HTML.decode, COOKIE.decode, _unescaped) if (decoded := decode(answer)) != answer)
        return answer if all(self._everywhere(reading, PLAIN) == reading for reading in readings) else ""

    def _is_secret(self, name: str) -> bool:
        name = name.lower()
        plain = re.sub("[^a-z0-9]", "", name)
        return name not in self._kept and (name in self._extra or plain in _EXACT or any(word in plain for word in WORDS))

    def _request(self, entry: Entry, visit: _Visit) -> tuple[str, Fields, str, list[Message] | None]:
        """Target, fields, content and messages, with the visitor's answer in the place of each secret."""
        path, mark, query = entry.target.partition("?")
        path = _JWT.sub(lambda found: visit("jwt", found[0], PLAIN, "path"), path)
        target = path + mark + self._pairs(query, visit, "parameter")
        fields = [(name, self._field(name, value, visit)) for name, value in entry.fields]
        content = _text(entry.content)
        messages = entry.messages and [
            replace(message, data=_octets(self._content("", _text(message.data), visit))) for message in entry.messages
        ]
        return target, fields, self._content(entry.field("content-type").lower(), content, visit), messages

    def _answer(self, entry: Entry, visit: _Visit) -> tuple[Fields, str]:
        """Fields and content of what was answered."""
        fields = [(name, self._field(name, value, visit)) for name, value in entry.answered]
        kind = next((value.lower() for name, value in entry.answered if name.lower() == "content-type"), "")
        return fields, self._content(kind, entry.answer, visit)

    def _content(self, kind: str, content: str, visit: _Visit) -> str:
        if "urlencoded" in kind:
            return self._pairs(content, visit, "form field")
        if "multipart" in kind:
            return _PART.sub(lambda found: found[1] + self._named(found[2], found[3], PLAIN, visit, "form field"), content)
        if "html" in kind:
            content = _TAG.sub(lambda found: self._tag(found[0], visit), content)
        content = _JSON_PAIR.sub(lambda found: self._json(found, visit), content)
        return _JWT.sub(lambda found: visit("jwt", found[0], PLAIN, "content"), content)

    def _named(self, name: str, raw: str, coding: Coding, visit: _Visit, where: str) -> str:
        if self._is_secret(name):
            return visit(name, raw, coding, f"{where} {name}")
        return _JWT.sub(lambda found: visit(name, found[0], PLAIN, f"{where} {name}"), raw)

    def _pairs(self, text: str, visit: _Visit, where: str) -> str:
        done = []
        for pair in text.split("&"):
            name, mark, raw = pair.partition("=")
            done.append(name + mark + self._named(unquote_plus(name), raw, FORM, visit, where))
        return "&".join(done)

    def _json(self, found: re.Match[str], visit: _Visit) -> str:
        try:
            key, _ = JSON.decode(found[2]), JSON.decode(found[3] or "")
        except json.JSONDecodeError:
            return found[0]  # no JSON
        if found[3] is None:
            return found[1] + (visit(key, found[4], _NUMBER, f"key {key}") if self._is_secret(key) else found[4])
        return f'{found[1]}"{self._named(key, found[3], JSON, visit, "key")}"'

    def _tag(self, tag: str, visit: _Visit) -> str:
        """Of a form or a head in HTML: what stands beside a name."""
        given = {found[1].lower(): found[3] or found[4] or found[5] or "" for found in _ATTRIBUTE.finditer(tag)}
        name = HTML.decode(given.get("name", ""))

        def attribute(found: re.Match[str]) -> str:
            raw = given[found[1].lower()]
            return found[0] if found[1].lower() == "name" else found[0].replace(raw, self._named(name, raw, HTML, visit, "form field"))

        return _ATTRIBUTE.sub(attribute, tag) if self._is_secret(name) else tag

    def _field(self, name: str, value: str, visit: _Visit) -> str:
        lower = name.lower()
        if lower in self._kept:
            return value
        if lower == "cookie":
            return "; ".join(self._cookie(pair, visit) for pair in value.split("; "))
        if lower == "set-cookie":
            pair, mark, rest = value.partition(";")
            return self._cookie(pair, visit) + mark + rest
        if lower in ("authorization", "proxy-authorization"):
            scheme, space, credentials = value.partition(" ")
            where = f"field {name}"
            return scheme + space + visit(scheme, credentials, PLAIN, where) if space else visit(name, value, PLAIN, where)
        if lower in FIELDS or lower in self._extra:
            return visit(name, value, PLAIN, f"field {name}")
        value = _URL_PAIR.sub(lambda found: f"{found[1]}={self._named(unquote_plus(found[1]), found[2], FORM, visit, 'parameter')}", value)
        return _JWT.sub(lambda found: visit(name, found[0], PLAIN, f"field {name}"), value)

    def _cookie(self, pair: str, visit: _Visit) -> str:
        name, mark, raw = pair.partition("=")
        name_alone = name.strip()
        if not mark or name_alone.lower() in self._kept:
            return pair
        return name + mark + visit(f"{_COOKIE}{name_alone}", raw, COOKIE, f"cookie {name_alone}")


def _asked(entry: Entry) -> str:
    return f"{entry.method} {_JWT.sub('…', entry.target.partition('?')[0])}"


def _instead(secret: Secret, coding: Coding, found: re.Match[str]) -> str:
    return alike(found, secret.value, secret.stand_in) if secret.given is None else coding.encode(secret.given)


def _unescaped(text: str) -> str:
    """As scripts and JSON may write it."""
    return re.sub(r"\\(?:[ux]([0-9A-Fa-f]{2,4})|(.))", lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)


def _sent(entry: Entry) -> Iterable[str]:
    said = (message.data for message in entry.messages or ())
    return entry.target, *(value for _, value in entry.fields), *map(_text, (entry.content, *said))


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
