"""The rule catalogue, `spec/rules`, as code: what each id says, and whether it binds.

Knows the catalogue's files, nothing of exchanges or of what came of them.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files


@dataclass(frozen=True)
class Rule:
    """One rule of a specification, retold. `level` is must, should or may; `binds` is who is bound: server, app or both."""

    id: str
    binds: str
    level: str
    source: str
    text: str
    since: str = ""  # the version of the specification that brought it, "" for always
    seen: str = ""  # by what it can be seen
    reason: str = ""  # why there is no case, where there is none


@cache
def catalogue() -> dict[str, Rule]:
    """All rules by their ids, which are kept for ever."""
    with as_file(files("bridgecheck.spec").joinpath("rules")) as folder:
        tables = [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))]
    return {name: Rule(name, **entry) for table in tables for name, entry in table.items()}


def binding(ids: Iterable[str]) -> list[str]:
    """Those that must be kept. An id that is not in the catalogue is its author's own, and binds."""
    known = catalogue()
    return [name for name in ids if name not in known or known[name].level == "must"]
