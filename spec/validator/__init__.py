"""The rules that bind applications, checked on what passes between an application and its server.

`validator(app)` is for an app's own tests (docs/validator.md); `call_for(scope)` makes the state machine that the gate feeds with what
its observer recorded. Nothing here needs more than the standard library.
"""

from .call import Call, Raised
from .face import RuleWarning, Validator, validator
from .protocols import call_for
from .value import UNKNOWN, Traced
from .violation import LEVELS, MUST, RELIANCE, SHOULD, Violation, level

__all__ = [
    "LEVELS",
    "MUST",
    "RELIANCE",
    "SHOULD",
    "UNKNOWN",
    "Call",
    "Raised",
    "RuleWarning",
    "Traced",
    "Validator",
    "Violation",
    "call_for",
    "level",
    "validator",
]
