"""A lifetime: one exchange with process steps, on targets of a start of its own, from their start to their end.

Owns these targets while it is played. Knows nothing of facts, or of other exchanges.
"""

import re
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from .. import adapters
from .._player import Exchange, Player
from ..adapters import Unsupported
from .target import Target, start_all

AT_ONCE = 4  # lifetimes that are played side by side
READY_TIMEOUT = 10.0  # seconds until a target listens or has ended; it may do neither, which is an observation

_TIME = re.compile(rb"\b(?:within|pause|open) ([0-9]+)(ms|s)\b")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*=")


class Cancelled(Exception):
    """A lifetime was given up from outside."""


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
        self._cancelled = False

    def play(self) -> tuple[dict[str, Any], ...]:
        """What came of it on each target. Nothing is left running."""
        try:
            start_all(self.targets, self._begin)
            player = Player([target.address() for target in self.targets], patience=self.patience)
            try:
                ((observations,),) = player.play([[self.exchange]], jobs=1, progress=self._go_on, process=self._step)
                lifespans = player.lifespans()
            finally:
                player.close()
            assert observations is not None  # nothing is played before it that could end a target
            return tuple(
                {**observation, "process": self._process(target, calls)}
                for observation, target, calls in zip(observations, self.targets, lifespans, strict=True)
            )
        finally:
            for target in self.targets:  # an exchange that was over has no use for a server that takes its time to end
                target.kill()

    def cancel(self) -> None:
        """From another thread: play() raises Cancelled before long."""
        self._cancelled = True
        for target in self.targets:
            target.cancel()

    def _go_on(self, played: int) -> bool:
        if self._cancelled:
            raise Cancelled
        return False

    def _begin(self, target: Target) -> None:
        if self._cancelled:
            raise Cancelled
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


def play_all(lifetimes: Sequence[Lifetime], tick: Callable[[int], object]) -> list[tuple[dict[str, Any], ...]]:
    """What came of each. Some are played at once, since in most of their time they wait, the longest first, so that none of these is waited
    for alone in the end; `tick` hears how many are over."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        longest = sorted(range(len(lifetimes)), key=lambda index: -_seconds(lifetimes[index].exchange))
        submitted = {index: threads.submit(lifetimes[index].play) for index in longest}
        futures = [submitted[index] for index in range(len(lifetimes))]
        try:
            for over, future in enumerate(as_completed(futures), 1):
                future.result()
                tick(over)
        except BaseException:  # Ctrl-C
            for future, lifetime in zip(futures, lifetimes, strict=True):
                future.cancel()
                lifetime.cancel()
            raise
        return [future.result() for future in futures]


def _seconds(exchange: Exchange) -> float:
    """Those that its steps name."""
    return sum(int(count) * (0.001 if unit == b"ms" else 1) for count, unit in _TIME.findall(exchange.text))


def start_words(exchange: Exchange) -> tuple[dict[str, str], list[str]]:
    """What `process start` says: variables for the environment, and options."""
    words = [word for _, kind, said in exchange.process if kind == "start" for word in said]
    variables = [word for word in words if _VARIABLE.match(word)]
    return dict(word.split("=", 1) for word in variables), [word for word in words if word not in variables]


def _own(target: Target, options: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    try:
        return adapters.load(target.server.name).options(options, target.server.template)
    except Unsupported as error:
        raise Unsupported(f"{target.server.name} has no {error}") from None
