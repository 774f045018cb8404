"""Logs every event between server and app for `--log-level trace`, without its contents. Knows ASGI's messages; not what they mean."""

import itertools
import logging
from collections.abc import Callable
from typing import Any

from .logs import TRACE

logger = logging.getLogger("uvicorn.asgi")

_UNITS = {"body": "bytes", "bytes": "bytes", "text": "chars"}


def _short(message: dict[str, Any]) -> dict[str, Any]:
    """The message with sizes in place of contents."""
    short = message.copy()
    for key, unit in _UNITS.items():
        if message.get(key) is not None:
            short[key] = f"<{len(message[key])} {unit}>"
    if message.get("headers") is not None:
        short["headers"] = "<...>"
    return short


class Traced:
    """The app, with a line for each of its calls, events and ends. Its result is dropped, as under uvicorn."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        number = next(self._numbers)
        client = scope.get("client")
        prefix = f"{client[0]}:{client[1]} - ASGI" if client else "ASGI"

        async def traced_receive() -> Any:
            message = await receive()
            logger.log(TRACE, "%s [%d] Receive %s", prefix, number, _short(message))
            return message

        async def traced_send(message: Any) -> None:
            logger.log(TRACE, "%s [%d] Send %s", prefix, number, _short(message))
            await send(message)

        logger.log(TRACE, "%s [%d] Started scope=%s", prefix, number, _short(scope))
        try:
            await self.app(scope, traced_receive, traced_send)
        except BaseException:
            logger.log(TRACE, "%s [%d] Raised exception", prefix, number)
            raise
        logger.log(TRACE, "%s [%d] Completed", prefix, number)
