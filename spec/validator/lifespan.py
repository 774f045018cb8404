"""A call for the lifespan: startup and shutdown, each asked for and answered.

Knows what the specification says of these events. Knows nothing of who feeds it.
"""

from __future__ import annotations

from typing import Any

from .call import Call, Raised

_RULES = {"startup": ("LIFE-START-03", "LIFE-START-04"), "shutdown": ("LIFE-STOP-03", "LIFE-STOP-06")}


class LifespanCall(Call):
    """What was asked for and what was answered; the phase stays."""

    optional = {"state": "LIFE-SCOPE-05"}
    keys = {
        f"lifespan.{step}.{outcome}": frozenset(("type", "message") if outcome == "failed" else ("type",))
        for step in _RULES
        for outcome in ("complete", "failed")
    }

    def __init__(self, scope: dict[str, Any]) -> None:
        super().__init__(scope)
        self.asked: set[str] = set()
        self.answered: set[str] = set()

    def _on_received(self, kind: Any) -> None:
        for step in _RULES:
            if kind == f"lifespan.{step}":
                self.asked.add(step)

    def _answer(self, event: dict[Any, Any]) -> None:
        _, step, outcome = event["type"].split(".")
        if step not in self.asked:
            self._tell(_RULES[step][1], f"lifespan.{step} is answered before it is received", outcome)
        elif step in self.answered:
            self._tell(_RULES[step][1], f"lifespan.{step} is answered twice", outcome)
        self.answered.add(step)
        if outcome == "failed":
            self._keyed(event, "message", str, "LIFE-FAIL-04", "message is no str")
            if self.version is not None and (self.version or (1, 0)) < (2, 0):
                self._tell("LIFE-VER-01", f"lifespan.{step}.failed where spec_version is older than 2.0")

    def _on_returned(self) -> None:
        if not self.asked and not self.answered:
            self._tell("GEN-PROTO-01", "the application returns from the lifespan at once, and does not raise")
        for step in sorted(self.asked - self.answered):
            self._tell(_RULES[step][0], f"the application returns and has not answered lifespan.{step}")

    def _on_raised(self, raised: Raised) -> None:
        if "startup" in self.asked - self.answered:
            self._tell("LIFE-FAIL-03", "an exception escapes during lifespan.startup, which is not answered", raised.type)


LifespanCall.events = dict.fromkeys(LifespanCall.keys, LifespanCall._answer)
