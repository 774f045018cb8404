"""A violation: one rule, what was done against it, and where.

Knows the rule catalogue. Knows nothing of how violations are found or of who is told.
"""

from bridgecheck.spec.rules import Rule, catalogue

MUST = "must"  # forbidden, or asked for, by a specification
SHOULD = "should"  # advice of a specification, or what follows from it and does not stand in it
RELIANCE = "reliance"  # allowed, but the server is free to do something else than the application seems to count on
LEVELS = (RELIANCE, SHOULD, MUST)


def level(rule: Rule) -> str:
    """A rule that binds the server is a freedom of the server's, as seen from the application; so is one that only allows."""
    return RELIANCE if rule.binds == "server" or rule.level == "may" else rule.level


class Violation(AssertionError):
    """`rule` is its id, `what` was done in words that do not depend on values, `detail` the value, `where` the event or the end."""

    def __init__(self, rule: str, what: str, detail: str = "", where: str = "") -> None:
        super().__init__(rule, what, detail, where)
        self.rule, self.what, self.detail, self.where = rule, what, detail, where

    @property
    def level(self) -> str:
        return level(catalogue()[self.rule])

    def __str__(self) -> str:
        rule = catalogue()[self.rule]
        done = f"{self.what}: {self.detail}" if self.detail else self.what
        place = f" ({self.where})" if self.where else ""
        asks = "left to the server" if self.level == RELIANCE else self.level
        return f"{done}{place}\n  {self.rule}, {asks}: {rule.text} [{rule.source}]"
