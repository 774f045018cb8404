"""request.c against the parser that uvicorn uses, httptools.HttpRequestParser, over generated requests, whole and broken.

Where request.h says that the bridge differs, the reference is told to do so, too: everything else must be the same, and at the same byte.
"""

import ctypes
import ipaddress
import os
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httptools
import pytest

CORE = Path(__file__).parent.parent / "core"
NATIVE = CORE.parent.parent / "build" / "native"
OK, HELD, INVALID = range(3)  # enum request_result

Head = tuple[str, str, bytes, bytes, list[tuple[bytes, bytes]], bool, bool]
Event = tuple[int, Head | bytes | str]  # after how many bytes; a head, content, "end" or "invalid"

HOST = re.compile(
    rb"(\[(?P<address>[0-9a-fA-F:.]+)]|\[[vV][0-9a-fA-F]+\.[\w.~!$&'()*+,;=:-]+]|([\w.~!$&'()*+,;=-]|%[0-9a-fA-F]{2})*)(:[0-9]*)?", re.ASCII
)


class Refused(Exception):
    """A MUST that the bridge keeps and uvicorn does not."""


class Reference:
    """uvicorn's callbacks, as far as they matter."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.fed = 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed(self, data: bytes) -> None:
        self.fed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.events.append((self.fed, "invalid"))

    def on_message_begin(self) -> None:
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower().replace(b"upgradx", b"upgrade"), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        method = self.parser.get_method().decode()
        hosts = [value for name, value in self.fields if name == b"host"]
        if version not in ("1.0", "1.1") or method == "CONNECT" or len(hosts) > 1 or (version == "1.1" and not hosts):
            raise Refused
        for host in hosts:
            match = HOST.fullmatch(host)
            if not match:
                raise Refused
            if match["address"]:
                ipaddress.IPv6Address(match["address"].decode())
        url = httptools.parse_url(self.url)
        new = version == "1.1"
        expects = new and any(name == b"expect" and value.lower() == b"100-continue" for name, value in self.fields)
        head = (method, version, url.path or b"/", url.query or b"", self.fields, new and self.parser.should_keep_alive(), expects)
        self.events.append((self.fed, head))
        self.fields = []  # what comes behind are trailers

    def on_body(self, body: bytes) -> None:
        self.events.append((self.fed, body))

    def on_message_complete(self) -> None:
        self.events.append((self.fed, "end"))


class Field(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("name", "name_size", "value", "value_size")]


class CHead(ctypes.Structure):
    _fields_ = [
        ("text", ctypes.c_void_p),
        ("fields", ctypes.POINTER(Field)),
        ("field_count", ctypes.c_size_t),
        ("path", ctypes.c_void_p),
        ("path_size", ctypes.c_size_t),
        ("query", ctypes.c_void_p),
        ("query_size", ctypes.c_size_t),
        ("method", ctypes.c_uint8),
        ("minor", ctypes.c_uint8),
        ("keep_alive", ctypes.c_bool),
        ("expects_continue", ctypes.c_bool),
        ("upgrade_offered", ctypes.c_bool),
    ]


ON_HEAD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(CHead))
ON_CONTENT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
ON_END = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
RESIZE = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Events(ctypes.Structure):
    _fields_ = [("head", ON_HEAD), ("content", ON_CONTENT), ("end", ON_END)]


class Allocator(ctypes.Structure):
    _fields_ = [("resize", RESIZE), ("context", ctypes.c_void_p)]


libc = ctypes.CDLL(None)
libc.realloc.restype = ctypes.c_void_p
libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]


def resize(context: int | None, pointer: int | None, size: int) -> int | None:
    if size:
        return libc.realloc(pointer, size)
    libc.free(pointer)
    return None


class Bridge:
    """One request_parser, and what it tells."""

    allocator = Allocator(RESIZE(resize), None)

    def __init__(self, library: ctypes.CDLL, hold: bool = False) -> None:
        self.library = library
        self.hold = hold
        self.events: list[Event] = []
        self.fed = 0
        self.table = Events(ON_HEAD(self.on_head), ON_CONTENT(self.on_content), ON_END(self.on_end))
        self.parser = ctypes.create_string_buffer(4096)  # more than sizeof(struct request_parser)
        library.request_parser_init(self.parser, ctypes.byref(self.allocator), ctypes.byref(self.table), None)

    def feed(self, data: bytes) -> None:
        """The bytes, and what was held back of them at once again."""
        start = self.fed
        while True:
            taken = ctypes.c_size_t()
            self.fed = start + len(data)
            result = self.library.request_parser_feed(self.parser, data, len(data), ctypes.byref(taken))
            assert result in ((OK, HELD, INVALID) if self.hold else (OK, INVALID))
            if result != HELD:
                break
            data = data[taken.value :]
            start += taken.value
        if result == INVALID:
            self.events.append((self.fed, "invalid"))

    def free(self) -> None:
        self.library.request_parser_free(self.parser)
        del self.table  # its functions know us

    def on_head(self, owner: int | None, head_pointer: "ctypes._Pointer[CHead]") -> int:
        head = head_pointer.contents
        text = head.text
        fields = [
            (ctypes.string_at(text + field.name, field.name_size), ctypes.string_at(text + field.value, field.value_size))
            for field in head.fields[: head.field_count]
        ]
        query = ctypes.string_at(head.query, head.query_size) if head.query else b""
        method = self.library.request_method_name(head.method).decode()
        path = ctypes.string_at(head.path, head.path_size)
        self.events.append((self.fed, (method, f"1.{head.minor}", path, query, fields, head.keep_alive, head.expects_continue)))
        return 0

    def on_content(self, owner: int | None, data: int, size: int) -> int:
        self.events.append((self.fed, ctypes.string_at(data, size)))
        return 0

    def on_end(self, owner: int | None) -> int:
        self.events.append((self.fed, "end"))
        return int(self.hold)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("request") / "request.so"
    sources = [CORE / f"{name}.c" for name in ("request", "target", "host", "buffer")]
    flags = f"-std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC -I{NATIVE}/include -o".split()
    subprocess.run([*os.environ.get("CC", "cc").split(), *flags, path, *sources, NATIVE / "lib" / "libllhttp.a"], check=True)
    library = ctypes.CDLL(str(path))
    library.request_parser_init.argtypes = [ctypes.c_void_p] * 4
    library.request_parser_init.restype = None
    library.request_parser_feed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t)]
    library.request_parser_free.argtypes = [ctypes.c_void_p]
    library.request_parser_free.restype = None
    library.request_method_name.argtypes = [ctypes.c_uint8]
    library.request_method_name.restype = ctypes.c_char_p
    return library


def play(target: Reference | Bridge, data: bytes, cuts: list[int]) -> list[Event]:
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        target.feed(data[start:end])
        if target.events and target.events[-1][1] == "invalid":
            break
    return target.events


def bridge_play(library: ctypes.CDLL, data: bytes, cuts: list[int], hold: bool = False) -> list[Event]:
    bridge = Bridge(library, hold)
    try:
        return play(bridge, data, cuts)
    finally:
        bridge.free()


def merged(events: list[Event]) -> list[Head | bytes | str]:
    """Without places, and with content in one piece."""
    result: list[Head | bytes | str] = []
    for _, event in events:
        if isinstance(event, bytes) and result and isinstance(result[-1], bytes):
            result[-1] += event
        else:
            result.append(event)
    return result


def check(library: ctypes.CDLL, generator: random.Random, data: bytes) -> list[Event]:
    every = list(range(1, len(data)))
    # An offer to upgrade ends a request at once there, so it must not see one.
    told = re.sub(rb"(?i)(?<=\n)upgrade:", b"upgradx:", data)
    expected = play(Reference(), told, every)
    assert bridge_play(library, data, every) == expected, data
    assert merged(bridge_play(library, data, [])) == merged(expected), data
    cuts = sorted(generator.sample(every, min(3, len(every))))
    assert merged(bridge_play(library, data, cuts, hold=True)) == merged(expected), (data, cuts)
    return expected


# Of each, first those that are as they should be; how many is said where they are picked.
METHODS = b"GET GET POST HEAD DELETE M-SEARCH QUERY PROPFIND CONNECT DESCRIBE PRI get FOO".split()
TARGETS = b"/ / /a/b?c=d#e * http://h/a?b http://h https://u@[::1]:80?q h:80 /\xc3 http:/// // a".split()
VERSIONS = b"HTTP/1.1 HTTP/1.1 HTTP/1.1 HTTP/1.0 HTTP/0.9 HTTP/1.2 HTTP/2.0 HTTP/1.10 http/1.1 HTTP/1 HTTP".split()
HOSTS = b"h example.com:80 [::1]:8 %41 a_b [v1.a] [::1 a/b %4 a:b [1::2::3] u@h [12345::] [v.a]".split() + [b"a b", b""]
FIELDS = [
    *(b"Accept: */*", b"X-A:b", b"x-empty:", b"X-Blank: \t b \t ", b"X-Bytes: \xe9\xff", b"Cookie: a=b; c=d", b"Keep-Alive: 5"),
    *(b"Expect: 100-Continue", b"expect: 100-continue \t", b"Expect: 100-continues", b"Expect: a, 100-continue", b"Proxy-Connection: a"),
    *(b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade , x", b"Connection: closed, TE", b"Connection: TE,\tclose "),
    *(b"Upgrade: websocket", b"Upgrade: h2c"),
    *(b"X Y: z", b"Bad : x", b": none", b"X: a\r\n folded", b"X: a\x00b", b"X: a\rb", b"X: \x7f", b"\xe9: a", b"Host: again"),
    *(b"Content-Length: ", b"Content-Length: +1", b"Content-Length: 1,1", b"Content-Length: 99999999999999999999", b"Transfer-Encoding: a"),
]
CODINGS = [b"Transfer-Encoding: chunked", b"transfer-encoding: gzip, Chunked ", b"Transfer-Encoding: chunked, a", b"Transfer-Encoding: a"]
CHUNKS = [b"1\r\na\r\n", b"3;a=b\r\nabc\r\n", b'0002;a="\\"";b\r\nhi\r\n', b"1 \r\na\r\n", b"g\r\n", b"2\r\na\r\n", b"1\na\n"]
ENDS = [b"0\r\n\r\n", b"00;a\r\n\r\n", b"0\r\nX: a\r\nHost: t\r\n\r\n", b"0\r\nContent-Length: 1\r\n\r\n", b"0\r\n a\r\n\r\n", b""]


def one_request(generator: random.Random, broken: float) -> bytes:
    """Most parts as they should be; BROKEN is how likely each is any of the others."""

    def pick(parts: list[bytes], good: int) -> bytes:
        return generator.choice(parts if generator.random() < broken else parts[:good])

    lines = [b" ".join([pick(METHODS, 8), pick(TARGETS, 7), pick(VERSIONS, 4)])]
    if generator.random() > broken / 4:
        lines.append(generator.choice([b"Host: ", b"host:", b"HOST:\t"]) + pick(HOSTS, 6))
    lines += [pick(FIELDS, 19) for _ in range(generator.randrange(5))]
    content = b""
    kind = generator.random()
    if kind < 0.3:
        content = generator.randbytes(generator.randrange(12))
        lines.append(b"Content-Length: %d" % len(content))
    if kind > 0.7 or generator.random() < broken / 10:
        lines.append(pick(CODINGS, 2))
        content = b"".join(pick(CHUNKS, 3) for _ in range(generator.randrange(4))) + pick(ENDS, 3)
    return generator.choice([b"", b"", b"\r\n"]) + b"\r\n".join(lines) + b"\r\n\r\n" + content


def mutated(generator: random.Random, data: bytes) -> bytes:
    for _ in range(generator.randrange(1, 3)):
        at = generator.randrange(len(data) + 1)
        octets = bytes(generator.choices(b"\r\n \t:;,/?#@0a\x00\x7f\x80A", k=generator.randrange(3)))
        data = data[:at] + octets + data[at + generator.randrange(3) :]
    return data


@pytest.mark.parametrize(("broken", "mutate"), [(0.0, False), (0.2, False), (0.0, True), (0.1, True)])
def test_generated_requests(library: ctypes.CDLL, broken: float, mutate: bool) -> None:
    generator = random.Random(f"{broken} {mutate}")

    def generate() -> Iterator[bytes]:
        while True:
            data = b"".join(one_request(generator, broken) for _ in range(generator.randrange(1, 4)))
            yield mutated(generator, data) if mutate else data

    heads = invalid = 0
    requests = generate()
    for _ in range(500):
        events = check(library, generator, next(requests))
        heads += sum(isinstance(event, tuple) for _, event in events)
        invalid += events[-1:] != [] and events[-1][1] == "invalid"
    assert heads > 100
    assert invalid > 100 if broken or mutate else invalid == 0
