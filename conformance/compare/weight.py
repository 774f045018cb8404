"""How heavy a difference is, and which are excused: `observation.toml` as code.

Knows paths and kinds of change, never values or servers.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SEVERITIES = ("drift", "rule", "break")  # from light to heavy


@dataclass(frozen=True)
class Weight:
    """What a difference weighs where path and kind match. `why` quotes the source."""

    path: re.Pattern[str]
    kind: re.Pattern[str]
    severity: str
    why: str


@dataclass(frozen=True)
class Quirk:
    """A fact whose changed value is excused, with the reason that the report prints."""

    name: str
    path: re.Pattern[str]
    reason: str


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


@cache
def _table() -> tuple[tuple[Weight, ...], tuple[Quirk, ...]]:
    data = tomllib.loads(files(__package__).joinpath("observation.toml").read_text("utf-8"))
    weights = tuple(
        Weight(_pattern(entry["path"]), _pattern(entry.get("kind", "*")), entry["severity"], entry["why"]) for entry in data["weight"]
    )
    quirks = tuple(Quirk(entry["name"], _pattern(entry["path"]), entry["reason"]) for entry in data["quirk"])
    return weights, quirks


@cache
def weight(path: str, kind: str) -> Weight:
    """The first entry of the table that matches; the last one matches everything. A lifespan call weighs as other calls do."""
    path = path.removeprefix("lifespan.")
    return next(entry for entry in _table()[0] if entry.path.fullmatch(path) and entry.kind.fullmatch(kind))


@cache
def quirk(path: str, kind: str) -> Quirk | None:
    """The quirk that excuses this difference. Only a changed value can be excused: what is missing, added or of another type stands."""
    if kind != "value":
        return None
    return next((entry for entry in _table()[1] if entry.path.fullmatch(path)), None)


def quirks() -> tuple[Quirk, ...]:
    """All quirks, for the report."""
    return _table()[1]


def heavier(one: str, other: str) -> str:
    """The heavier of two severities."""
    return max(one, other, key=SEVERITIES.index)


def at_least(severity: str, bound: str) -> bool:
    """Whether `severity` is as heavy as `bound`."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(bound)
