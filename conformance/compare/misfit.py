"""Why recorded traffic does not fit an app: exchanges whose status is another one than was recorded, and what nothing gave them.

Knows exchanges and facts of the reference. Knows nothing of how much is too much.
"""

import re
from collections.abc import Iterable, Sequence

from .._player import Exchange
from ..taps.recorded import begins_fresh
from ..taps.secret import STAND_IN
from .fact import Facts

NAMED = 5  # exchanges that are told of one by one
VALUES_NAMED = 2  # of one exchange

_TAKEN = re.compile(rb"(?<!\\)\$\{([^}\n]*)\}")
_SAVE = re.compile(rb"save +([A-Za-z0-9._-]+) ")
_NOTHING = "script[nothing to save]"

Played = tuple[Exchange, Facts | None]  # what the reference made of it; None where it was not played


def statuses(facts: Facts) -> list[str]:
    return [str(value) for (_, path), value in sorted(facts.items(), key=lambda entry: entry[0]) if path == "response.status"]


def fits(exchange: Exchange, facts: Facts) -> bool:
    """Whether it got the statuses that were recorded, if any were."""
    return "status" not in exchange.meta or exchange.meta["status"].split() == statuses(facts)


def misfits(sessions: Iterable[Sequence[Played]]) -> list[str]:
    """The first exchanges that got another status, a line each, and how many more there are."""
    lines = [line for session in sessions for line in _of_session(session)]
    return lines[:NAMED] + ([f"and {len(lines) - NAMED} more"] if len(lines) > NAMED else [])


def misfit(session: Sequence[Played]) -> str:
    """The first exchange of a session that got another status, or nothing."""
    return next(iter(_of_session(session)), "")


def _few(words: Sequence[str], between: str) -> str:
    return between.join(words[:VALUES_NAMED]) + (f" and {len(words) - VALUES_NAMED} more" if len(words) > VALUES_NAMED else "")


def _of_session(session: Sequence[Played]) -> Iterable[str]:
    missing: dict[str, str] = {}  # a value that was not given, and the exchange whose answer should have
    for exchange, facts in session:
        if facts is None:
            continue
        if not fits(exchange, facts):
            taken = dict.fromkeys(name for inside in _TAKEN.findall(exchange.text) for name in inside.decode().split("+"))
            words = [f"{name}, which the answer to {missing[name]} did not give" for name in taken if name in missing]
            takes = f"; takes {_few(words, ', and ')}" if words else ""
            secrets = list(dict.fromkeys(found[0] for found in STAND_IN.finditer(exchange.text.decode("latin-1"))))
            sends = f"; sends {_few(secrets, ', ')} for what was scrubbed" if secrets else ""
            # Exchanges of tests have the same names in each.
            name = f"{exchange.session}, {exchange.name}" if begins_fresh([exchange]) else exchange.name
            yield f"{name}: {exchange.meta['status']} recorded, {' '.join(statuses(facts)) or 'no answer'} now{takes}{sends}"
        failed = {place for place, path in facts if path == _NOTHING}
        for number, line in enumerate(exchange.text.split(b"\n"), exchange.line):
            if saved := _SAVE.match(line):
                name = saved[1].decode()
                missing.pop(name, None)
                if f"line {number}" in failed:
                    missing[name] = exchange.name
