"""Which rules bind: the catalogue, `spec/rules`, asked by a verdict.

Knows the catalogue, nothing of exchanges or of what came of them.
"""

from collections.abc import Iterable

from bridgecheck.spec.rules import Rule, catalogue

__all__ = ["Rule", "binding", "catalogue"]


def binding(ids: Iterable[str]) -> list[str]:
    """Those that must be kept. An id that is not in the catalogue is its author's own, and binds."""
    known = catalogue()
    return [name for name in ids if name not in known or known[name].level == "must"]
