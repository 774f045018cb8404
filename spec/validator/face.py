"""The validator as an app: what it wraps is called as before, and whatever passes is told to a Call.

The faces of receive and send pass on the very objects that they are given, add no turn of the event loop, and are coroutine functions
where the server's own are. Knows no rule.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

from . import least
from .call import Call, Raised
from .protocols import call_for
from .violation import LEVELS, MUST, Violation

Application = Callable[[dict[str, Any], Callable[..., Any], Callable[..., Any]], Awaitable[Any]]


class RuleWarning(UserWarning):
    """A violation, where these are to be warnings."""


class _Stopped(Call):
    """A call that is judged no longer: its app was told of a violation by an exception, and what follows is not its own."""

    def receiving(self) -> Sequence[Violation]:
        return ()

    def received(self, event: Any) -> Sequence[Violation]:
        return ()

    def sending(self, event: Any) -> Sequence[Violation]:
        return ()

    def sent(self, result: Any = None) -> Sequence[Violation]:
        return ()

    def returned(self, value: Any) -> Sequence[Violation]:
        return ()

    def raised(self, raised: Raised) -> Sequence[Violation]:
        return ()


_STOPPED = _Stopped({})


class _Awaited:
    """Awaitable, and nothing else that the real one is not."""

    __slots__ = ("_watched",)

    def __init__(self, watched: Generator[Any, Any, Any]) -> None:
        self._watched = watched

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._watched


class _Observed:
    """One call of the app, with the faces of receive and send."""

    __slots__ = ("call", "_receive", "_send", "_tell", "_least")

    def __init__(self, call: Call, receive: Any, send: Any, tell: Callable[[Sequence[Violation]], bool], least: bool) -> None:
        self.call, self._receive, self._send, self._tell, self._least = call, receive, send, tell, least

    def tell(self, found: Sequence[Violation]) -> None:
        """Raises the first that is to be raised; from then on the call is not judged."""
        try:
            self._tell(found)
        except Violation:
            self.call = _STOPPED
            raise

    async def receive(self) -> Any:
        found = self.call.receiving()
        if found:
            self.tell(found)
        return await self._watch(self._receive(), self._received, self.call.receive_raised)

    async def send(self, message: Any) -> Any:
        found = self.call.sending(message)
        if found:
            self.tell(found)
        return await self._watch(self._send(message), self._sent, self.call.send_raised)

    def plain_receive(self) -> Any:
        self.tell(self.call.receiving())
        return self._alike(self._receive, (), self._received, self.call.receive_raised)

    def plain_send(self, message: Any) -> Any:
        self.tell(self.call.sending(message))
        return self._alike(self._send, (message,), self._sent, self.call.send_raised)

    def _received(self, event: Any) -> Any:
        if self._least:
            event = least.event(event)
        found = self.call.received(event)
        if found:
            self.tell(found)
        return event

    def _sent(self, result: Any) -> Any:
        found = self.call.sent(result)
        if found:
            self.tell(found)
        return result

    @staticmethod
    async def _watch(awaitable: Any, finished: Callable[[Any], Any], failed: Callable[[Raised], Any]) -> Any:
        try:
            result = await awaitable
        except BaseException as error:
            failed(Raised.of(error))
            raise
        return finished(result)

    def _alike(self, real: Any, arguments: tuple[Any, ...], finished: Callable[[Any], Any], failed: Callable[[Raised], Any]) -> Any:
        try:
            awaitable = real(*arguments)
        except BaseException as error:
            failed(Raised.of(error))
            raise
        watched = self._watch(awaitable, finished, failed)
        return watched if inspect.iscoroutine(awaitable) else _Awaited(watched.__await__())  # type: ignore[arg-type]

    def faces(self) -> tuple[Any, Any]:
        return (
            self.receive if inspect.iscoroutinefunction(self._receive) else self.plain_receive,
            self.send if inspect.iscoroutinefunction(self._send) else self.plain_send,
        )


class Validator:
    """An ASGI 3 app with another inside, which it watches. `violations` holds all that was seen; other attributes are the app's."""

    def __init__(self, app: Application, on_violation: str, fail_on: str, least: bool) -> None:
        if on_violation not in ("raise", "collect", "warn"):
            raise ValueError(f"on_violation is raise, collect or warn, not {on_violation!r}")
        if fail_on not in LEVELS:
            raise ValueError(f"fail_on is one of {', '.join(LEVELS)}, not {fail_on!r}")
        self.app = app
        self.violations: list[Violation] = []
        self._on_violation, self._least = on_violation, least
        self._raised = LEVELS[LEVELS.index(fail_on) :]
        self._tell(list(_of_application(app)))

    def __getattr__(self, name: str) -> Any:
        if name == "app":  # not made yet: a copy, or an unpickled one
            raise AttributeError(name)
        return getattr(self.app, name)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if self._least:
            scope = least.scope(scope)
        observed = _Observed(call_for(scope), receive, send, self._tell, self._least)
        try:
            result = await self.app(scope, *observed.faces())
        except BaseException as error:
            self._collect(observed.call.raised(Raised.of(error)))
            raise
        observed.tell(observed.call.returned(result))
        return result

    def _collect(self, found: Sequence[Violation]) -> None:
        self.violations.extend(found)
        if self._on_violation == "warn":
            for violation in found:
                warnings.warn(str(violation), RuleWarning, stacklevel=2)

    def _tell(self, found: Sequence[Violation]) -> None:
        self._collect(found)
        if self._on_violation == "raise":
            for violation in found:
                if violation.level in self._raised:
                    raise violation


def _of_application(app: Any) -> Sequence[Violation]:
    """What can be seen of it before it is called."""
    real = app
    while isinstance(real, functools.partial):
        real = real.func
    if not inspect.iscoroutinefunction(real) and not inspect.iscoroutinefunction(getattr(real, "__call__", None)):  # noqa: B004
        return [Violation("GEN-APP-01", "the application is no coroutine function, nor an object whose __call__ is one", repr(app))]
    try:
        inspect.signature(app).bind(None, None, None)
    except TypeError as error:
        return [Violation("GEN-APP-01", "the application cannot be called with scope, receive and send", str(error))]
    except ValueError:
        pass  # no signature to be had
    return []


def validator(app: Application, *, on_violation: str = "raise", fail_on: str = MUST, least: bool = False) -> Validator:
    """Wrap an ASGI 3 app, and hold it to the rules that bind applications.

    `on_violation`: "raise" raises a Violation where a rule of level `fail_on` or above is broken (must, the default; should; reliance),
    "collect" only keeps all in `violations`, "warn" makes each a RuleWarning, too. `least` hands the app as little as the specification
    promises: what may be missing in scopes and events, and means the same then, is left out.
    """
    return Validator(app, on_violation, fail_on, least)
