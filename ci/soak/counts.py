"""Counts: what the server's process holds, as its app says on /counts, and what of it has grown by more than a constant.

Knows nothing of what was asked of the server meanwhile.
"""

import http.client
import json
import time
from collections.abc import Collection
from typing import Any

from .kinds import Address

# What may be more after any number of requests: caches, free lists, timers that have not run out. Never in proportion to the requests.
ALLOWED = {
    "malloc bytes": 64 << 10,
    "allocated blocks": 200,
    "descriptors": 2,
    "threads": 0,
    "tasks": 2,
    "resident bytes": 4 << 20,
    "all references": 2000,
    "objects": 200,  # of each type
    "references": 200,  # to each type's objects
}
LOOK = 0.25


class Counts:
    """Names and numbers, flat: `objects builtins.dict` and so on."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.numbers: dict[str, int] = {}
        for name, value in found.items():
            if isinstance(value, dict):
                self.numbers |= {f"{name} {of}": number for of, number in value.items()}
            else:
                self.numbers[name] = value

    def growth(self, before: "Counts", names: Collection[str] = ALLOWED) -> dict[str, int]:
        """What has grown by more than is allowed, and by how much."""
        grown = {}
        for name, number in self.numbers.items():
            more = number - before.numbers.get(name, 0)
            what = name if name in ALLOWED else name.partition(" ")[0]
            if what in names and more > ALLOWED[what]:
                grown[name] = more
        return grown


def counts(address: Address) -> Counts:
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        connection.request("GET", "/counts", headers={"Connection": "close"})
        return Counts(json.loads(connection.getresponse().read()))
    finally:
        connection.close()


def settled_growth(address: Address, before: Counts, patience: float, names: Collection[str] = ALLOWED) -> dict[str, int]:
    """What of `names` has grown and stays so for the seconds in which what is merely late goes."""
    deadline = time.monotonic() + patience
    while (grown := counts(address).growth(before, names)) and time.monotonic() < deadline:
        time.sleep(LOOK)
    return grown
