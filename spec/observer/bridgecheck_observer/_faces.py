"""The faces: what the server takes for the app, and what the app takes for the server's receive and send.

A face answers every question that a server or an app asks of a callable as the real one would: whether it is a coroutine function, a
function or a class, and what kind of thing a call of it returns. It passes on the very objects it is given, adds no turn of the event
loop, and lets every exception through as it is. What passes is told to the recorder, which raises nothing.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import sys
import threading
from collections.abc import Callable
from typing import Any

from ._awaitable import watch
from ._routes import listed

try:  # the binary is for CPython 3.11 and later
    from ._recorder import MARKED, PLAIN_RECEIVE, PLAIN_SEND, Call, Recorder
except ImportError:
    from ._python_recorder import MARKED, PLAIN_RECEIVE, PLAIN_SEND, Call, Recorder  # type: ignore[assignment]

# uvicorn's choice, which is the one that decides whether an app is ASGI 3.
if sys.version_info >= (3, 14):
    _is_coroutine_function = inspect.iscoroutinefunction
else:
    _is_coroutine_function = asyncio.iscoroutinefunction

COROUTINE_FUNCTION = "coroutine function"
ROUTES = b"routes"  # the token of a marked request that asks for the app's routes


def describe(function: Any) -> str:
    """What a server's receive or send is: COROUTINE_FUNCTION, or the name of its type."""
    if inspect.iscoroutinefunction(function):
        return COROUTINE_FUNCTION
    kind = type(function)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class ObservedCall(Call):
    """One call of the app: the recorder's Call, with the faces of receive and send as its methods."""

    __slots__ = ()

    async def receive(self):
        try:
            event = await self.server_receive()
        except BaseException as error:
            self.receive_raised(error)
            raise
        self.received(event)
        return event

    async def send(self, message):  # the parameter's name is that of the servers whose send is a coroutine function
        self.sending(message)
        try:
            result = await self.server_send(message)
        except BaseException as error:
            self.send_raised(error)
            raise
        self.sent(result)
        return result

    def plain_receive(self, *arguments, **keywords):
        try:
            awaitable = self.server_receive(*arguments, **keywords)
        except BaseException as error:
            self.receive_raised(error)
            raise
        return watch(awaitable, self.received, self.receive_raised)

    def plain_send(self, *arguments, **keywords):
        events = (*arguments, *keywords.values())
        if len(events) == 1:  # anything else is refused by the server
            self.sending(*events)
        try:
            awaitable = self.server_send(*arguments, **keywords)
        except BaseException as error:
            self.send_raised(error)
            raise
        return watch(awaitable, self.sent, self.send_raised)

    def faces(self):
        """The faces of receive and send, each as the server's own."""
        return (
            self.plain_receive if self.uncommon & PLAIN_RECEIVE else self.receive,
            self.plain_send if self.uncommon & PLAIN_SEND else self.send,
        )


class Observer:
    """Makes faces that record into one trace."""

    def __init__(self, folder: str | None, doorbell: str | None) -> None:
        main_thread = threading.main_thread().ident
        self._recorder = Recorder(folder, doorbell, ObservedCall, describe, COROUTINE_FUNCTION, main_thread)
        self._app: Any = None

    async def _answer(self, call: ObservedCall, send: Callable[..., Any]) -> None:
        """A marked request is a question to the server alone, or to us; the app does not hear of it."""
        content = json.dumps(listed(self._app)).encode() if call.token == ROUTES else b""
        headers = [(b"content-length", str(len(content)).encode()), (b"bridgecheck-next", call.token)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def observe(self, real: Any) -> Any:
        """A face for an app."""
        self._app = real
        if inspect.isclass(real):
            face = self._class_face(real)
        elif inspect.isfunction(real) and _is_coroutine_function(real):
            face = self._coroutine_face(real)
        elif not inspect.isfunction(real) and _is_coroutine_function(real):
            # A partial or a bound method: a coroutine function for most servers, for uvicorn an object without an `async __call__`.
            face = functools.partial(self._coroutine_face(real))
        elif not inspect.isfunction(real) and _is_coroutine_function(real.__call__):
            kind = type(real)
            face = type(kind.__name__, (), {"__call__": staticmethod(self._coroutine_face(real))})()
        else:
            face = self._plain_face(real)
        for hint in ("_asgi_single_callable", "_asgi_double_callable"):  # asgiref's
            if hasattr(real, hint):
                setattr(face, hint, getattr(real, hint))
        return face

    def _coroutine_face(self, real: Any) -> Any:
        begin = self._recorder.begin

        async def app(scope, receive, send):
            call = begin(scope, receive, send)
            if call.uncommon:
                if call.uncommon & MARKED:
                    return await self._answer(call, send)
                receive, send = call.faces()
            else:
                receive, send = call.receive, call.send
            try:
                result = await real(scope, receive, send)
            except BaseException as error:
                call.raised(error)
                raise
            call.returned(result)
            return result

        async def variadic(*arguments, **keywords):
            # For an app that does not have just three names; what is no ASGI call is left to it, one step later than it would fail itself.
            if len(arguments) == 3 and not keywords:
                return await app(*arguments)
            return await real(*arguments, **keywords)

        names = _parameters(real)
        if names is None:
            return _named(real, variadic)
        code = app.__code__
        app.__code__ = code.replace(co_varnames=(*names, *code.co_varnames[3:]))
        return _named(real, app)

    def _plain_face(self, real: Any) -> Any:
        begin = self._recorder.begin

        def single(function, scope, receive, send, arrange):
            call = begin(scope, receive, send)
            if call.uncommon & MARKED:
                return self._answer(call, send)
            try:
                awaitable = function(*arrange(scope, *call.faces()))
            except BaseException as error:
                call.raised(error)
                raise
            return watch(awaitable, call.returned, call.raised)

        def double(scope):
            if self._recorder.is_marked(scope):
                return lambda receive, send: single(None, scope, receive, send, None)
            try:
                instance = real(scope)
            except BaseException as error:
                begin(scope, None, None).raised(error)
                raise
            return lambda receive, send: single(instance, scope, receive, send, lambda scope, receive, send: (receive, send))

        def app(*arguments, **keywords):
            if not arguments and not keywords:
                return self.observe(real())  # uvicorn's way to find out whether it is a factory
            if len(arguments) == 3 and not keywords:
                return single(real, *arguments, lambda scope, receive, send: (scope, receive, send))
            if len(arguments) == 1 and not keywords:
                return double(*arguments)
            return real(*arguments, **keywords)

        return app

    def _class_face(self, real: type) -> type:
        plain = self._plain_face(real)
        attributes = {"__new__": lambda cls, *arguments, **keywords: plain(*arguments, **keywords)}
        for name in ("__call__", "__await__"):
            if any(name in vars(base) for base in real.__mro__):
                attributes[name] = getattr(real, name)
        return type(real.__name__, (), attributes)


def _parameters(real: Any) -> list[str] | None:
    """The names of the real app's three parameters, for the face: a server that calls by name (daphne) must fail where it would."""
    try:
        parameters = list(inspect.signature(real).parameters.values())
    except (TypeError, ValueError):
        return None
    if len(parameters) != 3 or any(parameter.kind is not parameter.POSITIONAL_OR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]


def _named(real: Any, face: Any) -> Any:
    """The face under the real one's name, which its coroutines and tasks show."""
    named = real if hasattr(real, "__qualname__") else getattr(real, "func", real.__call__)
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        if hasattr(named, attribute):
            setattr(face, attribute, getattr(named, attribute))
    return face
