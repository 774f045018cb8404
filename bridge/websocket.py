"""The faces of a WebSocket's session: `run`, which is the task, `receive` and `send`, which the app is given; and what its messages mean.

The order of checks, the lines and the texts of exceptions are uvicorn's with websockets-sansio. What a session is, and all that touches the
bytes of the wire, is native (bridge/asgi/session_object.c); a message costs one call of it.
"""

import re
import sys
from typing import TYPE_CHECKING, Any

from .logs import log_rejected, log_websocket, logger, phrase

if TYPE_CHECKING:
    from ._bridge import Session

_FORBIDDEN = 403
_CODES = frozenset((*range(1000, 1004), *range(1007, 1015)))  # those below 3000 that a close frame may carry
_REASON_MAX = 123  # bytes
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


class ClientDisconnected(OSError):
    """Raised by send() when the client is gone; an app may let it pass. In tracebacks it has the name that it has under uvicorn."""

    __module__ = "uvicorn.protocols.utils"


def _disconnected() -> type[OSError]:
    """An app that catches uvicorn's own has imported it."""
    utils = sys.modules.get(ClientDisconnected.__module__)
    return utils.ClientDisconnected if utils else ClientDisconnected


def _error(name: str, *arguments: str) -> Exception:
    """What websockets raises in uvicorn. An app that catches its errors has it installed; for others it is an error like any other."""
    try:
        from websockets import exceptions
    except ImportError:
        return RuntimeError(": ".join(arguments))
    return getattr(exceptions, name)(*arguments)


async def run(session: "Session") -> None:
    """Call the app, and see that its client does not stay without an answer."""
    try:
        result = await session.call()
    except BaseException as error:
        if not isinstance(error, _disconnected()):
            logger.error("Exception in ASGI application\n", exc_info=error)
            _fail(session)
    else:
        if not session.complete:
            logger.error("ASGI callable returned without completing handshake.")
            _fail(session)
        elif result is not None:
            logger.error("ASGI callable should return None, but returned '%s'.", result)
    finally:
        session.finish()


async def receive(session: "Session") -> dict[str, Any]:
    while (event := session.receive()) is None:
        future = session.receiver()
        try:
            await future
        finally:
            session.forget(future)
    return event


async def send(session: "Session", message: dict[str, Any]) -> None:
    future = session.sender()
    if future is not None:
        try:
            await future
        finally:
            session.forget(future)
    if session.disconnected:
        raise _disconnected()
    if session.denial is not None:
        _go_on_denying(session, message)
    elif not session.complete:
        _answer(session, message)
    elif session.close_sent:
        raise RuntimeError(f"Unexpected ASGI message '{message['type']}', after sending 'websocket.close'.")
    elif message["type"] == "websocket.send":
        _send(session, message)
    elif message["type"] == "websocket.close":
        _close(session, message)
    else:
        raise RuntimeError(f"Expected ASGI message 'websocket.send' or 'websocket.close', but got '{message['type']}'.")


def _fail(session: "Session") -> None:
    """500, where the handshake has no answer yet."""
    if session.complete or session.denial is not None or session.closing:
        return
    session.refuse(500, phrase(500), [], b"Internal Server Error")
    log_rejected(500, phrase(500))


# --- before the handshake is answered -----------------------------------------------------------------------------------------------------


def _answer(session: "Session", message: dict[str, Any]) -> None:
    match message["type"]:
        case "websocket.accept":
            _accept(session, message)
        case "websocket.close":
            session.push({"type": "websocket.disconnect", "code": 1006})
            log_websocket(session.scope, _FORBIDDEN)
            session.refuse(_FORBIDDEN, phrase(_FORBIDDEN), [], b"")
            session.close_sent = session.complete = True
            log_rejected(_FORBIDDEN, phrase(_FORBIDDEN))
        case "websocket.http.response.start":
            _start_denying(session, message)
        case other:
            raise RuntimeError(
                f"Expected ASGI message 'websocket.accept', 'websocket.close' or 'websocket.http.response.start' but got '{other}'."
            )


def _accept(session: "Session", message: dict[str, Any]) -> None:
    log_websocket(session.scope, None)
    fields = _fields(message)
    subprotocol = message.get("subprotocol") or None
    if subprotocol is not None and subprotocol not in session.offered:
        # RFC 6455 section 4.2.2. A client that was told of one that it did not offer has to fail the connection.
        logger.warning("Subprotocol %r is none that the client offers, and is left out.", subprotocol)
        subprotocol = None
    for name, value in fields:
        if not _VALUE.fullmatch(value):
            raise _error("InvalidHeaderValue", name.decode("latin-1").lower(), value.decode("latin-1"))
    if not session.closing:
        session.accept(fields, subprotocol and subprotocol.encode("latin-1"))
        logger.info("connection open")


def _start_denying(session: "Session", message: dict[str, Any]) -> None:
    status = message["status"]
    if not (100 <= status < 600):
        raise RuntimeError("Invalid HTTP status code '%d' in response." % status)  # noqa: UP031
    if status < 200:
        raise RuntimeError("A 1xx status is interim and cannot be that of a response.")
    log_websocket(session.scope, status)
    session.denial = (status, _fields(message), b"")


def _go_on_denying(session: "Session", message: dict[str, Any]) -> None:
    if session.close_sent:
        raise RuntimeError(f"Unexpected ASGI message '{message['type']}' sent, after response already completed.")
    if message["type"] != "websocket.http.response.body":
        raise RuntimeError(f"Expected ASGI message 'websocket.http.response.body' but got '{message['type']}'.")
    status, fields, content = session.denial
    content += message.get("body", b"")  # where uvicorn raises: a body may be left out, as that of any response
    session.denial = (status, fields, content)
    if message.get("more_body", False):
        return
    session.refuse(status, phrase(status), fields, content)
    session.push({"type": "websocket.disconnect", "code": 1006})
    session.close_sent = True
    log_rejected(status, phrase(status))


def _fields(message: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    headers = list(message.get("headers", []))
    return [(name.decode("latin-1").encode("latin-1"), value.decode("latin-1").encode("latin-1")) for name, value in headers]


# --- once it is accepted ------------------------------------------------------------------------------------------------------------------


def _send(session: "Session", message: dict[str, Any]) -> None:
    data, text = message.get("bytes"), message.get("text")
    if data is not None:
        if isinstance(data, str):
            raise TypeError("a bytes-like object is required, not 'str'")
        sent = session.send(data)
    elif text is not None:
        text.encode()  # it may be no str, or none that has a form in UTF-8
        sent = session.send(text)
    else:
        return
    if not sent:
        raise _disconnected()


def _close(session: "Session", message: dict[str, Any]) -> None:
    if session.closing:
        return
    code, reason = message.get("code", 1000), message.get("reason", "") or ""
    session.push({"type": "websocket.disconnect", "code": code, "reason": reason})
    if not session.open:
        raise _disconnected()
    if not (code in _CODES or 3000 <= code < 5000):
        raise _error("ProtocolError", "invalid status code")
    encoded = reason.encode()
    if len(encoded) > _REASON_MAX:
        raise _error("ProtocolError", "control frame too long")
    session.close(code, encoded)
