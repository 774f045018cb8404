"""A lifetime: one exchange with process steps, on targets of a start of its own, from their start to their end.

Owns these targets while it is played. Knows nothing of facts, or of other exchanges.
"""

import re
import signal
from collections.abc import Sequence
from typing import Any

from . import adapters
from ._player import Exchange, Player
from .adapters import Unsupported
from .target import Target, start_all, stop_all

READY_TIMEOUT = 10.0  # seconds until a target listens or has ended; it may do neither, which is an observation

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*=")


class Lifetime:
    """`targets` are taken as patterns, and not touched. Raises Unsupported where a server has not what the exchange asks for."""

    def __init__(self, exchange: Exchange, targets: Sequence[Target], *, patience: float) -> None:
        self.exchange = exchange
        self.patience = patience
        variables, options = start_words(exchange)
        self.targets = [
            target.anew(_own(target, options), variables, start_timeout=min(READY_TIMEOUT, target.start_timeout)) for target in targets
        ]
        self.ready: dict[str, bool] = {}

    def play(self) -> tuple[dict[str, Any], ...] | None:
        """What came of it on each target; None where it could not be played to its end."""
        start_all(self.targets, self._begin)
        try:
            player = Player([target.address() for target in self.targets], patience=self.patience)
            try:
                ((observations,),) = player.play([[self.exchange]], jobs=1, process=self._step)
                lifespans = player.lifespans()
            finally:
                player.close()
            if observations is None:
                return None
            return tuple(
                {**observation, "process": self._process(target, calls)}
                for observation, target, calls in zip(observations, self.targets, lifespans, strict=True)
            )
        finally:
            stop_all(self.targets)

    def _begin(self, target: Target) -> None:
        self.ready[target.name] = target.begin()

    def _step(self, number: int, word: str, words: tuple[str, ...]) -> bool:
        target = self.targets[number]
        if word == "exit":
            return target.gone()
        target.signal(signal.Signals[words[0]])
        return True

    def _process(self, target: Target, lifespans: list[Any]) -> dict[str, Any]:
        target.gone()
        return {"ready": self.ready[target.name], "exit": target.fate, "lifespans": lifespans, "output": list(target.last_lines())}


def start_words(exchange: Exchange) -> tuple[dict[str, str], list[str]]:
    """What `process start` says: variables for the environment, and options."""
    words = [word for _, kind, said in exchange.process if kind == "start" for word in said]
    variables = [word for word in words if _VARIABLE.match(word)]
    return dict(word.split("=", 1) for word in variables), [word for word in words if word not in variables]


def _own(target: Target, options: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    try:
        return adapters.load(target.server.name).options(options)
    except Unsupported as error:
        raise Unsupported(f"{target.server.name} has no {error}") from None
