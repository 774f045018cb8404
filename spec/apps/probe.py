"""The probe app: the field `probe: NAME` of a request picks the small app that answers it; without that field it is `echo`.

Every function that one of the modules below lists in `__all__` is a small app, named with hyphens: `raise_mid_body` answers
`probe: raise-mid-body`.
"""

from types import ModuleType
from typing import Any

from . import content, disconnect, events, failure, fields, lifespan, reading, state, status
from .message import App, Receive, Scope, Send

MODULES: tuple[ModuleType, ...] = (content, disconnect, events, failure, fields, lifespan, reading, state, status)

APPS: dict[str, App] = {name.replace("_", "-"): getattr(module, name) for module in MODULES for name in module.__all__}


def chosen(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name.lower() == b"probe":
            return value.decode("latin-1")
    return "echo"


async def app(scope: Scope, receive: Receive, send: Send) -> Any:
    if scope["type"] == "lifespan":
        return await lifespan.lifespan(scope, receive, send)
    if scope["type"] != "http":
        raise NotImplementedError(f"the probe app does not speak {scope['type']}")
    return await APPS[chosen(scope)](scope, receive, send)
