"""The rule catalogue as code: what each id says, and whom it binds.

Knows the files beside it, nothing of cases, exchanges or of what came of them.
"""

import tomllib
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
    since: str = ""  # the version or the day that brought it; "" for always
    seen: str = ""  # where it can be seen: wire, scope, events, lifecycle; "" for nowhere
    reason: str = ""  # why no case is about it
    note: str = ""  # how our words differ from the specification's


@cache
def catalogue() -> dict[str, Rule]:
    """All rules by their ids, which are kept for ever."""
    with as_file(files(__package__)) as folder:
        tables = [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))]
    return {name: Rule(name, **entry) for table in tables for name, entry in table.items()}
