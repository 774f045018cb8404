"""A call for one WebSocket: its handshake's answer, its messages, its close.

Knows what the specification says of these events. Knows nothing of who feeds it.
"""

from __future__ import annotations

from typing import Any

from .call import Call, Raised
from .headers import ACCEPT, RESPONSE, checked
from .value import holds, plain, shown, size, type_name

_REASON_MAX = 123  # of a control frame's 125 bytes, two are the code's
_NEVER_SENT = (1005, 1006, 1015)


class WebsocketCall(Call):
    """Phases: begun (not answered), open, denying (a denial response is under way), complete (closed or denied)."""

    disconnect = "websocket.disconnect"
    after_disconnect = ("WS-DISC-09", "WS-EXC-01", "WS-DISC-08")
    optional = {
        "scheme": "WS-SCOPE-06",
        "http_version": "WS-SCOPE-06",
        "raw_path": "WS-SCOPE-08",
        "query_string": "WS-SCOPE-11",
        "root_path": "WS-SCOPE-12",
        "client": "WS-SCOPE-18",
        "server": "WS-SCOPE-19",
        "subprotocols": "WS-SCOPE-21",
        "state": "LIFE-SCOPE-05",
    }
    optional_in = {
        "websocket.receive": {"text": "WS-RECV-04", "bytes": "WS-RECV-04"},
        "websocket.disconnect": {"reason": "WS-DISC-05"},
    }
    keys = {
        "websocket.accept": frozenset(("type", "subprotocol", "headers")),
        "websocket.send": frozenset(("type", "text", "bytes")),
        "websocket.close": frozenset(("type", "code", "reason")),
        "websocket.http.response.start": frozenset(("type", "status", "headers")),
        "websocket.http.response.body": frozenset(("type", "body", "more_body")),
    }
    offers = {
        "websocket.http.response.start": "websocket.http.response",
        "websocket.http.response.body": "websocket.http.response",
    }

    def __init__(self, scope: dict[str, Any]) -> None:
        super().__init__(scope)
        offered = scope.get("subprotocols")
        self.offered = list(offered) if isinstance(offered, (list, tuple)) else []
        self.connected = False  # websocket.connect was received
        self.denied = False

    def _on_received(self, kind: Any) -> None:
        self.connected |= kind == "websocket.connect"

    def _answers(self, kind: str) -> bool:
        """Whether the event is the answer to websocket.connect. What is sent after a close or a denial is told for every event."""
        if self.denied:
            self._tell("EXT-DENY-03", "an event of another kind follows the start of a denial response", kind)
        elif self.phase == "complete":
            self._tell("WS-CLOSE-07", "an event is sent after websocket.close", kind)
        elif self.phase == "begun" and not self.connected and not self.disconnected:
            self._tell("GEN-APP-07", "an event is sent before websocket.connect is received", kind)
        return self.phase == "begun"

    def _accept(self, event: dict[Any, Any]) -> None:
        if not self._answers("websocket.accept"):
            if self.phase == "open":
                self._tell("WS-ACC-12", "websocket.accept is sent again")
            return
        self.phase = "open"
        what = "subprotocol is no str"
        if self._keyed(event, "subprotocol", str, "WS-ACC-13", what, or_none=True) and plain(event["subprotocol"]) not in self.offered:
            self._tell("WS-ACC-14", "a subprotocol is accepted that the client did not offer", shown(event["subprotocol"]))
        if "headers" in event:
            headers = checked(event["headers"], ACCEPT, self._tell)
            if any(name == b"sec-websocket-protocol" for name, _ in headers):
                self._tell("WS-ACC-07", "sec-websocket-protocol is among the headers of websocket.accept")
            if headers:
                self._newer("headers of websocket.accept", (2, 1), "WS-ACC-10")

    def _newer(self, feature: str, since: tuple[int, ...], rule: str) -> None:
        """Something is used that not every version of the specification has."""
        if self.version == ():
            self._tell("HTTP-SCOPE-04", "what came after version 2.0 is used, where the scope has no spec_version", feature)
        elif self.version is not None and self.version < since:
            self._tell(rule, f"{feature} where spec_version is older", ".".join(map(str, self.version)))

    def _send(self, event: dict[Any, Any]) -> None:
        if self._answers("websocket.send"):
            self._tell("WS-CONN-04", "websocket.connect is answered with websocket.send")
        what = "text in websocket.send is no str, or bytes is not bytes"
        self._keyed(event, "text", str, "WS-SEND-07", what, or_none=True)
        self._keyed(event, "bytes", bytes, "WS-SEND-07", what, or_none=True)
        given = [key for key in ("text", "bytes") if event.get(key) is not None]
        if len(given) != 1:
            self._tell("WS-SEND-01", f"websocket.send with {'both' if given else 'neither'} of text and bytes")

    def _close(self, event: dict[Any, Any]) -> None:
        if self.phase != "denying":  # else it is told, and goes on
            framed = self.phase == "open"  # before that it is an HTTP response, which has neither code nor reason
            self._answers("websocket.close")
            self.phase = "complete"
        else:
            framed = False
            self._answers("websocket.close")
        what = "code of websocket.close is no int, or reason no str"
        if self._keyed(event, "code", int, "WS-CLOSE-08", what):
            code = plain(event["code"])
            if framed and type(code) is int and (not 1000 <= code <= 4999 or code in _NEVER_SENT):
                self._tell("WS-CLOSE-09", "a close code that may not stand in a frame", shown(code))
        if self._keyed(event, "reason", str, "WS-CLOSE-08", what, or_none=True) and plain(event["reason"]):
            reason = plain(event["reason"])
            if framed and isinstance(reason, str) and len(reason.encode("utf-8", "surrogatepass")) > _REASON_MAX:
                self._tell("WS-CLOSE-10", "a close reason longer than a frame can carry", shown(reason))
            self._newer("reason of websocket.close", (2, 3), "WS-CLOSE-05")

    def _deny(self, event: dict[Any, Any]) -> None:
        if self.denied or self.phase != "begun":
            self._tell("EXT-DENY-07", "a denial response is started where websocket.connect is answered already")
            return
        self._answers("websocket.http.response.start")
        self.phase, self.denied = "denying", True
        if "status" not in event or not holds(event["status"], int):
            self._tell("HTTP-START-05", "status of a denial response is no int", shown(event.get("status")))
        if "headers" in event:
            checked(event["headers"], RESPONSE, self._tell)

    def _denial_body(self, event: dict[Any, Any]) -> None:
        if self.phase != "denying":
            self._tell("EXT-DENY-07", "content of a denial response outside of one")
            return
        if "body" in event and not holds(event["body"], bytes):
            self._tell("HTTP-BODY-03", "body is not bytes", f"{type_name(event['body'])} of {size(event['body'])}")
        self._keyed(event, "more_body", bool, "HTTP-BODY-14", "more_body is no bool")
        if not event.get("more_body", False):
            self.phase = "complete"

    def _on_returned(self) -> None:
        if self.phase == "begun":
            self._tell("WS-CONN-04", "the application returns without an answer to websocket.connect")
        elif self.phase == "open":
            self._tell("WS-LIFE-01", "the application returns from an open WebSocket without websocket.close")
        elif self.phase == "denying":
            self._tell("HTTP-BODY-10", "the application returns in the middle of a denial response")

    def _on_raised(self, raised: Raised) -> None:
        if self.phase == "begun":
            self._tell("WS-ERR-01", "an exception escapes before websocket.connect is answered", raised.type)
        elif self.phase == "open":
            self._tell("WS-ERR-02", "an exception escapes from an open WebSocket: its close is the server's", raised.type)


WebsocketCall.events = {
    "websocket.accept": WebsocketCall._accept,
    "websocket.send": WebsocketCall._send,
    "websocket.close": WebsocketCall._close,
    "websocket.http.response.start": WebsocketCall._deny,
    "websocket.http.response.body": WebsocketCall._denial_body,
}
