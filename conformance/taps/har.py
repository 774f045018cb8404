"""HAR 1.2 files, as browsers and mitmproxy write them: entries in the order in which they began, and what is wrong, with its place.

Knows the format and its writers' ways. Knows nothing of exchanges or secrets.
"""

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

Fields = list[tuple[str, str]]

_SPACE = re.compile(r"[ \t\r\n,]*")
_ENTRIES = re.compile(r'"entries"\s*:\s*\[')
FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEXT = re.compile("text/|json|html|xml|form-urlencoded", re.I)  # kinds of content
_MESSAGE_MAX, _MESSAGES_MAX = 200 << 10, 4000  # what fits in a line, and in an exchange
_ANSWER_MAX = 2 << 20  # characters of a content beyond which values are not looked for in it
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class HarError(Exception):
    """What is wrong with a file or an entry, with its place in front."""


class _NotSent(Exception):
    """An entry of something that no server got like this, and why it is left out."""


@dataclass(frozen=True)
class Message:
    """One of a WebSocket's. Of what came, only that it came is kept."""

    sent: bool  # by the client
    text: bool
    data: bytes


@dataclass
class Entry:
    """One request as it was sent, and what is known of its response."""

    place: str  # "entry 3", for messages
    started: datetime
    group: str  # what it belongs to beside others: a page, or a connection
    method: str
    host: str  # with the port where it is not the scheme's own
    target: str  # path and query
    fields: Fields  # HTTP/2's pseudo fields are none
    content: bytes
    status: int
    answered: Fields
    answer: str  # the response's content, decoded; "" where it is no text, or not in the file
    messages: list[Message] | None = None  # of what asked to be a WebSocket; all else has None

    def field(self, name: str) -> str:
        return next((value for given, value in self.fields if given.lower() == name), "")


@dataclass
class Har:
    origin: str  # "Firefox 128.0"
    entries: list[Entry] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    errors: list[HarError] = field(default_factory=list)


