"""Where the parts of requests stand in the bytes of a stream, whatever these are.

Reads what a server may refuse: what is not framed as a request should be is a message with fewer parts, never an error. (The reader of
recorded traffic, conformance/taps/message.py, takes whole requests and leaves the rest alone.) Knows nothing of exchanges.
"""

import re
from dataclasses import dataclass, field

from .script import MARKS, length

Span = tuple[int, int]


@dataclass
class Message:
    """Where the parts of one request stand in its stream."""

    start: int
    stop: int = 0
    query: Span | None = None  # without its "?"
    fields: list[Span] = field(default_factory=list)  # whole lines
    body: Span = (0, 0)
    length: Span | None = None  # the digits of a content-length that is true
    framing: Span | None = None  # the line that frames the body
    chunks: list[tuple[Span, Span]] = field(default_factory=list)  # whole, and its data; the last one is not here
    chunked: bool = False  # in chunks that are well-formed, up to the last one


def messages(data: bytes) -> list[Message]:
    """Requests one after another. What is not framed as a request should be is one message with no parts."""
    found: list[Message] = []
    at = 0
    while at < len(data):
        message = _message(data, at)
        found.append(message)
        at = message.stop
    return found


def _message(data: bytes, start: int) -> Message:
    message = Message(start, len(data))
    blank = data.find(b"\r\n\r\n", start)
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return message
    head_end = blank + 2 if blank >= 0 else data.rfind(b"\r\n") + 2
    target = data[start:line_end].split(b" ")
    if len(target) == 3 and b"?" in target[1]:
        message.query = start + len(target[0]) + 1 + target[1].index(b"?") + 1, line_end - len(target[2]) - 1
    lengths: list[Span] = []
    chunked = upgrade = False
    at = line_end + 2
    while at < head_end:
        end = data.index(b"\r\n", at) + 2
        name, _, value = data[at:end].partition(b":")
        message.fields.append((at, end))
        if name.lower() == b"content-length":
            digits = value.strip()
            if digits.isdigit():
                lengths.append((end - 2 - len(value[:-2].lstrip()), end - 2 - len(value[:-2].lstrip()) + len(digits)))
            message.framing = at, end
        elif name.lower() == b"transfer-encoding":
            chunked = value.strip().lower() == b"chunked"
            message.framing = at, end
        upgrade |= name.lower() == b"upgrade"
        at = end
    if blank < 0:
        return message
    begin = blank + 4
    if chunked and not lengths:
        _chunks(data, begin, message)
    elif len(lengths) == 1 and not chunked:
        declared = int(data[slice(*lengths[0])])
        stop = len(data) if MARKS.search(data, begin) else min(len(data), begin + declared)
        message.body, message.stop = (begin, stop), stop
        if length(data[begin:stop]) == declared:
            message.length = lengths[0]
    elif not lengths and not chunked and not upgrade:
        message.stop = begin
    else:
        message.body = begin, len(data)
    return message


def _chunks(data: bytes, begin: int, message: Message) -> None:
    """Chunks that are well-formed up to the last one; otherwise the body is any bytes."""
    at = begin
    while match := re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n").match(data, at):
        count = int(match[1], 16)
        if not count:
            stop = data.find(b"\r\n\r\n", match.end() - 2)
            message.stop = message.stop if stop < 0 else stop + 4
            message.body = begin, message.stop
            message.chunked = stop >= 0
            return
        inside = match.end(), match.end() + count
        if data[inside[1] : inside[1] + 2] != b"\r\n" or MARKS.search(data, *inside):
            break
        message.chunks.append(((at, inside[1] + 2), inside))
        at = inside[1] + 2
    message.chunks = []
    message.body = begin, message.stop = begin, len(data)
