"""A call for one HTTP request: the response, event by event, with the extensions that add to it.

Knows what the specification says of these events. Knows nothing of who feeds it.
"""

from __future__ import annotations

import os.path
from typing import Any

from .call import Call, Raised
from .headers import PUSH, RESPONSE, TRAILERS, Header, checked
from .value import Traced, holds, plain, shown, size, type_name

_NO_CONTENT = (204, 205, 304)


class HttpCall(Call):
    """Phases: begun, started, trailing (content done, trailers due), complete."""

    disconnect = "http.disconnect"
    after_disconnect = ("HTTP-DISC-06", "HTTP-EXC-01", "HTTP-DISC-04")
    optional = {
        "scheme": "HTTP-SCOPE-10",
        "raw_path": "HTTP-SCOPE-20",
        "root_path": "HTTP-SCOPE-25",
        "client": "HTTP-SCOPE-43",
        "server": "HTTP-SCOPE-43",
        "state": "LIFE-SCOPE-05",
    }
    optional_in = {"http.request": {"body": "HTTP-RECV-04", "more_body": "HTTP-RECV-04"}}
    keys = {
        "http.response.start": frozenset(("type", "status", "headers", "trailers")),
        "http.response.body": frozenset(("type", "body", "more_body")),
        "http.response.trailers": frozenset(("type", "headers", "more_trailers")),
        "http.response.push": frozenset(("type", "path", "headers")),
        "http.response.zerocopysend": frozenset(("type", "file", "offset", "count", "more_body")),
        "http.response.pathsend": frozenset(("type", "path")),
        "http.response.early_hint": frozenset(("type", "links")),
        "http.response.debug": frozenset(("type", "info")),
    }
    offers = {kind: kind for kind in keys if kind not in ("http.response.start", "http.response.body")}

    def __init__(self, scope: dict[str, Any]) -> None:
        super().__init__(scope)
        self.head = scope.get("method") == "HEAD"
        self.status = 0
        self.headers: list[Header] = []
        self.length: int | None = None  # as content-length has it
        self.trailers = self.due = False  # announced; and so to come
        self.total = 0
        self.content = False  # an event that carries some, maybe empty, was sent
        self.counted = True  # all content is in body events
        self.debugged = self.path_sent = False
        self.files: list[Any] = []

    def _start(self, event: dict[Any, Any]) -> None:
        if self.phase != "begun":
            self._late("http.response.start", "HTTP-START-01", "a second http.response.start is sent")
            return
        self.phase = "started"
        if "status" not in event:
            self._tell("HTTP-START-05", "http.response.start has no status")
        elif self._keyed(event, "status", int, "HTTP-START-05", "status is no int"):
            self.status = plain(event["status"])
            if type(self.status) is int and not 200 <= self.status <= 599:
                self._tell("HTTP-START-24", "status is none that a final response has", shown(self.status))
        if self._keyed(event, "trailers", bool, "HTTP-START-23", "trailers is no bool"):
            self.trailers = event["trailers"]
            self.due = self.trailers and "http.response.trailers" in self.extensions
            if self.trailers and not self.due:
                self._tell("GEN-EXT-04", "trailers are announced where the scope does not offer the extension")
        self.headers = checked(event["headers"], RESPONSE, self._tell) if "headers" in event else []
        self._length()

    def _length(self) -> None:
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if len(lengths) > 1:
            self._tell("HTTP-START-26", "content-length is given more than once", shown(lengths))
        if any(not value.isdigit() for value in lengths):
            self._tell("HTTP-START-26", "content-length is no number", shown(lengths[0]))
        elif len(lengths) == 1:
            self.length = int(lengths[0][:20])
        if self.status == 204 and any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers):
            self._tell("HTTP-START-27", "content-length or transfer-encoding is given with status 204")

    def _late(self, kind: str, rule: str, what: str) -> None:
        if self.phase == "complete":
            self._tell("HTTP-BODY-09", "an event is sent after the response is complete", kind)
        else:
            self._tell(rule, what)

    def _body(self, event: dict[Any, Any]) -> None:
        if self._keyed(event, "body", bytes, "HTTP-BODY-03", "body is not bytes"):
            count = size(event["body"])
        else:
            count = 0
            self.counted &= event.get("body", b"") == b""  # what a server makes of another type nobody knows
        final = not self._more(event)
        if self.phase == "begun":
            self._tell("HTTP-START-01", "content is sent before http.response.start")
            self.content = True
            return
        if self.phase != "started":
            self._late("http.response.body", "EXT-TRAIL-03", "content is sent after its last event, where trailers are due")
            return
        if self.path_sent:
            self._tell("EXT-PATH-02", "http.response.body is sent beside http.response.pathsend")
        self.content = True
        self.total += count
        if count and self.status in _NO_CONTENT and not self.head:
            self._tell("HTTP-BODY-13", "content is sent with a status that has none", str(self.status))
        elif self.length is not None and self.total > self.length and not self.head:
            self._tell("HTTP-BODY-12", "more content is sent than content-length says", f"{self.total} of {self.length} bytes")
        if final:
            self._content_done()

    def _more(self, event: dict[Any, Any]) -> bool:
        self._keyed(event, "more_body", bool, "HTTP-BODY-14", "more_body is no bool")
        return bool(event.get("more_body", False))

    def _content_done(self) -> None:
        self.phase = "trailing" if self.due else "complete"
        short = self.length is not None and self.total < self.length
        if short and self.counted and not self.head and self.status not in _NO_CONTENT:
            self._tell("HTTP-BODY-12", "less content is sent than content-length says", f"{self.total} of {self.length} bytes")

    # --- extensions ---------------------------------------------------------------------------------------------------------------

    def _unoffered(self, kind: str, event: dict[Any, Any]) -> None:
        if kind == "http.response.debug":
            self._tell("EXT-DEBUG-02", "http.response.debug is sent where the scope does not offer it")
            return
        super()._unoffered(kind, event)
        if kind == "http.response.trailers" and not self.trailers:
            self._tell("EXT-TRAIL-02", "trailers are sent that http.response.start does not announce")

    def _amid(self, rule: str, kind: str) -> bool:
        """Behind the start and before the end of the content."""
        if self.phase == "begun":
            self._tell(rule, f"{kind} is sent before http.response.start")
        elif self.phase != "started":
            self._late(kind, rule, f"{kind} is sent after the last of the content")
        return self.phase == "started"

    def _trailers(self, event: dict[Any, Any]) -> None:
        if not self.trailers:
            self._tell("EXT-TRAIL-02", "trailers are sent that http.response.start does not announce")
        if self.phase in ("begun", "started"):
            self._tell("EXT-TRAIL-03", "trailers are sent before the content's last event")
            return
        fields = checked(event.get("headers", ()), TRAILERS, self._tell)
        named = b",".join(value for name, value in self.headers if name == b"trailer").lower()
        announced = {name.strip() for name in named.split(b",")}
        for name, _ in fields:
            if name not in announced:
                self._tell("EXT-TRAIL-04", "a trailer is sent that no trailer header announces", shown(name))
        if not event.get("more_trailers", False):
            self.phase = "complete"

    def _push(self, event: dict[Any, Any]) -> None:
        self._amid("EXT-PUSH-02", "http.response.push")
        if "path" not in event or not holds(event["path"], str):
            self._tell("EXT-PUSH-03", "path of http.response.push is no str", shown(event.get("path")))
        checked(event.get("headers", ()), PUSH, self._tell)

    def _zero_copy(self, event: dict[Any, Any]) -> None:
        final = not self._more(event)
        file = event.get("file")
        if not isinstance(file, Traced):
            try:
                file.fileno()
            except Exception:  # of whatever object it is
                self._tell("EXT-ZERO-04", "file of http.response.zerocopysend has no descriptor", type_name(file))
            else:
                self.files.append(file)
        if self._amid("EXT-ZERO-02", "http.response.zerocopysend"):
            self.content, self.counted = True, False
            if final:
                self._content_done()

    def _path(self, event: dict[Any, Any]) -> None:
        path = event.get("path")
        if not holds(path, str) or (isinstance(plain(path), str) and not os.path.isabs(plain(path))):
            self._tell("EXT-PATH-03", "path of http.response.pathsend is no absolute path as str", shown(path))
        if self.phase == "begun":
            self._tell("EXT-PATH-02", "http.response.pathsend is sent before http.response.start")
        elif self.phase == "started":
            if self.content:
                self._tell("EXT-PATH-02", "http.response.body is sent beside http.response.pathsend")
            if not {b"content-length", b"content-type"} <= {name for name, _ in self.headers}:
                self._tell("EXT-PATH-04", "http.response.pathsend without content-length and content-type")
            self.path_sent, self.content, self.counted = True, True, False
            self._content_done()
        else:
            self._tell("EXT-PATH-02", "http.response.pathsend is sent after the content's last event")

    def _early_hint(self, event: dict[Any, Any]) -> None:
        self._amid("EXT-HINT-02", "http.response.early_hint")
        links = event.get("links")
        listed = isinstance(links, (list, tuple, set, frozenset))
        if isinstance(links, (str, bytes)) or links is None or (listed and not all(holds(link, bytes) for link in links)):
            self._tell("EXT-HINT-03", "links of http.response.early_hint is no iterable of bytes", shown(links))

    def _debug(self, event: dict[Any, Any]) -> None:
        if self.debugged or self.phase != "begun":
            self._tell("EXT-DEBUG-02", "http.response.debug is not sent once, before http.response.start")
        self.debugged = True
        info = event.get("info")
        if not holds(info, dict) or (isinstance(info, dict) and not all(holds(key, str) for key in info)):
            self._tell("EXT-DEBUG-03", "info of http.response.debug is no dict with str keys", shown(info))

    # --- the end ------------------------------------------------------------------------------------------------------------------

    def _on_returned(self) -> None:
        if self.phase == "begun" and not self.content:
            self._tell("HTTP-BODY-10", "the application returns without a response")
        elif self.phase == "started" and not self.content:
            self._tell("HTTP-START-02", "the application returns with http.response.start and no content event behind it")
        elif self.phase == "started":
            self._tell("HTTP-BODY-10", "the application returns in the middle of a response: no event without more_body")
        elif self.phase == "trailing":
            self._tell("EXT-TRAIL-03", "the application returns without the trailers that it announced")
        if any(getattr(file, "closed", True) is False for file in self.files):
            self._tell("EXT-ZERO-08", "a file that was sent is still open when the application returns")

    def _on_raised(self, raised: Raised) -> None:
        if self.phase == "begun":
            self._tell("HTTP-ERR-03", "an exception escapes before http.response.start: what the client gets is the server's", raised.type)
        elif self.phase == "complete":
            self._tell("HTTP-ERR-02", "an exception escapes after the response is complete", raised.type)


HttpCall.events = {
    "http.response.start": HttpCall._start,
    "http.response.body": HttpCall._body,
    "http.response.trailers": HttpCall._trailers,
    "http.response.push": HttpCall._push,
    "http.response.zerocopysend": HttpCall._zero_copy,
    "http.response.pathsend": HttpCall._path,
    "http.response.early_hint": HttpCall._early_hint,
    "http.response.debug": HttpCall._debug,
}
