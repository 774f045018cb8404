"""How values of facts are written down for people."""

import pytest

from bridgecheck.conformance.compare.content import MISSING, Content
from bridgecheck.conformance.compare.fact import Port
from bridgecheck.conformance.report import VALUE_MAX, show


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (MISSING, "nothing"),
        (Port("str"), "a port, as str"),
        (Content(b"hi", 2, 0), "b'hi'"),
        (Content(None, 9, 255), "9 bytes, hash 00000000000000ff"),
        (dict, "dict"),
        ((b"a", 1), "(b'a', 1)"),
        (10**5000, "int too long to write down"),
    ],
    ids=["missing", "port", "content", "long content", "type", "tuple", "number"],  # pytest itself cannot write the last one down
)
def test_a_value_reads_as_words(value: object, shown: str) -> None:
    assert show(value) == shown


def test_a_long_value_is_cut() -> None:
    assert show("x" * 1000) == "'" + "x" * (VALUE_MAX - 1) + "… (1002 characters)"
