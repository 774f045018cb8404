"""Which Call judges a scope. Knows all protocols, so that none of them need know another."""

from typing import Any

from .call import Call
from .http import HttpCall
from .lifespan import LifespanCall
from .websocket import WebsocketCall

PROTOCOLS: dict[str, type[Call]] = {"http": HttpCall, "websocket": WebsocketCall, "lifespan": LifespanCall}


def call_for(scope: dict[str, Any]) -> Call:
    """A Call, to be fed; it keeps nothing of the scope that may change."""
    kind = scope.get("type")
    return PROTOCOLS.get(kind if isinstance(kind, str) else "", Call)(scope)
