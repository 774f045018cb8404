"""response.c against uvicorn's own RequestResponseCycle.send, over generated responses: the same bytes, the same faults.

Where response.h says that the bridge differs, it is said here what comes instead, and that uvicorn still gives something else.
"""

import asyncio
import ctypes
import email.utils
import http
import logging
import os
import random
import re
import subprocess
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

CORE = Path(__file__).parent.parent / "core"
DATE = b"Wed, 25 Nov 2026 10:00:00 GMT"
DEFAULTS = ((b"server", b"uvicorn"),)
BEGIN = b"HTTP/1.1 200 OK\r\ndate: " + DATE + b"\r\nserver: uvicorn\r\n"
CODED = b"transfer-encoding: chunked\r\n"
CLOSE = b"connection: close\r\n"

Pair = tuple[bytes, bytes]
Step = tuple[bytes, str]  # what was written, and the fault or ""


@dataclass(frozen=True)
class Given:
    """A request as far as it matters, and what an application answers."""

    status: int = 200
    fields: tuple[Pair, ...] = ()
    pieces: tuple[tuple[bytes, bool], ...] = ((b"", False),)  # body, more_body
    method: str = "GET"
    old: bool = False
    keep_alive: bool = True
    defaults: tuple[Pair, ...] = DEFAULTS


@dataclass(frozen=True)
class Outcome:
    steps: tuple[Step, ...]  # of the start, of each piece
    keep_alive: bool
    complete: bool


# --- uvicorn ----------------------------------------------------------------------------------------------------------------------------

FAULTS = {
    "Invalid HTTP header name.": "name invalid",
    "Invalid HTTP header value.": "value invalid",
    "Response content longer than Content-Length": "content too long",
    "Response content shorter than Content-Length": "content too short",
}


class Transport:
    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        pass


