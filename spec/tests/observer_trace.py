"""Reads trace files for the observer's tests: written from spec/observer/recorder/trace.h alone, apart from the reader in the player.

`read(folder)` is one list of records per process and file; values keep their Python types, what cannot be kept stands as a Long, an Other
or an Instance.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

KINDS = "call received receive-raised send sent send-raised returned raised settled marked".split()


class Long(NamedTuple):
    length: int
    hash: int
    first: bytes
    last: bytes
    text: bool


class Instance(NamedTuple):
    type: str
    value: Any


class Other(NamedTuple):
    type: str


class Cut(NamedTuple):
    """Too deep, or too long."""


@dataclass
class Record:
    kind: str
    client_port: int
    call: int
    nanoseconds: int
    stream_total: int
    stream_hash: int
    payload: bytes
    values: list[Any]


def fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


class _Values:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ValueError(f"a value runs past its record at byte {self.at}")
        self.at += size
        return self.data[self.at - size : self.at]

    def unpack(self, code: str) -> Any:
        return struct.unpack("=" + code, self.take(struct.calcsize("=" + code)))[0]

    def text(self) -> str:
        return self.take(self.unpack("I")).decode("utf-8", "surrogatepass")

    def next(self) -> Any:
        match self.take(1):
            case b"N":
                return None
            case b"T":
                return True
            case b"F":
                return False
            case b"i":
                return self.unpack("q")
            case b"I":
                return int(self.text(), 0)
            case b"d":
                return self.unpack("d")
            case b"s":
                return self.text()
            case b"b":
                return self.take(self.unpack("I"))
            case (b"B" | b"S") as tag:
                length, value, edge = self.unpack("Q"), self.unpack("Q"), self.unpack("I")
                return Long(length, value, self.take(edge), self.take(edge), tag == b"S")
            case b"L":
                return [self.next() for _ in range(self.unpack("I"))]
            case b"U":
                return tuple([self.next() for _ in range(self.unpack("I"))])
            case b"D":
                return dict([(self.next(), self.next()) for _ in range(self.unpack("I"))])
            case b"X":
                return Instance(self.text(), self.next())
            case b"O":
                return Other(self.text())
            case b".":
                return Cut()
            case tag:
                raise ValueError(f"unknown tag {tag!r} at byte {self.at - 1}")


def decode(payload: bytes) -> list[Any]:
    values, found = _Values(payload), []
    while values.at < len(payload):
        found.append(values.next())
    return found


def read_file(path: Path) -> list[Record]:
    with open(path, "rb") as file:
        magic, pid, _, committed, _ = struct.unpack("=8sIIQI", file.read(28))
        if magic != b"BCTRACE1" or committed < 64 or not path.name.startswith(f"{pid}-"):
            raise ValueError(f"{path.name} has no whole header")
        file.seek(0)
        data = file.read(committed)
    records, at = [], 64
    while at < committed:
        size, kind, port, call, length, nanoseconds, total, value = struct.unpack_from("=IHHIIQQQ", data, at)
        if size % 8 or not 40 + length <= size < 40 + length + 8 or at + size > committed:
            raise ValueError(f"{path.name}: no whole record at {at}")
        payload = data[at + 40 : at + 40 + length]
        records.append(Record(KINDS[kind - 1], port, call, nanoseconds, total, value, payload, decode(payload)))
        at += size
    return records


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.trace"), key=lambda path: [int(number) for number in path.stem.split("-")])


def read(folder: Path) -> list[list[Record]]:
    return [read_file(path) for path in files(folder)]
