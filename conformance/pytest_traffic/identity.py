"""What a test is called in every run: its function and its place among the function's parameters, since an id may hold a random value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest


def identities(items: Sequence[pytest.Item]) -> dict[str, str]:
    """By node id, of a whole collection in the order it was collected in."""
    seen: Counter[str] = Counter()
    found = {}
    for item in items:
        function, parameters, _ = item.nodeid.partition("[")
        seen[function] += 1
        found[item.nodeid] = f"{function}[{seen[function]}]" if parameters else function
    return found
