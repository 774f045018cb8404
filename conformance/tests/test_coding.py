"""How values are written in targets, forms, cookies, JSON and HTML, and that they are found however they are written."""

import random
from urllib.parse import quote

import pytest

from bridgecheck.conformance.taps.coding import COOKIE, FORM, HTML, JSON, PLAIN, UNDONE, Coding, alike, is_plain, written_anyhow

VALUE = "aB1+cD2/eF3="
WAYS = {
    "aB1+cD2/eF3=": "9+/=",
    "aB1%2BcD2%2FeF3%3D": "9%2B%2F%3D",
    "aB1%2bcD2%2feF3%3d": "9%2b%2f%3d",
    "aB1%2BcD2/eF3%3D": "9%2B/%3D",
    "aB1+cD2\\/eF3=": "9+\\/=",
    "aB1\\u002bcD2\\/eF3\\u003D": "9\\u002b\\/\\u003D",
    "aB1\\x2bcD2/eF3\\x3D": "9\\x2b/\\x3D",
    "aB1&#43;cD2&#x2F;eF3&#x3d;": "9&#43;&#x2F;&#x3d;",
    "aB1&#043;cD2&sol;eF3&equals;": "9&#043;&sol;&equals;",
}


@pytest.mark.parametrize("raw", WAYS)
def test_a_value_is_found_however_it_is_written_and_what_comes_instead_is_written_alike(raw: str) -> None:
    found = written_anyhow(VALUE).search(f"x{raw}y")
    assert found is not None and found[0] == raw
    assert alike(found, VALUE, "9+/=") == WAYS[raw]


@pytest.mark.parametrize("raw", ["aB1 cD2/eF3=", "aB1%2CcD2/eF3=", "ab1+cd2/ef3=", "aB1&#432;cD2/eF3="])
def test_another_value_is_not_found(raw: str) -> None:
    assert not written_anyhow(VALUE).search(raw)


@pytest.mark.parametrize("coding", [PLAIN, FORM, COOKIE, JSON, HTML])
def test_what_a_coding_writes_is_found(coding: Coding) -> None:
    chance = random.Random(11)
    for _ in range(200):
        value = "".join(chance.choice("aZ0-_.~+/=%&<>\"'\\ ;äß€😀") for _ in range(chance.randint(1, 12)))
        raw = coding.encode(value)
        found = written_anyhow(value).fullmatch(raw)
        assert found, raw
        assert coding.decode(raw) == value or coding is COOKIE and "%" in value
        assert alike(found, value, value) == raw


def test_a_coding_writes_like_what_is_there() -> None:
    assert FORM.like("a%2bb+c", "+ /") == "%2b+%2F"
    assert HTML.like("a&#43;b", "+<") == "&#43;&lt;"
    assert JSON.like("a\\u003db\\/", '=/"') == '\\u003d\\/\\"'


def test_what_is_written_in_one_way_alone() -> None:
    assert is_plain("aB3-_.~")
    assert not is_plain("a=")
    assert all(is_plain(character) == (quote(character, safe="") == character) for character in map(chr, range(33, 127)))


@pytest.mark.parametrize(
    ("coding", "raw", "value"),
    [
        ("", "%41\\u0041&amp;", "%41\\u0041&amp;"),
        ("percent", "a%2Bb%2fc+%3D%c3%a4", "a+b/c+=ä"),
        ("percent", "%%41%4g%4%", "%A%4g%4%"),
        ("json", '\\u002B\\/\\"\\\\\\b\\f\\n\\r\\t', '+/"\\\b\f\n\r\t'),
        ("json", "\\u00e4\\u20ac\\ud83d\\ude00", "ä€😀"),
        ("json", "\\q\\u12\\u12g4\\", "\\q\\u12\\u12g4\\"),
        ("json", "\\ud83d\\u0041\\ude00", "\\ud83dA\\ude00"),
        ("html", "&amp;&lt;&gt;&quot;&apos;&#39;&#x27;&#X2b;&#0043;&amp;lt;", "&<>\"'''++&lt;"),
        ("html", "&#228;&#x20AC;&#x1f600;&#1114111;&#128;", "ä€😀\U0010ffff\x80"),
        ("html", "&;&#;&#x;&#43&#x110000;&#xd800;&#4a;&#00000043;&plus;&am", "&;&#;&#x;&#43&#x110000;&#xd800;&#4a;&#00000043;&plus;&am"),
    ],
)
def test_a_coding_is_undone_as_the_player_does(coding: str, raw: str, value: str) -> None:
    """The same cases are in conformance/player/tests/coding_test.c."""
    assert UNDONE[coding](raw) == value
