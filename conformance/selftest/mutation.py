"""The mutations: ways of being wrong, each with the cases that have to turn red under it.

Those without a `wire` are functions of events.py or socket_events.py. Knows cases by their names; nothing of servers, or of how anything
is played.
"""

import re
from dataclasses import dataclass

from .wire import Change, Wire

HEAD = rb"^(HTTP/1\.1 %s[^\r]*\r\n)"


@dataclass(frozen=True)
class Mutation:
    cases: tuple[str, ...]
    wire: Wire | None = None
    function: str = ""  # where it is not that of the mutation's own name, or one beside the wire
    forgets_options: bool = False  # what the server is told at its start is lost
    right: str = ""  # of a fault that all servers have: what makes one that does it right


def _events(cases: str) -> Mutation:
    return Mutation(tuple(cases.split()))


def _reads(cases: str, *changes: Change) -> Mutation:
    """What the client sends is taken for something else."""
    return Mutation(tuple(cases.split()), Wire(request=changes))


def _writes(cases: str, *changes: Change) -> Mutation:
    """Something else is written than the server meant to."""
    return Mutation(tuple(cases.split()), Wire(response=changes))


def _ends_with(cases: str, last: bytes) -> Mutation:
    return Mutation(tuple(cases.split()), Wire(last=last))


_MASK = b"\x37\xfa\x21\x3d"  # the player's


def _frame(first: int, payload: bytes, *, masked: bool = True) -> bytes:
    """A frame as the player writes it; `first` holds FIN, the reserved bits and the opcode."""
    length, bit = len(payload), 0x80 * masked
    head = bytes([first, bit | length]) if length < 126 else bytes([first, bit | 126]) + length.to_bytes(2)
    return head + _MASK + bytes(octet ^ _MASK[index % 4] for index, octet in enumerate(payload)) if masked else head + payload


def _other(frame: bytes, *others: bytes) -> Change:
    """What is this frame is taken for these, or for none."""
    return re.escape(frame), b"".join(others).replace(b"\\", b"\\\\")


# What is mutated is held against the same server behind the same means that change nothing.
SAME_EVENTS, SAME_BYTES = "passes-events-on", "passes-bytes-on"

