"""Musts that released servers break, each with the sentence of the specification and the cases that show it: `violations.toml` as code.

Knows that file, nothing of cases, rules or servers but their names.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Violation:
    """One sentence, and who breaks it. With a `reading` the sentence does not say it by itself."""

    title: str
    rule: str  # id in spec/rules
    source: str  # where the sentence stands
    says: str  # the sentence, or its part, word for word
    seen: Mapping[str, tuple[str, ...]]  # servers, each with the cases that show it
    reading: str = ""  # how we read it, and what else it may mean

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Each server with each of its cases."""
        return ((server, case) for server, cases in self.seen.items() for case in cases)


@cache
def violations() -> tuple[Violation, ...]:
    """All of them in the order of the file, those that are a reading last."""
    table = tomllib.loads((files(__package__) / "violations.toml").read_text("utf-8"))
    entries = [*table["violation"], *table["reading"]]
    return tuple(Violation(**{**entry, "seen": {name: tuple(cases) for name, cases in entry["seen"].items()}}) for entry in entries)
