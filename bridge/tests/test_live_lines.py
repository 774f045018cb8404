"""What a server says, line for line, next to uvicorn: access lines, errors of apps, warnings. Live."""

import re
from collections.abc import Iterator

import pytest

from .live import Server, key, on_each, request, running, said

ERRORS = ["error", "exit", "interrupt", "cancelled", "generator", "stop", "base", "group", "unprintable", "chained", "unicode"]
PLACES = ["before", "after_start", "after_all"]
FAILURES = [
    *(f"{place}/KEY?{error}" for place in PLACES for error in ERRORS),
    *("value/KEY", "value_alone/KEY", "nothing/KEY", "only_start/KEY", "half/KEY", "cancels_itself/KEY", "cancels_itself_later/KEY"),
    *("scope_lost/KEY", "odd_query/KEY", "no_client/KEY"),
]
STATUSES = [200, 201, 204, 299, 304, 418, 500, 599]
TARGETS_OF_REQUESTS = [
    "/",
    "/a%20b",
    "/%C3%A9/%e2%82%ac",
    "/%zz%",
    "/%00%0A%7F",
    "/%FF",
    "/a?x=1&y=%20",
    "/?",
    "/a??b",
    "//x/../y/.",
    "/;a=b,c:@!$&'()*+~_-|^`[]{}",
    "/%3Fno=query",
    '/"quoted"\\',
    "http://b/path?query",
    "http://b:80/%41?",
    "/" + "long" * 300,
]
INVALID = [
    b"GARBAGE\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
]


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Server]]:
    with running("usual:app") as servers:
        for server in servers:
            server.ask("/")
        yield servers


def lines_of(server: Server, text: bytes) -> tuple[list[str], list[str]]:
    """What the server says to a connection with this text, on standard output and error."""
    out, error = len(server.stdout), len(server.stderr)
    with server.connect() as client:
        client.send(text)
        client.half_close() if text in INVALID else None
        client.rest()
    end = key()
    server.go(end)
    server.until(end, "stdout")
    lines = said(server.stdout[out:])
    return [line for line in lines if end not in line], said(server.stderr[error:])


def same_lines(pair: list[Server], text: bytes) -> tuple[list[str], list[str]]:
    theirs, ours = on_each(pair, lambda server: lines_of(server, text))
    assert ours == theirs
    return theirs


@pytest.mark.parametrize("failure", FAILURES)
def test_failures(pair: list[Server], failure: str) -> None:
    _, errors = same_lines(pair, request(f"/failing.{failure}".replace("KEY", key()), "Connection: close"))
    if not failure.startswith(("no_client", "odd_query", "cancels_itself_later")):
        assert errors[0].startswith("ERROR:    ")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_access_lines_of_statuses(pair: list[Server], status: int, method: str) -> None:
    """HEAD, since 204 and 304 have no content to be refused."""
    text = request(f"/failing.status/{key()}?{status}", "Connection: close", method="HEAD" if status in (204, 304) else method)
    (line,), errors = same_lines(pair, text)
    assert re.fullmatch(rf'INFO:     127\.0\.0\.1:PORT - "\w+ /failing\.status/\w+\?{status} HTTP/1\.1" {status} ?[\w\' ]*', line)
    assert not errors


@pytest.mark.parametrize("target", TARGETS_OF_REQUESTS, ids=lambda target: target[:20])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_access_lines_of_targets(pair: list[Server], target: str, version: str) -> None:
    """They are called by a name that no app has, so they end in an error too."""
    lines, errors = same_lines(pair, request(target, "Connection: close", version=version))
    assert len(lines) + len(errors) > 0


@pytest.mark.parametrize("text", INVALID, ids=range(len(INVALID)))
def test_what_is_no_request(pair: list[Server], text: bytes) -> None:
    _, errors = same_lines(pair, text)
    assert errors[0].startswith("WARNING:  ")


def test_a_line_that_cannot_be_written(pair: list[Server]) -> None:
    """logging itself complains of it, with frames that are the server's own."""
    theirs, ours = on_each(pair, lambda server: lines_of(server, request(f"/failing.status_of_no_number/{key()}", "Connection: close")))
    for lines, errors in (theirs, ours):
        assert lines == [] and errors.count("--- Logging error ---") == 1
    assert theirs[1][-1] == ours[1][-1] == "KeyError: 'odd'"


def test_a_pipeline_has_a_line_for_each(pair: list[Server]) -> None:
    lines, _ = same_lines(pair, request("/") * 5 + request("/", "Connection: close"))
    assert len(lines) == 6
