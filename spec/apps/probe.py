"""The probe app: the field `probe: NAME` of a request picks the small app that answers it; without that field it is `echo`, or of a
WebSocket `echo-messages`.

Every function that one of the modules below lists in `__all__` is a small app, named with hyphens: `raise_mid_body` answers
`probe: raise-mid-body`.
"""

from types import ModuleType
from typing import Any

from . import content, disconnect, events, failure, fields, lifespan, reading, state, status, websocket
from .message import App, Receive, Scope, Send

MODULES: tuple[ModuleType, ...] = (content, disconnect, events, failure, fields, lifespan, reading, state, status)


def _named(*modules: ModuleType) -> dict[str, App]:
    return {name.replace("_", "-"): getattr(module, name) for module in modules for name in module.__all__}


SOCKETS = _named(websocket)  # for WebSockets; a request of HTTP that asks for one gets the echo
APPS = _named(*MODULES) | SOCKETS


def chosen(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name.lower() == b"probe":
            return value.decode("latin-1")
    return "echo" if scope["type"] == "http" else "echo-messages"


async def app(scope: Scope, receive: Receive, send: Send) -> Any:
    if scope["type"] == "lifespan":
        return await lifespan.lifespan(scope, receive, send)
    if scope["type"] not in ("http", "websocket"):
        raise NotImplementedError(f"the probe app does not speak {scope['type']}")
    name = chosen(scope)
    if scope["type"] == "http" and name in SOCKETS:
        name = "echo"
    if scope["type"] == "websocket" and name not in SOCKETS:
        raise NotImplementedError(f"the probe app {name} does not speak WebSocket")
    return await APPS[name](scope, receive, send)