def read(path: Path) -> Har:
    """All that can be read of a file; what cannot is in `errors`."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        return Har("", errors=[HarError(f"{path}: {error.strerror}")])
    cut: HarError | None = None
    text, wrong = _decoded(octets)
    try:
        data = json.loads(text) if not wrong else None
    except json.JSONDecodeError as error:
        wrong = f"{error.lineno}:{error.colno}: {error.msg}"
    except RecursionError:
        wrong = f"{_place(text, _stop(text))}: nested too deep"
    if wrong:
        found = [entry for entry, _ in _whole(text)]
        cut = HarError(f"{path}:{wrong}; {len(found)} entries before that are whole")
        data = {"log": {"entries": found}}
    log = data.get("log") if isinstance(data, dict) else None
    if not isinstance(log, dict) or not isinstance(log.get("entries"), list):
        return Har("", errors=[HarError(f"{path}: not a HAR file: no log.entries")])
    writer = log.get("browser") or log.get("creator")
    har = Har(_origin(writer))
    if cut:
        har.errors.append(cut)
    for number, raw in enumerate(log["entries"], 1):
        place = f"entry {number}"
        try:
            har.entries.append(_entry(place, raw))
        except _NotSent as reason:
            har.left_out[str(reason)] += 1
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)
            har.errors.append(HarError(f"{path}: {place}: {said}"))
    har.entries.sort(key=lambda entry: entry.started)
    return har


def _decoded(octets: bytes) -> tuple[str, str]:
    """The text up to what is none, and what is said of that."""
    try:
        return octets.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        text = octets[: error.start].decode("utf-8-sig")
        return text, f"{_place(text, len(text))}: not UTF-8"


def _place(text: str, at: int) -> str:
    return f"{text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at)}"


def _whole(text: str) -> Iterator[tuple[Any, int]]:
    """The entries before the place where a file is cut, and where each ends."""
    start = _ENTRIES.search(text)
    decoder, at = json.JSONDecoder(), start.end() if start else len(text)
    while at < len(text):
        at = _behind_space(text, at)
        try:
            entry, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            return
        yield entry, at


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _stop(text: str) -> int:
    """Where the first entry begins that is not whole."""
    start = _ENTRIES.search(text)
    end = start.end() if start else 0
    for _, end in _whole(text):  # noqa: B007
        pass
    return _behind_space(text, end)


def _origin(writer: Any) -> str:
    """Printable ASCII for the `origin` of sessions."""
    words = [str(writer[key]) for key in ("name", "version") if writer.get(key)] if isinstance(writer, dict) else []
    return re.sub(r"[^\x20-\x7e]", "?", " ".join(words) or "HAR")[:200]


def _entry(place: str, raw: dict[str, Any]) -> Entry:
    request, response = raw["request"], raw["response"]
    url = urlsplit(request["url"])
    if url.scheme not in _DEFAULT_PORTS or not url.hostname:
        raise _NotSent("no HTTP")
    socket = raw.get("_webSocketMessages") is not None or url.scheme in ("ws", "wss") or raw.get("_resourceType") == "websocket"
    if raw.get("_fromCache") or response.get("_fetchedViaServiceWorker"):
        raise _NotSent("from the cache")
    if not isinstance(response["status"], int) or (response["status"] < 200 and not (socket and response["status"] == 101)):
        raise _NotSent("without an answer")
    messages = _messages(raw, request["method"]) if socket else None
    port = "" if url.port in (None, _DEFAULT_PORTS[url.scheme]) else f":{url.port}"
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    fields = _fields(request["headers"])
    for name, value in fields:
        value.encode()  # an error where it is no text
        if not FIELD_NAME.fullmatch(name) or re.search(r"[\0\r\n]", value):
            raise ValueError(f"no field: {name[:40]!r}: {value[:40]!r}")
    if not FIELD_NAME.fullmatch(request["method"]) or re.search(r"[^\x21-\x7e]", host + target):
        raise ValueError(f"no request line: {request['method'][:20]!r} {target[:60]!r}")
    return Entry(
        place,
        _time(raw["startedDateTime"]),
        str(raw.get("pageref") or raw.get("_connectionId") or raw.get("connection") or ""),
        request["method"],
        host + port,
        target,
        fields,
        _content(request, dict((name.lower(), value) for name, value in fields)),
        response["status"],
        _fields(response["headers"]),
        _answer(response),
        messages,
    )


def _messages(raw: dict[str, Any], method: str) -> list[Message]:
    """Texts and binary messages, as Chromium and mitmproxy write them; pings and ends they do not."""
    if method != "GET":
        raise _NotSent("WebSocket over HTTP/2")
    given = raw.get("_webSocketMessages")
    if given is None and raw["response"]["status"] == 101:
        raise _NotSent("WebSocket whose messages are not in the file")
    found = []
    for number, message in enumerate(given or [], 1):
        if message["opcode"] in (1, 2):
            text = message["opcode"] == 1
            try:
                data = message["data"].encode() if text else base64.b64decode(message["data"], validate=True)
            except (binascii.Error, UnicodeEncodeError) as error:
                raise ValueError(f"message {number}: {error}") from None
            if len(data) > _MESSAGE_MAX and message["type"] == "send":
                raise _NotSent("WebSocket with a message that is too long")
            found.append(Message(message["type"] == "send", text, data if message["type"] == "send" else b""))
    if len(found) > _MESSAGES_MAX:
        raise _NotSent("WebSocket with too many messages")
    return found


def _time(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    return moment if moment.tzinfo else moment.astimezone()


def _fields(raw: list[dict[str, str]]) -> Fields:
    """Without HTTP/2's pseudo fields. A browser may write several Set-Cookie lines as one."""
    found: Fields = []
    for pair in raw:
        name, value = str(pair["name"]), str(pair["value"])
        if not name.startswith(":"):
            found.extend((name, line) for line in (value.split("\n") if name.lower() == "set-cookie" else [value]))
    return found


def _content(request: dict[str, Any], fields: dict[str, str]) -> bytes:
    """What was sent. _NotSent where the file does not have it all."""
    length = fields.get("content-length", "")
    posted = request.get("postData")
    if not posted:
        if length.isdigit() and int(length) > 0:
            raise _NotSent("with a body that is not in the file")
        return b""
    if posted.get("text"):
        coded = (posted.get("encoding") or posted.get("_encoding")) == "base64"
        try:
            content = base64.b64decode(posted["text"], validate=True) if coded else posted["text"].encode()
        except (binascii.Error, UnicodeEncodeError) as error:
            raise ValueError(f"postData.text: {error}") from None
    elif posted.get("params") and "urlencoded" in str(posted.get("mimeType")):
        content = urlencode([(str(pair["name"]), str(pair.get("value", ""))) for pair in posted["params"]]).encode()
    else:
        content = b""
    if length.isdigit() and int(length) != len(content):
        raise _NotSent("with a body that is not in the file")
    return content


def _answer(response: dict[str, Any]) -> str:
    """The content, where it is text: values are found in it."""
    content = response.get("content") or {}
    kind = next((value for name, value in _fields(response["headers"]) if name.lower() == "content-type"), "")
    text = content.get("text")
    if not isinstance(text, str) or len(text) > _ANSWER_MAX or not _TEXT.search(kind or str(content.get("mimeType") or "text/")):
        return ""
    if content.get("encoding") != "base64":
        return text
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return ""
