"""HTTP/1.1 messages in bytes that were recorded, and where their parts stand.

Knows framing and nothing of what parts mean. Reads what clients send; what it does not understand it leaves alone.
"""

import contextlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_HEAD_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.[01]\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*\r\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[^\r\n]*\r\n")


class Span(NamedTuple):
    start: int
    end: int


@dataclass
class Request:
    """A whole request; all places are those of the bytes it was found in."""

    start: int
    end: int
    method: str
    target: Span
    fields: list[tuple[str, Span]]  # the name in lower case, the value's place
    content: list[Span] = field(default_factory=list)  # one, or one for each chunk
    sizes: list[Span] = field(default_factory=list)  # of the chunks

    def places(self, name: str) -> list[Span]:
        return [place for given, place in self.fields if given == name]


@dataclass(frozen=True)
class Answer:
    """A response, as text."""

    status: int
    fields: list[tuple[str, str]]
    content: str  # decoded; as far as it was kept
    coded: bool  # it was not sent as it is here

    def field(self, name: str) -> str:
        return next((value for given, value in self.fields if given.lower() == name), "")


def requests(data: bytes) -> Iterator[Request]:
    """Those that are whole, one behind the other, up to what is not understood."""
    at = 0
    while at < len(data):
        found = _request(data, at)
        if found is None:
            return
        yield found
        at = found.end


def _request(data: bytes, at: int) -> Request | None:
    line = _REQUEST_LINE.match(data, at)
    head_end = data.find(_HEAD_END, at)
    if line is None or head_end < 0:
        return None
    fields: list[tuple[str, Span]] = []
    place = line.end()
    while place < head_end + 2:
        given = _FIELD.match(data, place)
        if given is None:
            return None
        fields.append((given[1].decode().lower(), Span(*given.span(2))))
        place = given.end()
    request = Request(at, head_end + 4, line[1].decode(), Span(*line.span(2)), fields)
    if codings := request.places("transfer-encoding"):
        whole = data[slice(*codings[0])].lower() == b"chunked" and len(codings) == 1 and _chunks(data, request)
        return request if whole else None
    lengths = request.places("content-length")
    if lengths:
        length = data[slice(*lengths[0])]
        if len(lengths) > 1 or not length.isdigit() or request.end + int(length) > len(data):
            return None
        request.content.append(Span(request.end, request.end + int(length)))
        request.end += int(length)
    return request


def _chunks(data: bytes, request: Request) -> bool:
    """Whether all chunks are there, and no trailers; they are in the request then."""
    at = request.end
    while size := _CHUNK.match(data, at):
        start, length = size.end(), int(size[1], 16)
        if data[start + length : start + length + 2] != b"\r\n":
            return False
        at = start + length + 2
        if not length:
            request.end = at
            return True
        request.sizes.append(Span(*size.span(1)))
        request.content.append(Span(start, start + length))
    return False


def answer(data: bytes) -> Answer | None:
    """What an `answered` step keeps."""
    line = _STATUS_LINE.match(data)
    head, _, content = data.partition(_HEAD_END)
    if line is None:
        return None
    fields = [(name.decode(), value.decode("utf-8", "surrogateescape")) for name, value in _FIELD.findall(head + b"\r\n", line.end())]
    coding = next((value.lower() for name, value in fields if name.lower() == "content-encoding"), "identity")
    return Answer(int(line[1]), fields, _decoded(coding, content).decode("utf-8", "surrogateescape"), coding != "identity")


def _decoded(coding: str, content: bytes) -> bytes:
    """HAR has contents decoded, whatever their fields say. Nothing that is coded is text."""
    if coding in ("gzip", "deflate"):
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(wbits=47).decompress(content, 1 << 20)
    if coding != "identity":
        try:
            content.decode()
        except UnicodeDecodeError as error:
            return content if error.end == len(content) and error.reason == "unexpected end of data" else b""  # cut
    return content
