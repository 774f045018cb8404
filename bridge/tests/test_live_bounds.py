"""What a client can grow has a bound, which `deviations.toml` names; just below it the bridge serves as uvicorn does."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from .live import Server, request

BOUNDS = {bound["name"]: bound for bound in tomllib.loads(Path(__file__).parent.with_name("deviations.toml").read_text("utf-8"))["bound"]}
HEAD = BOUNDS["a request's head"]["bytes"]
FIELDS = BOUNDS["the fields of a request's head"]["fields"]
RUN = BOUNDS["a run of chunk extensions, or of trailer fields"]["bytes"]
READING = request("/asked.context/bound", "Transfer-Encoding: chunked", method="POST")


def filled(size: int) -> bytes:
    """A request whose head has so many bytes."""
    left = size - len(request("/", "X: "))
    return request("/", "X: " + "x" * left)


def with_fields(count: int) -> bytes:
    return request("/", *(f"x-{number}: 1" for number in range(count - 1)))


# What is sent, and whether the bridge serves it.
CASES = {
    "head at the bound": (filled(HEAD), True),
    "head beyond it": (filled(HEAD + 1), False),
    "as many fields as may be": (with_fields(FIELDS), True),
    "one field more": (with_fields(FIELDS + 1), False),
    "endless chunk extension": (
        READING + b"1;" + b"e" * RUN + b"\r\nx\r\n0\r\n\r\n",
        False,
    ),
    "endless trailers": (
        READING + b"1\r\nx\r\n0\r\n" + b"t: t\r\n" * (RUN // 6 + 1) + b"\r\n",
        False,
    ),
}


@pytest.fixture(scope="module", params=["uvicorn-uvloop", "bridge-uvloop"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(request.param, "usual:app") as server:
        yield server.until_it_listens()


@pytest.mark.parametrize("case", CASES)
def test_bounds(server: Server, case: str) -> None:
    sent, served = CASES[case]
    with server.connect() as client:
        answered = client.send(sent).response()
        assert answered.status == (200 if served or server.target.startswith("uvicorn") else 431)
        if answered.status == 431:
            assert client.is_closed()
    assert server.ask("/").status == 200