def run(coroutine: Coroutine[Any, Any, None]) -> str:
    """The fault that it ends with. It never waits, so it needs no loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return ""
    except RuntimeError as error:
        return FAULTS[str(error)]
    except KeyError:
        return "status invalid"
    except ValueError:
        return "length invalid"
    raise AssertionError("send() waits")


def by_uvicorn(given: Given) -> Outcome:
    transport = Transport()
    cycle = RequestResponseCycle(
        scope={"method": given.method},  # type: ignore[typeddict-item]
        transport=transport,  # type: ignore[arg-type]
        flow=SimpleNamespace(write_paused=False),  # type: ignore[arg-type]
        logger=logging.getLogger(),
        access_logger=logging.getLogger(),
        access_log=False,
        default_headers=[(b"date", DATE), *given.defaults],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=given.keep_alive,
        on_response=lambda: None,
    )
    start = {"type": "http.response.start", "status": given.status, "headers": given.fields}
    bodies = [{"type": "http.response.body", "body": body, "more_body": more} for body, more in given.pieces]
    steps = []
    for message in [start, *bodies]:
        transport.written = b""
        fault = run(cycle.send(message))  # type: ignore[arg-type]
        steps.append((transport.written, fault))
        if cycle.response_complete:
            break
    return Outcome(tuple(steps), cycle.keep_alive, cycle.response_complete)


# --- The bridge -------------------------------------------------------------------------------------------------------------------------


class Allocator(ctypes.Structure):
    _fields_ = [("resize", ctypes.c_void_p), ("context", ctypes.c_void_p)]


class Buffer(ctypes.Structure):
    _fields_ = [("memory", ctypes.c_void_p), ("start", ctypes.c_size_t), ("size", ctypes.c_size_t), ("capacity", ctypes.c_size_t)]


class Field(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("name_size", ctypes.c_size_t), ("value", ctypes.c_char_p), ("value_size", ctypes.c_size_t)]


class Defaults(ctypes.Structure):
    _fields_ = [
        ("date", ctypes.c_char_p),
        ("date_size", ctypes.c_size_t),
        ("fields", ctypes.POINTER(Field)),
        ("field_count", ctypes.c_size_t),
    ]


class Response(ctypes.Structure):
    _fields_ = [
        ("started", ctypes.c_bool),
        ("complete", ctypes.c_bool),
        ("keep_alive", ctypes.c_bool),
        ("head", ctypes.c_bool),
        ("old", ctypes.c_bool),
        ("framing", ctypes.c_int),
        ("left", ctypes.c_uint64),
        ("fault_field", ctypes.c_size_t),
    ]


class Piece(ctypes.Structure):
    _fields_ = [
        ("before", ctypes.c_char * 20),
        ("before_size", ctypes.c_size_t),
        ("write", ctypes.c_bool),
        ("after", ctypes.c_void_p),
        ("after_size", ctypes.c_size_t),
    ]


class Date(ctypes.Structure):
    _fields_ = [("second", ctypes.c_long), ("text", ctypes.c_char * 32), ("size", ctypes.c_size_t)]


def faults() -> list[str]:
    """The words of `enum response_fault`."""
    listed = (CORE / "response.h").read_text().partition("enum response_fault {")[2].partition("}")[0]
    words = re.findall(r"^    RESPONSE_([A-Z_]+)", listed, re.M)
    return ["", *(word.lower().replace("_", " ") for word in words[1:])]


class Bridge:
    def __init__(self, folder: Path) -> None:
        library, memory = folder / "response.so", folder / "memory.c"
        memory.write_text('#include "allocator.h"\nstruct allocator memory(void) { return allocator_default(); }\n')
        compiler = [*os.environ.get("CC", "cc").split(), *"-std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC".split()]
        sources = [memory, *(CORE / f"{name}.c" for name in ("response", "buffer", "date"))]
        subprocess.run([*compiler, "-I", CORE, "-o", library, *sources], check=True)
        self.library = ctypes.CDLL(str(library))
        self.library.memory.restype = Allocator
        self.library.date_text.argtypes = [ctypes.POINTER(Date), ctypes.c_long]
        self.library.date_text.restype = ctypes.c_char_p
        self.allocator = self.library.memory()
        self.faults = faults()

    @staticmethod
    def fields(pairs: tuple[Pair, ...]) -> ctypes.Array[Field]:
        return (Field * len(pairs))(*((name, len(name), value, len(value)) for name, value in pairs))

    def defaults(self, pairs: tuple[Pair, ...]) -> Defaults:
        return Defaults(DATE, len(DATE), self.fields(pairs), len(pairs))

    def taken(self, out: Buffer) -> bytes:
        data = ctypes.string_at(out.memory + out.start, out.size) if out.memory else b""
        self.library.buffer_free(ctypes.byref(out), ctypes.byref(self.allocator))
        return data

    def answer(self, given: Given) -> Outcome:
        response, out, piece, defaults = Response(), Buffer(), Piece(), self.defaults(given.defaults)
        reason = http.HTTPStatus(given.status).phrase.encode() if given.status in set(http.HTTPStatus) else b""
        self.library.response_init(
            ctypes.byref(response), ctypes.c_bool(given.keep_alive), ctypes.c_bool(given.method == "HEAD"), ctypes.c_bool(given.old)
        )
        fault = self.library.response_start(
            ctypes.byref(response),
            ctypes.byref(out),
            ctypes.byref(self.allocator),
            ctypes.c_uint(given.status),
            reason,
            ctypes.c_size_t(len(reason)),
            ctypes.byref(defaults),
            self.fields(given.fields),
            ctypes.c_size_t(len(given.fields)),
        )
        steps = [(self.taken(out), self.faults[fault])]
        for body, more in given.pieces:
            fault = self.library.response_content(
                ctypes.byref(response), ctypes.c_size_t(len(body)), ctypes.c_bool(not more), ctypes.byref(piece)
            )
            before = ctypes.string_at(ctypes.addressof(piece), piece.before_size)
            after = ctypes.string_at(piece.after, piece.after_size)
            steps.append((before + body * piece.write + after, self.faults[fault]))
            if response.complete:
                break
        return Outcome(tuple(steps), response.keep_alive, response.complete)

    def plain(self, status: int, reason: bytes, defaults: tuple[Pair, ...], text: bytes) -> bytes:
        out, given = Buffer(), self.defaults(defaults)
        arguments = ctypes.byref(out), ctypes.byref(self.allocator), ctypes.c_uint(status), reason, ctypes.byref(given), text
        assert self.library.response_plain(*arguments) == 0
        return self.taken(out)

    def date(self, second: int) -> str:
        return self.library.date_text(ctypes.byref(Date()), second).decode()


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Bridge:
    return Bridge(tmp_path_factory.mktemp("response"))


# --- Both -------------------------------------------------------------------------------------------------------------------------------


def differs(given: Given) -> bool:
    """Whether one of the deviations that response.h names is involved."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in given.fields:
        values.setdefault(name.lower(), []).append(value)
    lengths, codings = values.get(b"content-length", []), values.get(b"transfer-encoding", [])
    bare = given.method == "HEAD" or given.status in (204, 304)
    return (
        b"date" in values
        or b"server" in values
        or 100 <= given.status < 200
        or (given.old and (bool(codings) or not (lengths or bare)))
        or (given.status in (204, 304) and bool(lengths or codings))
        or len(lengths) + len(codings) > 1
        or any(coding.lower() != b"chunked" for coding in codings)
        or any(not re.fullmatch(rb"[ \t]*[0-9]+[ \t]*", length) and is_int(length) for length in lengths)
    )


