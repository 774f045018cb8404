"""The fixture `asgi_validator`, for the tests of an ASGI app. docs/validator.md shows its use.

The only file of the project that runs inside other projects' pytest: it imports nothing at load time but pytest.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .validator import Validator


@pytest.fixture
def asgi_validator() -> Iterator[Callable[..., Validator]]:
    """`asgi_validator(app)` wraps an app. When the test is over it fails if a rule of level `fail_on` ("must", "should", "reliance") was
    broken, however the app dealt with it; what is lighter becomes a warning. `least=True` hands the app only what is promised."""
    from .validator import LEVELS, MUST, RuleWarning, validator

    made: list[tuple[Validator, str]] = []

    def wrap(app: Any, *, fail_on: str = MUST, least: bool = False) -> Validator:
        wrapped = validator(app, on_violation="collect", fail_on=fail_on, least=least)
        made.append((wrapped, fail_on))
        return wrapped

    yield wrap
    failing: dict[str, None] = {}
    for wrapped, fail_on in made:
        for violation in wrapped.violations:
            if LEVELS.index(violation.level) >= LEVELS.index(fail_on):
                failing[str(violation)] = None
            else:
                warnings.warn(str(violation), RuleWarning, stacklevel=1)
    if failing:
        pytest.fail("the app breaks the rules of ASGI:\n" + "\n".join(failing), pytrace=False)
