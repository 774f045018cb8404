"""target.c against the URL parser that uvicorn uses, httptools.parse_url, over generated targets."""

import ctypes
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httptools
import pytest

CORE = Path(__file__).parent.parent / "core"
SIZE_MAX = 65535

Found = tuple[bytes, bytes] | None  # path and query; None: refused
Parse = Callable[[bytes], Found]


class Target(ctypes.Structure):
    _fields_ = [("path", ctypes.c_void_p), ("path_size", ctypes.c_size_t), ("query", ctypes.c_void_p), ("query_size", ctypes.c_size_t)]


@pytest.fixture(scope="module")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Parse:
    library = tmp_path_factory.mktemp("target") / "target.so"
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, *"-std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC -o".split(), library, CORE / "target.c"], check=True)
    target_parse = ctypes.CDLL(str(library)).target_parse
    target_parse.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(Target)]
    target_parse.restype = ctypes.c_bool

    def parse(target: bytes) -> Found:
        found = Target()
        if not target_parse(target, len(target), ctypes.byref(found)):
            return None
        return ctypes.string_at(found.path, found.path_size), ctypes.string_at(found.query, found.query_size) if found.query else b""

    return parse


def reference(target: bytes) -> Found:
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        return None
    return url.path or b"/", url.query or b""


def check(parse: Parse, targets: Iterator[bytes], count: int) -> int:
    """Compare them all; return how many were accepted."""
    accepted = 0
    for _ in range(count):
        target = next(targets)
        expected = reference(target)
        assert parse(target) == expected, target
        accepted += expected is not None
    return accepted


def test_each_octet_in_each_place(parse: Parse) -> None:
    places = (
        b"%s %sa /%s *%s /a?%s /?%sb /#%s /?a#%sb /a%s?b a%s a%s://h a:%s a:/%s a://%s a://%sh a://h%s a://h%si/ a://h%s? a://h%s#"
        b" a://h:%s a://h:1%s a://h:1%s/x?y a://u%s@h a://%s@h a://u%sv@h/ a://u@%s a://u@%sh a://u@h%s a://[%s] a://[%s1] a://[1%s]"
        b" a://[1%s2]/ a://[1%%%s] a://[1%%a%s] a://[1%%a%sb]:2 a://[1]%s a://[1]%s2 a://[1]:%s/ a://[1%s a://[%s"
    ).split()
    targets = [place % bytes([octet]) for place in places for octet in range(256)]
    assert check(parse, iter(targets), len(targets)) > 1000


@pytest.mark.parametrize("prefix", [b"", b"/", b"a://", b"http://h", b"http://h:1", b"http://u@", b"http://[:", b"/?"])
def test_random_targets(parse: Parse, prefix: bytes) -> None:
    generator = random.Random(prefix)
    alphabet = b"//??##::@@[]]%..  aahht1180\x7f\x80"

    def targets() -> Iterator[bytes]:
        while True:
            yield prefix + bytes(generator.choices(alphabet, k=generator.randrange(12)))

    assert check(parse, targets(), 20000) > 50


def test_assembled_targets(parse: Parse) -> None:
    """Most of them well formed: so the long way through an authority is gone often."""
    generator = random.Random(1)
    parts = [
        [b"http", b"https", b"ws", b"A", b"", b"h2"],
        [b"://", b"://", b"://", b":/", b":", b"", b":///"],
        [b"", b"", b"user@", b"a:b@", b"@", b"u%40;@", b"[@", b"a@b@"],
        [b"example.com", b"127.0.0.1", b"a-b", b"[::1]", b"[fe80::1%eth0]", b"[1.2]", b"a_b", b"", b"[::1", b"[%1]", b"[::1]x", b"a%62"],
        [b"", b"", b":80", b":", b":65535", b":65536", b":000065535", b":99999999999999999999", b":4294967376", b":8o"],
        [b"", b"/", b"/a/%41", b"/*", b"*", b"/\xc3\xa9", b"//"],
        [b"", b"?", b"?a=b", b"??", b"?a?b", b"?\t"],
        [b"", b"", b"#", b"#a", b"##?", b"#a#b", b"# "],
    ]

    def targets() -> Iterator[bytes]:
        while True:
            yield b"".join(map(generator.choice, parts))

    assert check(parse, targets(), 60000) > 600


@pytest.mark.parametrize("form", [b"/%s", b"/%s?%s", b"http://%s/%s", b"http://h/?%s", b"http://%s:80", b"/#%s", b"*%s"])
@pytest.mark.parametrize("size", [SIZE_MAX - 1, SIZE_MAX, SIZE_MAX + 1, 2 * SIZE_MAX])
def test_long_targets(parse: Parse, form: bytes, size: int) -> None:
    count = form.count(b"%s")
    fill = (size - len(form) + 2 * count) // count
    target = form.replace(b"%s", b"a" * fill)
    target += b"0" * (size - len(target))
    assert len(target) == size
    assert parse(target) == reference(target)
    assert (parse(target) is None) == (size > SIZE_MAX)