def is_int(value: bytes) -> bool:
    try:
        int(value.decode())
    except ValueError:
        return False
    return True


STATUSES = [200, 200, 200, 201, 204, 205, 206, 299, 304, 404, 418, 499, 500, 599, 100, 103, 199, 0, 99, 600, 999, 2**31]
NAMES = b"content-length content-length transfer-encoding connection connection date server x-a set-cookie trailer a_b a.b! ~x"
ODD_NAMES = [b"", b"a b", b"a:", b"a\n", b"\xe4", b"a\x00", b"a\x7f", b"(a)", b"a/b", b"a?", b'"a"', b"a\\", b"[a]", b"a=b", b"a,b"]
TOKENS = [b"close", b"Close", b"clos", b"closed", b"keep-alive", b"upgrade", b"x", b"", b" ", b"close x"]
LENGTHS = [b"", b" ", b"x", b"+5", b"-5", b"5_0", b"5.0", b"0x5", b"5 5", b"5,5", b"\xd9\xa5", b"\xff", b"9" * 30]
ODD_VALUES = [b"", b"\xff\x80", b"a\tb", b"a\nb", b"a\r", b"\x00", b"\x7f", b"a\x1f", b" padded "]


def varied(generator: random.Random, word: bytes) -> bytes:
    mixed = bytes(generator.choice([octet, octet ^ 32]) if octet in b"acehnst" else octet for octet in word)
    return generator.choice([word, word, word.title(), word.upper(), mixed])


def padded(generator: random.Random, word: bytes) -> bytes:
    return generator.choice([b"", b"", b" ", b"\t "]) + word + generator.choice([b"", b"", b" ", b" \t"])


def generated(generator: random.Random) -> Given:
    pieces = [generator.choice([0, 0, 1, 2, 9, 15, 16, 300, 70000]) for _ in range(generator.randrange(1, 5))]
    fields = []
    for _ in range(generator.choice([0, 0, 1, 1, 2, 3, 6])):
        name = generator.choice(NAMES.split())
        if generator.random() < 0.04:
            value, name = b"x", generator.choice(ODD_NAMES)
        elif generator.random() < 0.04:
            value = generator.choice(ODD_VALUES)
        elif name == b"content-length":
            right = str(sum(pieces) + generator.choice([0, 0, 0, 0, 1, -1])).encode()
            value = padded(generator, generator.choice([right, right, right, right, b"0", b"007", generator.choice(LENGTHS)]))
        elif name == b"transfer-encoding":
            value = varied(generator, generator.choice([b"chunked"] * 6 + [b"gzip", b" chunked", b"gzip, chunked"]))
        elif name == b"connection":
            value = b",".join(padded(generator, generator.choice(TOKENS)) for _ in range(generator.randrange(1, 4)))
        else:
            value = padded(generator, bytes(generator.choices(b"aA1,; \xe4", k=3)))
        fields.append((varied(generator, name), value))
    old = generator.random() < 0.2
    return Given(
        status=generator.choice(STATUSES),
        fields=tuple(fields),
        pieces=tuple((generator.randbytes(size), i + 1 < len(pieces) or generator.random() < 0.1) for i, size in enumerate(pieces)),
        method=generator.choice(["GET", "GET", "GET", "POST", "HEAD"]),
        old=old,
        keep_alive=generator.random() < 0.7 and not old,
        defaults=generator.choice([DEFAULTS, (), ((b"x-operator", b"yes"), (b"connection", b"close"), *DEFAULTS)]),
    )


def test_generated_responses(bridge: Bridge) -> None:
    generator = random.Random(1)
    seen = dict.fromkeys(bridge.faults, 0)
    for _ in range(12000):
        given = generated(generator)
        if differs(given):
            continue
        expected = by_uvicorn(given)
        if expected.steps[0][1]:  # what follows then differs, too: test_after_a_start_that_was_refused
            assert bridge.answer(given).steps[0] == expected.steps[0], given
        else:
            assert bridge.answer(given) == expected, given
        for fault in {fault for _, fault in expected.steps}:
            seen[fault] += 1
    assert seen.pop("") > 3000
    never = {"lengths differ", "status interim", "no memory"}
    assert all((count > 30) != (fault in never) for fault, count in seen.items()), seen


