"""Bugs that released servers had, and the cases that would have caught them: `known-bugs.toml` as code.

Knows that file, nothing of cases or servers but their names.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class KnownBug:
    """One bug. Either `cases` show it, or `reason` says why none can."""

    id: str  # issue, pull request or commit of the server's own repository
    server: str
    trigger: str
    right: str
    wrong: str
    cases: tuple[str, ...] = ()  # the plainest first
    reason: str = ""
    on: str = ""  # the server with the options that it needs; "" where it shows by default
    seen: Mapping[str, str] = field(default_factory=dict)  # the versions that were played: `wrong` shows it, `right` does not


@cache
def known_bugs() -> tuple[KnownBug, ...]:
    """All of them, in the order of the file."""
    table = tomllib.loads((files(__package__) / "known-bugs.toml").read_text("utf-8"))
    return tuple(KnownBug(**{**entry, "cases": tuple(entry.get("cases", ()))}) for entry in table["bug"])
