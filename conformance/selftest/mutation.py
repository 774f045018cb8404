"""The mutations: ways of being wrong, each with the cases that have to turn red under it.

Those without a `wire` are functions of events.py. Knows cases by their names; nothing of servers, or of how anything is played.
"""

from dataclasses import dataclass

from .wire import Change, Wire

HEAD = rb"^(HTTP/1\.1 %s[^\r]*\r\n)"


@dataclass(frozen=True)
class Mutation:
    cases: tuple[str, ...]
    wire: Wire | None = None


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
        " clean-up-after-disconnect"
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
        " transfer-encoding-by-the-app-to-http-1.0",
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
        "authority-with-get authority-with-connect target-without-slash asterisk-with-get raw-utf-8-in-target"
        " octet-above-ascii-in-query",
        (rb"^(GET|CONNECT) (probe\.test:80|\*) ", b"GET / "),
        (rb"^GET a/b", b"GET /a/b"),
        (rb"\xc3\xa9", b"%C3%A9"),
        (rb"\?x=\xe9", b"?x=%E9"),
    ),
    "cuts-fragments-off": _reads("fragment-in-target", (rb"#frag", b"")),
    "takes-methods-in-any-case": _reads("lower-case-method", (rb"^get ", b"GET ")),
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
        (rb"Content-Length: [0-9]+\r\n", b"")
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
    "drops-hints": _writes("early-hint-where-offered", (rb"^HTTP/1\.1 103 [^\r]*\r\n.*?\r\n\r\n", b"")),
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
}


def same(mutation: str) -> str:
    """That by the same means which changes nothing."""
    return SAME_EVENTS if MUTATIONS[mutation].wire is None else SAME_BYTES


def mutation_of(case: str) -> str:
    """The mutation under which this case has to turn red, "" where there is none yet."""
    return next((name for name, mutation in MUTATIONS.items() if case in mutation.cases), "")