def test_each_octet_of_names_and_values(bridge: Bridge) -> None:
    for octet in (bytes([number]) for number in range(256)):
        for pair in ((octet, b"v"), (b"Na" + octet + b"Me", b"v"), (b"n", octet), (b"n", b"a" + octet + b"b")):
            given = Given(fields=(pair,), pieces=())
            assert bridge.answer(given).steps == by_uvicorn(given).steps, given


def test_each_status(bridge: Bridge) -> None:
    for status in (*range(100), *range(200, 1100)):
        given = Given(status, pieces=())
        assert bridge.answer(given).steps == by_uvicorn(given).steps, given


# --- What differs -----------------------------------------------------------------------------------------------------------------------


def body(*pieces: bytes) -> tuple[tuple[bytes, bool], ...]:
    return tuple((piece, i + 1 < len(pieces)) for i, piece in enumerate(pieces))


def start(head: bytes, *steps: Step) -> tuple[Step, ...]:
    return ((BEGIN + head + b"\r\n", ""), *steps)


def of(status: int, head: bytes, *steps: Step) -> tuple[Step, ...]:
    status_line = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\n".encode()
    return ((status_line + BEGIN.partition(b"\r\n")[2] + head + b"\r\n", ""), *steps)


A, LENGTH, CHUNKED = (b"a", b"b"), (b"content-length", b"2"), (b"transfer-encoding", b"chunked")
GZIP, SERVER, SAME = (b"transfer-encoding", b"gzip"), (b"server", b"x"), (b"Content-Length", b" 02")
OLD = {"old": True, "keep_alive": False}
LAST, TWO, TOO_LONG = (b"0\r\n\r\n", ""), (b"xy", ""), (b"", "content too long")
WITHOUT_DATE, WITHOUT_SERVER = BEGIN.replace(b"date: " + DATE + b"\r\n", b""), BEGIN.replace(b"server: uvicorn\r\n", b"")

DEVIATIONS = {
    "the application's date": (Given(fields=(A, (b"Date", b"x"))), ((WITHOUT_DATE + b"a: b\r\ndate: x\r\n" + CODED + b"\r\n", ""), LAST)),
    "the application's server": (Given(fields=(SERVER, A)), ((WITHOUT_SERVER + b"server: x\r\na: b\r\n" + CODED + b"\r\n", ""), LAST)),
    "the operator's date": (Given(defaults=((b"date", b"x"),)), ((b"HTTP/1.1 200 OK\r\ndate: x\r\n" + CODED + b"\r\n", ""), LAST)),
    "the operator's length": (Given(defaults=(*DEFAULTS, LENGTH)), start(CODED, LAST)),
    "the operator's coding": (Given(200, (LENGTH,), body(b"xy"), defaults=(*DEFAULTS, CHUNKED)), start(b"content-length: 2\r\n", TWO)),
    "the operator's date and the application's": (
        Given(fields=((b"date", b"y"),), defaults=((b"date", b"x"),)),
        ((b"HTTP/1.1 200 OK\r\ndate: y\r\n" + CODED + b"\r\n", ""), LAST),
    ),
    "the last interim status": (Given(199), ((b"", "status interim"), (b"", ""))),
    "an interim status": (Given(103), ((b"", "status interim"), (b"", ""))),
    "no coding to HTTP/1.0": (Given(**OLD, pieces=body(b"x", b"y")), start(CLOSE, (b"x", ""), (b"y", ""))),
    "nor the application's": (Given(**OLD, fields=(CHUNKED, A), pieces=body(b"xy")), start(b"a: b\r\n" + CLOSE, TWO)),
    "nor to HEAD": (Given(**OLD, fields=(CHUNKED,), method="HEAD"), start(CLOSE, (b"", ""))),
    "and to it the end is the connection's": (Given(old=True, pieces=body(b"xy")), start(CLOSE, TWO)),
    "204 with a length": (Given(204, (A, (b"content-length", b"0"))), of(204, b"a: b\r\n", (b"", ""))),
    "204 with a length and content": (Given(204, (LENGTH,), body(b"xy", b"")), of(204, b"", TOO_LONG, (b"", ""))),
    "204 with a coding": (Given(204, (CHUNKED,)), of(204, b"", (b"", ""))),
    "204 with a length, to HEAD": (Given(204, (LENGTH,), method="HEAD"), of(204, b"", (b"", ""))),
    "304 with a length": (Given(304, (LENGTH,)), of(304, b"content-length: 2\r\n", (b"", ""))),
    "304 with a length and content": (Given(304, (LENGTH,), body(b"xy", b"")), of(304, b"content-length: 2\r\n", TOO_LONG, (b"", ""))),
    "304 with a coding": (Given(304, (CHUNKED,)), of(304, CODED, (b"", ""))),
    "304 with another coding": (Given(304, (GZIP,)), of(304, b"", (b"", ""))),
    "another coding": (Given(fields=(GZIP, A)), start(b"a: b\r\n" + CODED, LAST)),
    "another coding before": (Given(fields=(GZIP, A, CHUNKED, A)), start(b"a: b\r\n" + CODED + b"a: b\r\n", LAST)),
    "a list of codings": (Given(fields=((b"transfer-encoding", b"gzip, chunked"),)), start(CODED, LAST)),
    "another coding, to HEAD": (Given(fields=(GZIP,), method="HEAD"), start(b"", (b"", ""))),
    "chunked twice": (Given(fields=(CHUNKED, A, CHUNKED)), start(CODED + b"a: b\r\n", LAST)),
    "chunked and a length": (Given(fields=(CHUNKED, LENGTH), pieces=body(b"xy")), start(b"content-length: 2\r\n", TWO)),
    "a length and chunked": (Given(fields=(LENGTH, CHUNKED), pieces=body(b"xy")), start(b"content-length: 2\r\n", TWO)),
    "a length and another coding": (Given(fields=(LENGTH, GZIP), pieces=body(b"xy")), start(b"content-length: 2\r\n", TWO)),
    "a length and chunked, to HEAD": (Given(fields=(LENGTH, CHUNKED), method="HEAD"), start(b"content-length: 2\r\n", (b"", ""))),
    "equal lengths": (Given(fields=(LENGTH, A, SAME), pieces=body(b"xy")), start(b"content-length: 2\r\na: b\r\n", TWO)),
    "different lengths": (Given(fields=(LENGTH, (b"content-length", b"3")), pieces=()), ((b"", "lengths differ"),)),
    "a second length that is none": (Given(fields=(LENGTH, (b"content-length", b"x")), pieces=()), ((b"", "length invalid"),)),
    "a length behind chunked that is none": (Given(fields=(CHUNKED, (b"content-length", b"x")), pieces=()), ((b"", "length invalid"),)),
    **{f"length {length!r}": (Given(fields=((b"content-length", length),), pieces=()), ((b"", "length invalid"),))
       for length in (b"+5", b"-5", b"5_0", "٥".encode(), "\u00a05".encode())},
}  # fmt: skip


