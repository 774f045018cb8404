"""Frames of a WebSocket (RFC 6455 section 5.2) in the bytes that a client sent, inflated (RFC 7692).

Reads what any client may send in one frame for each message. Knows nothing of exchanges.
"""

import zlib
from typing import NamedTuple

TEXT = 1
_WORDS = {TEXT: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
_INFLATED_MAX = 1 << 20
_TAIL = b"\x00\x00\xff\xff"  # that a sender leaves out


class Frame(NamedTuple):
    end: int  # in the bytes
    opcode: int
    payload: bytes

    @property
    def word(self) -> str:
        """As the grammar of exchanges has it."""
        return _WORDS[self.opcode]


def frames(data: bytes) -> list[Frame] | None:
    """None where these are not whole frames that are masked, each a message or a control frame, or what they hold is too long."""
    found: list[Frame] = []
    inflater = zlib.decompressobj(wbits=-15)
    at = 0
    while at < len(data):
        frame = _frame(data, at, inflater)
        if frame is None:
            return None
        found.append(frame)
        at = frame.end
    return found


def _frame(data: bytes, at: int, inflater: "zlib._Decompress") -> Frame | None:
    head = data[at : at + 2]
    if len(head) < 2 or not head[0] & 0x80 or head[0] & 0x30 or not head[1] & 0x80 or head[0] & 15 not in _WORDS:
        return None
    opcode, compressed, size = head[0] & 15, bool(head[0] & 0x40), head[1] & 0x7F
    at += 2
    extended = {126: 2, 127: 8}.get(size, 0)
    if extended:
        size = int.from_bytes(data[at : at + extended], "big")
    mask, at = data[at + extended : at + extended + 4], at + extended + 4
    end = at + size
    if end > len(data):
        return None
    payload = _unmasked(data[at:end], mask)
    if compressed and opcode not in (TEXT, 2):
        return None
    if compressed:
        try:
            payload = inflater.decompress(payload + _TAIL, _INFLATED_MAX)
        except zlib.error:
            return None
        if inflater.unconsumed_tail or inflater.eof:
            return None
    return Frame(end, opcode, payload)


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")
