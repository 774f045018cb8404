"""Demands: what an exchange says that a server must or should do, as conditions on facts.

Owns the grammar of `must` and `should` (docs/cases.md). Knows places, paths and values of facts; nothing of differences, servers or files.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import UsageError
from .content import MISSING, Content
from .fact import Facts, Key
from .value import Container, Length, Port, same

PROCESS, STEP = "process", "line"  # places that are there once, and are not said
# The paths of docs/observation.md that a clause can name, by the part of an exchange they stand in.
_PATHS = (
    (
        "response",
        r"response(\.(status|reason|version|field-order|field-case|framing|body|complete|interim|interim\.reason|pieces"
        r"|(interim\.)?field\[.+\]|trailer\[.+\]|altered\[.+\]))?",
    ),
    (
        "call",
        r"call(\.(end|raised-text|result))?|scope([.\[].+)?|face\..+|answer-before-body-end|receive\.(disconnect|disconnect-late|message-order|raised)"
        r"|send\.(status|field\[.+\]|raised|raised-text|raised-type|result|pending)"
        r"|(receive|send)\.(body|body-end|pieces|types|containers|(key|key-absent)\[.+\]|event\[.+\].+)",
    ),
    ("socket", r"socket(\.(accept|ping|pong|close|close\.code|close\.reason|end|altered\[.+\]|fault\[.+\]))?"),
    ("socket message", r"message(\.(type|body|fragments|compressed|complete|altered))?"),
    ("call receive", r"receive\.message(\.(type|body|key\[.+\]))?"),
    ("call send", r"send\.message(\.(type|body|key\[.+\]))?"),
    (PROCESS, r"process\.(ready|exit)"),
    ("", r"connection|end|stray|garbage|rest|autobahn\[.+\]\.(behavior|close|close\.code|server)"),
    (STEP, r"script\[.+\]"),  # of any step: lines move when a file is edited
)
IS, NOT, HOLDS = "=", "not =", "holds"  # how the values of a clause are meant
_TOKEN = re.compile(
    r"""[ ]*(?:
        (?P<text>b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*')
        |(?P<mark>[;|,=]|\(\))
        |(?P<word>(?:\[(?:[^][]|\[[^]]*\])*\]|[^][\ ;|,='"])+)  # a path may hold anything in brackets
    )[ ]*""",
    re.VERBOSE,
)
_WORDS = {"yes": True, "no": False}
_PARTS = ("response", "call")  # facts that only say that there is such a part
_CONDITIONS = ("missing", "present", "any")

Token = tuple[str, str]  # kind ("text", "mark" or "word") and what was written


MUST, SHOULD = LEVELS = ("must", "should")  # keys of an exchange's meta

SHOWN_MAX = 200  # characters of a fact that are written down
_WORD = re.compile(r"[A-Za-z][A-Za-z-]*")
_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT")  # says when it was made


class DemandError(UsageError):
    """A `must` or `should` that does not fit the grammar."""


@dataclass(frozen=True)
class Clause:
    """A condition on one fact. `values`: those it may have, each as its parts; None for any."""

    spot: Key
    values: tuple[tuple[Any, ...], ...] | None
    absent: bool  # it may be missing
    kind: str = IS

    def holds(self, facts: Facts) -> bool:
        fact = self._fact(facts)
        if fact is MISSING:
            return self.absent
        return self.values is None or self._fits(fact)

    def _fact(self, facts: Facts) -> Any:
        place, path = self.spot
        if place == STEP:
            return next((value for (line, name), value in facts.items() if name == path and line.startswith("line ")), MISSING)
        return facts.get(self.spot, MISSING)

    def _fits(self, fact: Any) -> bool:
        assert self.values is not None
        fits = _holds if self.kind == HOLDS else _is
        return any(fits(fact, value) for value in self.values) != (self.kind == NOT)

    @property
    def free(self) -> bool:
        """Whether it holds whatever the fact is."""
        return self.absent and self.values is None

    def observed(self, facts: Facts) -> str:
        """What this fact is, as a clause would say it."""
        place, path = self.spot
        name = path if re.fullmatch(r"main( (response|call) 1)?|line|process", place) else f"{place} {path}"
        fact = self._fact(facts)
        if fact is MISSING:
            return f"{name} missing"
        if path in _PARTS and fact is True:
            return f"{name} present"
        text = ", ".join(map(_shown, _parts(fact))) or "()"
        if self.values is None or not self._fits(fact):
            text = _DATE.sub("{date}", text)
        return f"{name} = {text}" if len(text) <= SHOWN_MAX else f"{name} = {text[:SHOWN_MAX]}…"


@dataclass(frozen=True)
class Way:
    """One way to do right: all its clauses hold."""

    clauses: tuple[Clause, ...]

    def holds(self, facts: Facts) -> bool:
        return all(clause.holds(facts) for clause in self.clauses)

    def names(self, spot: Key) -> bool:
        return any(clause.spot == spot for clause in self.clauses)

    def broken(self, spot: Key, facts: Facts) -> bool:
        """Whether a clause about this very fact does not hold."""
        return any(clause.spot == spot and not clause.holds(facts) for clause in self.clauses)

    def observed(self, facts: Facts) -> str:
        """What its facts are, those that are free apart."""
        return "; ".join(clause.observed(facts) for clause in self.clauses if not clause.free)


@dataclass(frozen=True)
class Demand:
    """What an exchange demands: the ids of its rules, the one that matters most first, and the ways in which a server does right."""

    rules: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()

    @classmethod
    def of(cls, meta: Mapping[str, str], level: str = MUST) -> "Demand":
        """The demand of that level in an exchange's meta. Raises DemandError."""
        return _demand(meta.get("rules", ""), meta.get(level))

    def nearest(self, facts: Facts) -> Way:
        """The way that holds, or of which most does."""
        return min(self.ways, key=lambda way: sum(not clause.holds(facts) for clause in way.clauses))

    @property
    def rule(self) -> str:
        return self.rules[0] if self.rules else ""


NOTHING = Demand()


def _parts(fact: Any) -> list[Any]:
    return [_plain(part) for part in (fact if isinstance(fact, tuple) else (fact,))]


def _is(fact: Any, value: tuple[Any, ...]) -> bool:
    parts = _parts(fact)
    return len(parts) == len(value) and all(map(same, parts, value))


def _holds(fact: Any, value: tuple[Any, ...]) -> bool:
    """Whether these parts are among those of the fact, in this order."""
    parts = iter(_parts(fact))
    return all(any(same(part, item) for part in parts) for item in value)


def _plain(part: Any) -> Any:
    """What a clause can name: of a container, and of a port that we chose, that is the type."""
    if isinstance(part, Content):
        return part.data
    if isinstance(part, (Container, Port)):
        return part.type
    return part.text if isinstance(part, Length) else part


def _shown(part: Any) -> str:
    """A part of a fact, written as a value of a clause where there is such a value."""
    if isinstance(part, bool):
        return "yes" if part else "no"
    if part is None:
        return "nothing that is known whole"
    return part if isinstance(part, str) and _WORD.fullmatch(part) else repr(part)


@lru_cache(4096)
def _demand(rules: str, must: str | None) -> Demand:
    ways = () if must is None else tuple(Way(tuple(map(_clause, _split(way, ";")))) for way in _split(list(_tokens(must)), "|"))
    return Demand(tuple(rules.split()), ways)


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise DemandError(f"cannot read {text[at:]!r}")
        assert match.lastgroup is not None
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


def _split(tokens: Sequence[Token], by: str, kind: str = "mark") -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token == (kind, by):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _written(tokens: Sequence[Token]) -> str:
    return " ".join(text for _, text in tokens)


def _clause(tokens: list[Token]) -> Clause:
    """[place] path condition."""
    kind = HOLDS if ("word", HOLDS) in tokens else IS
    mark = ("word", HOLDS) if kind == HOLDS else ("mark", "=")
    equals = tokens.index(mark) if mark in tokens else None
    head = tokens[:-1] if equals is None else tokens[:equals]
    if equals is None:
        condition = tokens[-1][1] if tokens else ""
        if condition not in _CONDITIONS:
            raise DemandError(f"no condition in {_written(tokens)!r}: a path, then = and a value, or one of {', '.join(_CONDITIONS)}")
        absent, values = condition != "present", () if condition == "missing" else None
    else:
        if kind == IS and head[-1:] == [("word", "not")]:
            kind, head = NOT, head[:-1]
        absent = head[-2:] == [("word", "missing"), ("word", "or")]
        head = head[:-2] if absent else head
        values = tuple(map(_value, _split(tokens[equals + 1 :], "or", "word")))
    if not head or any(kind != "word" for kind, _ in head):
        raise DemandError(f"no path in {_written(tokens)!r}")
    return Clause(_spot([text for _, text in head]), values, absent, kind)


def _spot(words: list[str]) -> Key:
    """The fact that is meant. Without a place: the first request of the connection main, and the first message of its WebSocket."""
    *place, path = words
    part = next((part for part, pattern in _PATHS if re.fullmatch(pattern, path)), None)
    if part is None:
        raise DemandError(f"no fact has the path {path}")
    if part in (PROCESS, STEP):
        if place and place != [PROCESS] * (part == PROCESS):
            what = "any step" if part == STEP else "the process"
            raise DemandError(f"{path} is about {what}: it has no place, not {' '.join(place)!r}")
        return part, path
    parts = part.split()
    if not place:
        return " ".join(["main", *(f"{word} 1" for word in parts)]), path
    if parts and not (place[1::2] == parts and all(map(str.isdigit, place[2::2])) and len(place) == 2 * len(parts) + 1):
        example = " ".join(["main", *(f"{word} 2" for word in parts)])
        raise DemandError(f'{path} stands in a {parts[-1]}: its place is written as in "{example}", not {" ".join(place)!r}')
    if not parts and len(place) != 1:
        raise DemandError(f"{path} stands in a connection: its place is the connection's name, not {' '.join(place)!r}")
    return " ".join(place), path


def _value(tokens: list[Token]) -> tuple[Any, ...]:
    if tokens == [("mark", "()")]:
        return ()
    return tuple(map(_item, _split(tokens, ",")))


def _item(tokens: list[Token]) -> Any:
    if len(tokens) == 1:
        ((kind, text),) = tokens
        if kind == "text":
            try:
                return ast.literal_eval(text)
            except (ValueError, SyntaxError):
                raise DemandError(f"{text} is no text or octets as Python writes them") from None
        if kind == "word" and re.fullmatch(r"-?[0-9]{1,18}", text):
            return int(text)
        if kind == "word" and _WORD.fullmatch(text) and text not in _CONDITIONS:
            return _WORDS.get(text, text)
    raise DemandError(f"{_written(tokens)!r} is no value: a word, a number, or text or octets in quotes")