@pytest.mark.parametrize("case", DEVIATIONS, ids=str)
def test_what_response_h_says_otherwise(bridge: Bridge, case: str) -> None:
    given, steps = DEVIATIONS[case]
    outcome = bridge.answer(given)
    assert outcome.steps == steps
    assert outcome.complete == (bool(given.pieces))
    assert outcome.keep_alive == (given.keep_alive and not given.old and not steps[0][1])
    assert by_uvicorn(given) != outcome  # else it is none


def test_deviations_alone_are_left_out() -> None:
    """Each of them is taken for one, so the generated responses hold what is not named."""
    assert all(differs(given) for given, _ in DEVIATIONS.values() if given.defaults == DEFAULTS and given.old != given.keep_alive)


def test_after_a_start_that_was_refused(bridge: Bridge) -> None:
    bad = (LENGTH, (b"a b", b""))
    for given in (Given(fields=bad), Given(999), Given(fields=(*bad, CHUNKED))):
        outcome = bridge.answer(replace(given, pieces=body(b"xy", b"", b"")))
        assert outcome.steps[1:] == (TOO_LONG, (b"", ""), (b"", ""))
        assert outcome.complete and not outcome.keep_alive
        outcome = bridge.answer(replace(given, pieces=body(b"xy"), method="HEAD"))
        assert outcome.steps[1:] == ((b"", ""),) and outcome.complete and not outcome.keep_alive


# --- The server's own words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Invalid HTTP request received.", "", "x" * 12345])
@pytest.mark.parametrize("defaults", [DEFAULTS, (), (*DEFAULTS, (b"x-operator", b"yes"), (b"connection", b"close"))], ids=len)
def test_a_response_of_the_servers_own(bridge: Bridge, text: str, defaults: tuple[Pair, ...]) -> None:
    transport = Transport()
    server_state = SimpleNamespace(default_headers=[(b"date", DATE), *defaults])
    HttpToolsProtocol.send_400_response(SimpleNamespace(server_state=server_state, transport=transport), text)  # type: ignore[arg-type]
    assert bridge.plain(400, b"Bad Request", defaults, text.encode()) == transport.written


def test_dates(bridge: Bridge) -> None:
    generator = random.Random(2)
    for second in (0, 951782399, 951782400, 2**31, *(generator.randrange(253402300800) for _ in range(2000))):
        assert bridge.date(second) == email.utils.formatdate(second, usegmt=True)
