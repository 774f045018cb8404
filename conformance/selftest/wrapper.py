"""An app around the observed app that is wrong in one way: to the observer it is a part of the server.

Owns which function a mutation is, and which calls it is about. Knows ASGI; nothing of servers or cases.
"""

import importlib
import os
from typing import Any

from . import events, socket_events
from .events import Mutation, Receive, Scope, Send

NAME, APP = "BRIDGECHECK_SELFTEST_MUTATION", "BRIDGECHECK_SELFTEST_APP"


async def app(scope: Scope, receive: Receive, send: Send) -> Any:
    module, _, attribute = os.environ[APP].partition(":")
    inner = getattr(importlib.import_module(module), attribute)
    kind, mutation = function_of(os.environ[NAME])
    return await (mutation if scope["type"] == kind else events.passes_events_on)(inner, scope, receive, send)


def function_of(name: str) -> tuple[str, Mutation]:
    """The type of the calls that a mutation is about, and what it does to them."""
    attribute = name.replace("-", "_")
    if hasattr(socket_events, attribute):
        return "websocket", getattr(socket_events, attribute)
    mutation = getattr(events, attribute)
    return "lifespan" if mutation in events.LIFESPAN else "http", mutation