MUTATIONS: dict[str, Mutation] = {
    SAME_EVENTS: Mutation(()),
    SAME_BYTES: Mutation((), Wire()),
    # the scope
    "ports-as-text": _events("plain-request"),
    "drops-the-query": _events("two-question-marks request-byte-by-byte"),
    "does-not-decode": _events("percent-encoded-target escaped-slash escaped-nul"),
    "decodes-twice": _events("escaped-percent"),
    "normalises-paths": _events("dots-and-double-slashes"),
    "drops-bad-escapes": _events("malformed-escape"),
    "raw-path-with-query": _events("question-mark-without-query"),
    "whole-target-as-path": _events("absolute-form absolute-form-without-path"),
    "root-path-of-a-slash": _events("root-path-of-nothing"),
    "believes-any-proxy": _events("forwarded-for-that-is-no-ascii forwarded-for-empty"),
    "adds-a-length": _events("length-in-trailer"),
    "claims-spec-2-4": _events("send-after-disconnect"),
    "shares-state": _events("two-requests-in-turn lifespan-state-in-requests"),
    "joins-fields": _events("field-in-three-lines cookie-in-two-lines"),
    "drops-underscores": _events("underscore-in-field-name"),
    "drops-empty-fields": _events("empty-field-value host-empty"),
    "decodes-fields": _events("octets-in-field-value"),
    "keeps-white-space": _events("white-space-around-field-value"),
    # what the app receives
    "loses-an-octet-of-content": _events(
        "content-in-two-pieces content-of-300000-octets content-read-slowly content-in-chunks content-in-chunks-byte-by-byte"
        " chunk-extension content-of-one-mebibyte get-with-content chunked-in-upper-case"
        " chunks-after-ignored-upgrade h2c-upgrade-with-content"
    ),
    "no-event-without-content": _events("content-of-length-zero"),
    "repeats-the-last-event": _events("receive-after-content slow-request-before-a-fast-one"),
    "disconnects-behind-content": _events("listening-while-answering"),
    "takes-a-cut-for-the-end": _events("content-cut-short-by-half-close chunks-cut-short-by-half-close"),
    "never-tells-of-a-disconnect": _events(
        "client-closes-while-the-app-listens client-resets-while-the-app-listens receive-after-disconnect receive-after-response"
        " clean-up-after-disconnect client-leaves-with-a-request-behind"
    ),
    "gathers-content": Mutation(("answer-before-content-ends",), Wire(gathers=True)),
    # what becomes of what the app sends
    "completes-what-was-cut": _events(
        "app-raises-after-start app-raises-mid-body app-raises-inside-length app-returns-after-start app-returns-mid-body"
    ),
    "answers-when-the-app-is-done": _events("app-raises-after-response app-returns-a-value"),
    "accepts-anything": _events(
        "body-before-start start-twice unknown-event trailers-without-offer start-without-status status-as-text fields-as-text body-as-text"
        " pseudo-field-in-response"
    ),
    "refuses-all-but-plain-events": _events("start-with-more-keys fields-missing fields-from-generator body-without-keys"),
    "raises-after-the-end": _events("body-after-end"),
    "loses-an-octet-of-the-answer": _events("stream-in-pieces stream-with-length slow-request-before-a-malformed-one"),
    "turns-the-answer-round": _events("body-as-bytearray content-of-all-octets"),
    "ends-at-an-empty-piece": _events("empty-events-mid-stream"),
    "makes-every-status-200": _events("status-99 status-999 status-without-a-name no-content precondition-failed-with-content"),
    "groups-fields": _events("fields-in-order"),
    "encodes-fields": _events("octets-in-response-field"),
    "splits-fields": _events("line-break-in-response-field"),
    "send-never-returns": _events("client-resets-while-the-app-streams"),
    # the lifespan call, and the process behind it
    "never-shuts-the-app-down": _events("lifespan-from-start-to-end slow-shutdown sigint-when-idle shutdown-failed"),
    "starts-before-the-app": _events("startup-before-connections startup-failed startup-failed-and-waits"),
    "wants-a-message": _events("startup-failed-without-message shutdown-failed-without-message"),
    "insists-on-lifespan": _events("lifespan-raises-at-once lifespan-raises-in-startup"),
    "accepts-any-lifespan-event": _events("unknown-event-in-lifespan"),
    "ends-at-once": _events(
        "sigterm-when-idle sigterm-while-a-request-runs sigterm-while-a-response-is-streamed shutdown-event-after-requests"
        " sigterm-refuses-new-connections"
    ),
    "ignores-sigterm": _events("sigterm-closes-idle-connection sigterm-closes-connection-without-request"),
    # how requests are read
    "takes-1.2-for-1.0": _reads("http-1.2", (rb"HTTP/1\.2", b"HTTP/1.0")),
    "takes-2.0-for-1.1": _reads("http-2.0-in-request-line", (rb"HTTP/2\.0", b"HTTP/1.1")),
    "takes-0.9-for-1.1": _reads("request-line-without-version", (rb"^GET /plain\r\n", b"GET /plain HTTP/1.1\r\n")),
    "takes-1.0-for-1.1": _reads(
        "http-1.0-without-host http-1.0-keep-alive chunked-in-http-1.0 no-continue-for-http-1.0 stream-to-http-1.0"
        " transfer-encoding-by-the-app-to-http-1.0 websocket-over-http-1.0",
        (rb"HTTP/1\.0\r\n(?!Host)", b"HTTP/1.1\r\nHost: probe.test\r\n"),
        (rb"HTTP/1\.0", b"HTTP/1.1"),
    ),
    "takes-any-protocol-for-http": _reads("other-protocol-in-request-line", (rb"RTSP/1\.0", b"HTTP/1.1")),
    "takes-any-word-for-a-request": _reads("request-line-of-one-word", (rb"^BAD \x00", b"GET / HTTP/1.1\r\nHost: probe.test")),
    "refuses-empty-lines": _reads("empty-line-before-request", (rb"^\r\n", b"?\r\n")),
    "takes-spaces-into-targets": _reads("space-in-target", (rb"/a b ", b"/a%20b ")),
    "reads-lines-behind-white-space": _reads("space-before-first-field", (rb"\r\n X-First", b"\r\nX-First")),
    "knows-few-methods": _reads("unknown-method", (rb"^FROBNICATE", b"FROB NICATE")),
    "makes-any-target-a-path": _reads(
        "authority-with-get authority-with-connect target-without-slash asterisk-with-get raw-utf-8-in-target octet-above-ascii-in-query",
        (rb"^(GET|CONNECT) (probe\.test:80|\*) ", b"GET / "),
        (rb"^GET a/b", b"GET /a/b"),
        (rb"\xc3\xa9", b"%C3%A9"),
        (rb"\?x=\xe9", b"?x=%E9"),
    ),
    "knows-no-asterisk": _reads("asterisk-with-options", (rb"^OPTIONS \*", b"OPTIONS * *")),
    "limits-targets-to-4000-octets": _reads("target-of-7900-octets", (rb"^GET /a{4000,}", b"GET / /")),
    "joins-folded-lines": _reads("folded-field-value", (rb"\r\n[ \t]+", b"")),
    "skips-control-octets": _reads("nul-in-field-value control-octet-in-field-value", (rb"[\x00\x01]", b"")),
    "takes-a-bare-cr-for-a-line-end": _reads("bare-carriage-return-in-field-value", (rb"\r(?!\n)", b"\r\n")),
    "skips-spaces-before-colons": _reads("space-before-colon", (rb" +:", b":")),
    "skips-lines-it-cannot-read": _reads("line-without-colon parenthesis-in-field-name", (rb"\r\n(no colon here|X\(Name: 1)", b"")),
    "does-without-host": _reads("host-missing", (rb"\r\nX-Other", b"\r\nHost: probe.test\r\nX-Other")),
    "takes-the-first-host": _reads("host-twice host-twice-in-http-1.0", (rb"\r\nHost: other\.test", b"")),
    "takes-any-host": _reads("host-with-space host-with-user-information", (rb"probe test", b"probe.test"), (rb"user@", b"")),
    "closes-on-long-fields": Mutation(("field-of-20000-octets", "field-of-100000-octets"), Wire(closes_on=rb"a{9000}")),
    "fails-unknown-upgrades": _reads("unknown-upgrade", (rb"\r\nUpgrade: foo", b"\r\nUpgrade( foo")),
    "loses-pipelined-requests": _reads("requests-in-one-segment request-after-ignored-upgrade", (rb"\r\n\r\n(GET|POST) .*", b"\r\n\r\n")),
    # how they are framed
    "forgets-the-length-beside-chunks": _reads("content-length-and-chunked", (rb"Content-Length: 5\r\n(?=Transfer)", b"")),
    "takes-the-first-length": _reads("content-length-differs", (rb"Content-Length: 6\r\n", b"")),
    "takes-any-number-for-a-length": _reads("content-length-with-sign content-length-overflow", (rb"Length: (\+5|9{9,})", b"Length: 5")),
    "takes-any-coding-for-chunked": _reads(
        "chunked-is-not-last unknown-coding gzip-then-chunked", (rb"(chunked, gzip|xchunked|gzip, chunked)", b"chunked")
    ),
    "takes-any-size-for-three": _reads(
        "chunk-size-not-hexadecimal chunk-size-overflow chunk-longer-than-its-size",
        (rb"\r\n(zz|10{15}3)\r\n", b"\r\n3\r\n"),
        (rb"abcde", b"abc"),
    ),
    "merges-trailers": _reads("trailer-in-request", (rb"^(POST [^\r]*\r\n)(.*X-Trailer)", rb"\1X-Trailer: 1\r\n\2")),
    "forgets-unread-content": _reads(
        "content-never-read content-never-read-that-looks-like-a-request upload-hardly-read content-that-comes-after-the-answer",
        (rb"Content-Length: [0-9]+\r\n", b""),
    ),
    # how responses are written
    "hides-errors": _writes("app-raises-before-start", (HEAD % b"500", b"HTTP/1.1 200 OK\r\n")),
    "never-says-continue": _writes("continue-when-the-app-reads", (rb"^HTTP/1\.1 100 Continue\r\n\r\n", b"")),
    "always-says-continue": _writes(
        "no-continue-when-the-app-answers-first continue-when-content-is-here", (rb"^(HTTP/1\.1 )", rb"HTTP/1.1 100 Continue\r\n\r\n\1")
    ),
    "answers-head-with-content": _reads("head-with-content head-without-length", (rb"^HEAD", b"GET")),
    "writes-both-framings": _writes(
        "one-piece-without-length transfer-encoding-and-length-by-the-app",
        (rb"(?i)\r\n(transfer-encoding: chunked)", rb"\r\ncontent-length: 4\r\n\1"),
        (rb"(?i)\r\n(content-length: 4)\r\n(?!transfer)", rb"\r\n\1\r\ntransfer-encoding: chunked\r\n"),
    ),
    "forgets-the-last-chunk": _writes("empty-stream", (rb"0\r\n\r\n$", b"")),
    "frames-204": _writes(
        "no-content-with-length no-content-with-transfer-encoding",
        (HEAD % b"204", rb"\1content-length: 0\r\ntransfer-encoding: chunked\r\n"),
    ),
    "writes-content-where-there-is-none": _writes(
        "no-content-with-body not-modified-with-body not-modified-with-length", (rb"^(HTTP/1\.1 [23]04 .*?\r\n\r\n)", rb"\1BODY")
    ),
    "stops-the-clock": _writes("date-moves-on", (rb"(?i)\r\ndate: [^\r]*", b"\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT")),
    "dates-twice": _writes("own-date-and-server", (rb"(?i)\r\n(date: [^\r]*)", rb"\r\n\1\r\n\1")),
    "doubles-lengths": _writes("content-length-twice-alike-in-response", (rb"(?i)\r\n(content-length: 4)", rb"\r\n\1\r\n\1")),
    "keeps-the-apps-coding": _writes(
        "transfer-encoding-by-the-app transfer-encoding-gzip-by-the-app",
        (rb"(?i)\r\n(transfer-encoding:) chunked", rb"\r\n\1 gzip, chunked"),
    ),
    "writes-on-behind-the-end": _ends_with("content-longer-than-length", b"too long"),
    "forwards-a-length-that-is-none": _ends_with("content-length-not-a-number", b"HTTP/1.1 200 OK\r\ncontent-length: four\r\n\r\ndone"),
    "forwards-two-lengths": _ends_with(
        "content-length-twice-in-response", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\ndone"
    ),
    "ends-with-an-interim-response": _ends_with(
        "interim-status-as-final interim-status-as-final-to-http-1.0", b"HTTP/1.1 103 Early Hints\r\n\r\n"
    ),
    "writes-an-error-into-the-response": _ends_with(
        "chunk-error-after-the-head", b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbad"
    ),
    # when connections end
    "never-closes": Mutation(
        ("close-by-the-app", "close-in-a-list-by-the-app", "content-shorter-than-length"),
        Wire(never_closes=True),
    ),
    "does-not-know-close": _reads(
        "close-asked-for close-in-a-list close-in-the-first-of-two-lines request-after-close",
        (rb"Connection: (X-Hop, )?[cC]lose", b"X-Hop: 1"),
    ),
    # options
    "forgets-its-options": Mutation(
        (
            "root-path",
            "no-proxy-headers",
            "lifespan-on-raises-at-once",
            "websocket-message-beyond-its-limit",
            "websocket-ping-of-the-server",
        ),
        function=SAME_EVENTS,
        forgets_options=True,
    ),
    "does-not-stop-its-idle-timer": Mutation(("keep-alive-timer-while-a-request-runs",), Wire(lives=1.0)),
    # what no released server does right
    "refuses-methods-in-lower-case": Mutation(
        (), Wire(closes_on=rb"^[a-z]+ ", refusal=b"HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    ),
    "takes-methods-in-any-case": Mutation(
        ("lower-case-method",), Wire(request=((rb"^get ", b"GET "),)), right="refuses-methods-in-lower-case"
    ),
    "refuses-fragments": Mutation(
        (), Wire(closes_on=rb"^[A-Z]+ [^ ]*#", refusal=b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    ),
    "cuts-fragments-off": Mutation(("fragment-in-target",), Wire(request=((rb"#frag", b""),)), right="refuses-fragments"),
    "writes-early-hints": Mutation(
        (),
        Wire(response=((rb"^(HTTP/1\.1 200 .*?\r\n)x-hint: ([^\r]*)\r\n", rb"HTTP/1.1 103 Early Hints\r\nlink: \2\r\n\r\n\1"),)),
        function="offers-early-hints",
    ),
    "drops-hints": Mutation(("early-hint-where-offered",), Wire(), function="offers-early-hints", right="writes-early-hints"),
    "refuses-a-second-close": Mutation(()),
    "takes-a-second-close": Mutation(("websocket-app-closes-twice",), right="refuses-a-second-close"),
    # the handshake of a WebSocket
    "opens-without-server": Mutation((), Wire(), function="opens-without-server"),
    "answers-any-key-alike": Mutation(
        ("websocket-opens",),
        Wire(response=((rb"(?i)\r\nsec-websocket-accept: [^\r]*", b"\r\nSec-WebSocket-Accept: same"),)),
        function="opens-without-server",
        right="opens-without-server",
    ),
    "opens-with-joined-fields": _events("websocket-fields-of-the-handshake"),
    "opens-without-origin": _events("websocket-from-another-origin"),
    "opens-with-undecoded-paths": _events("websocket-path-and-query"),
    "opens-with-the-scheme-of-http": _events("websocket-scheme-behind-a-proxy"),
    "reads-one-line-of-subprotocols": _events("websocket-subprotocols-on-two-lines"),
    "takes-a-vertical-tab-for-a-line-end": _reads("websocket-control-octet-in-field-value", (rb"\x0b", b"\r\n")),
    "chooses-a-subprotocol-itself": _events("websocket-subprotocol-none"),
    "answers-any-subprotocol": _writes(
        "websocket-subprotocol-not-offered",
        (rb"^(HTTP/1\.1 [^\r]*\r\n)", rb"\1Sec-WebSocket-Protocol: unoffered\r\n"),
    ),
    "lets-fields-name-the-subprotocol": _events("websocket-subprotocol-as-field"),
    "accepts-with-each-field-once": _events("websocket-fields-of-the-accept"),
    "takes-no-fields-but-a-list": _events("websocket-fields-of-the-accept-from-generator"),
    "never-says-connect": _events("websocket-accept-without-receiving"),
    "says-connect-twice": _events("websocket-receive-beside-accept"),
    "accepts-before-the-app": _events(
        "websocket-accept-late websocket-rejected websocket-app-raises-unanswered websocket-app-returns-unanswered"
    ),
    "answers-a-rejection-with-500": _writes("websocket-rejected-without-receiving", (HEAD % b"403", b"HTTP/1.1 500 Error\r\n")),
    "takes-denials-for-rejections": _events("websocket-denied websocket-denied-in-pieces websocket-denied-without-body"),
    "takes-early-frames-for-a-request": _reads("websocket-message-before-the-accept", (rb"\r\nUpgrade: websocket(?=.*\r\n\r\n\x81)", b"")),
    "reads-early-octets-as-a-message": _events("websocket-octets-that-are-no-frame-before-the-accept"),
    "takes-any-version": _reads(
        "websocket-version-8 websocket-without-version",
        (rb"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Version: 13"),
        (rb"(Sec-WebSocket-Key: [^\r]*\r\n)(?!Sec-WebSocket-Version)", rb"\1Sec-WebSocket-Version: 13\r\n"),
    ),
    "makes-up-a-key": _reads(
        "websocket-without-key websocket-short-key",
        (rb"(Connection: Upgrade\r\n)(?!Sec-WebSocket-Key)", rb"\1Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
        (rb"c2hvcnQ=", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ),
    "opens-with-any-method": _reads("websocket-with-post", (rb"^POST /chat", b"GET /chat")),
    "looks-for-upgrade-alone": _reads(
        "websocket-upgrade-in-a-list websocket-upgrade-on-two-lines", (rb"keep-alive(, |\r\nConnection: )Upgrade", b"keep-alive")
    ),
    "takes-content-for-frames": Mutation(
        ("websocket-with-content",), Wire(request=((rb"Content-Length: 8\r\n", b""),)), function="reads-early-octets-as-a-message"
    ),
    "agrees-to-any-extension": _writes(
        "websocket-deflate-with-bad-window websocket-unknown-extension",
        (HEAD % b"101", rb"\1Sec-WebSocket-Extensions: permessage-deflate\r\n"),
    ),
    "forgets-the-bit-of-compression": _writes(
        "websocket-deflate websocket-deflated-message websocket-deflate-without-takeover", (rb"\xc1", b"\x81")
    ),
    # the messages of a WebSocket
    "hands-texts-on-as-bytes": _events("websocket-text-and-binary websocket-frame-byte-by-byte"),
    "drops-empty-messages": _events("websocket-empty-messages-received websocket-empty-messages-sent"),
    "cuts-long-messages": _events("websocket-message-of-70000-octets websocket-long-message-sent"),
    "accepts-any-event-of-a-socket": _events(
        "websocket-accept-twice websocket-both-kinds websocket-neither-kind websocket-bytes-that-are-a-str websocket-text-that-is-bytes"
        " websocket-unknown-event websocket-denied-after-accept websocket-send-after-disconnect websocket-send-before-accept"
    ),
    "prefers-bytes-that-are-none": _events("websocket-none-beside-a-message"),
    "takes-fragments-for-messages": _reads(
        "websocket-fragments websocket-character-across-fragments",
        *(
            _other(_frame(first, payload), _frame(0x81, payload))
            for first, payload in ((0x01, b"he"), (0x00, b"ll"), (0x80, b"o"), (0x01, b"caf\xc3"), (0x80, b"\xa9"))
        ),
    ),
    "reads-one-frame-of-a-segment": _reads("websocket-two-messages-in-one-segment", (rb"(\x81\x83\0{4}one).*", rb"\1")),
    "never-answers-pings": _writes("websocket-ping-and-pong", (rb"\x8a\x03abc", b"")),
    "waits-for-messages-of-any-length": _reads("websocket-message-beyond-16-mebibytes", (rb"\x82\xff\0{4}\x01.*", b"")),
    # frames that no client may send
    "does-not-look-at-the-bits-of-frames": _reads(
        "websocket-unmasked-frame websocket-reserved-bit websocket-reserved-opcode websocket-compressed-ping"
        " websocket-compressed-without-agreement",
        _other(_frame(0x81, b"plain", masked=False), _frame(0x81, b"plain")),
        _other(_frame(0xA1, b"a"), _frame(0x81, b"a")),
        _other(_frame(0x83, b"a"), _frame(0x81, b"a")),
        _other(_frame(0xC9, b"a"), _frame(0x89, b"a")),
        _other(_frame(0xC1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"), _frame(0x81, b"Hello")),
    ),
    "skips-frames-it-cannot-read": _reads(
        "websocket-ping-of-126-octets websocket-ping-in-fragments websocket-continuation-of-nothing websocket-message-within-another"
        " websocket-deflate-data-corrupt",
        _other(_frame(0x89, b"x" * 126)),
        _other(_frame(0x09, b"a")),
        _other(_frame(0x80, b"a")),
        _other(_frame(0x81, b"b")),
        _other(_frame(0xC1, b"\xff\xff\xff\xff")),
    ),
    "puts-question-marks-for-bad-utf-8": _reads(
        "websocket-text-that-is-no-utf-8 websocket-surrogate-across-fragments",
        _other(_frame(0x81, b"\xff\xfe"), _frame(0x81, b"??")),
        _other(_frame(0x01, b"ok\xed"), _frame(0x01, b"ok?")),
        _other(_frame(0x80, b"\xa0\x80"), _frame(0x80, b"??")),
    ),
    "cannot-inflate-a-last-block": _reads(
        "websocket-deflate-last-block",
        _other(_frame(0xC1, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), _frame(0xC1, b"\xff\xff\xff\xff")),
    ),
    # how WebSockets end
    "reports-any-close-as-1000": _events("websocket-close-with-code-and-reason websocket-close-without-code websocket-client-half-closes"),
    "takes-any-close-for-1000": _reads(
        "websocket-close-of-one-octet websocket-close-with-code-999 websocket-close-with-code-1005 websocket-close-reason-that-is-no-utf-8",
        *(_other(_frame(0x88, payload), _frame(0x88, b"\x03\xe8")) for payload in (b"\x03", b"\x03\xe7", b"\x03\xed", b"\x03\xe8\xff\xfe")),
    ),
    "reads-on-behind-a-close": _reads("websocket-message-after-close", (rb"(\x88\x82\0{4}\x03\xe8)(\x81\x84\0{4}late)", rb"\2\1")),
    "never-tells-that-a-socket-ended": _events(
        "websocket-client-resets websocket-client-leaves-in-a-message websocket-receive-after-reject websocket-receive-after-close"
    ),
    "loses-the-reason-of-a-close": _events("websocket-app-closes"),
    "writes-none-for-no-reason": _events("websocket-app-closes-with-no-reason"),
    "closes-with-1001": _events("websocket-app-closes-without-code websocket-app-raises-while-closing"),
    "closes-with-any-code": Mutation(
        ("websocket-app-closes-with-reserved-code",), Wire(response=((rb"\x88.*", b""),), last=_frame(0x88, b"\x03\xed", masked=False))
    ),
    "closes-with-any-reason": Mutation(
        ("websocket-app-closes-with-long-reason",),
        Wire(response=((rb"\x88.*", b""),), last=_frame(0x88, b"\x0f\xa7" + b"x" * 122 + b"\xc3\xa9", masked=False)),
    ),
    "writes-a-message-behind-its-close": _ends_with("websocket-send-after-close", _frame(0x81, b"late", masked=False)),
    "closes-with-1000-for-errors": _events("websocket-app-raises"),
    "leaves-sockets-open": _events("websocket-app-returns"),
}


def same(mutation: str) -> str:
    """That by the same means which does it right."""
    mutated = MUTATIONS[mutation]
    return mutated.right or (SAME_EVENTS if mutated.wire is None else SAME_BYTES)


def function_of(mutation: str) -> str:
    """The function that alters the calls, "" where none does."""
    mutated = MUTATIONS[mutation]
    return mutated.function or (mutation if mutated.wire is None else "")


def mutation_of(case: str) -> str:
    """The mutation under which this case has to turn red, "" where there is none yet."""
    return next((name for name, mutation in MUTATIONS.items() if case in mutation.cases), "")
