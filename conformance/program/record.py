"""`bridgecheck record`: the addresses, the file that may be there already, the summary. The work is in conformance/recorder (C)."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from bridgecheck.conformance._player import Exchange, ExchangeError, parse
from bridgecheck.conformance._recording import record as run
from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.taps import tap

_BACKLOG = 1024
_UNIX = "unix:"
_CONNECTION = re.compile(r"connection-([0-9]+)(?:\.[0-9]+)?")

Address = tuple[str, int]  # a host and a port, or the path of a Unix socket and -1


@click.command()
@click.option("--listen", metavar="HOST:PORT", required=True, help="Where clients connect; port 0 takes a free one.")
@click.option("--upstream", metavar="HOST:PORT", required=True, help="The server that they are taken to.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE", help="The exchange file.")
@click.option("--append", is_flag=True, help="FILE may exist already; what is recorded goes behind what it holds.")
@click.option(
    "--exchange",
    "unit",
    type=click.Choice(["request", "connection"]),
    default="request",
    show_default=True,
    help="What one exchange is: a request with its response, or all requests of a connection.",
)
@click.option("--origin", default="recorded", show_default=True, help="What the traffic is, for those who read the file.")
@click.option(
    "--answers/--no-answers", default=True, show_default=True, help="Keep what was answered, so that values of answers can be carried."
)
def record(listen: str, upstream: str, output: Path, append: bool, unit: str, origin: str, answers: bool) -> int:
    """Pass on, byte for byte, what clients and a server say to each other, and record it as exchanges, until Ctrl-C or SIGTERM.

    An address may also be unix:PATH. FILE holds secrets where the traffic does, so it is made for its owner alone to read.

    Exit code: 0, or 2 where it cannot begin or FILE cannot be written.
    """
    if not re.fullmatch(r"[\x20-\x7e]{1,200}", origin):
        raise UsageError("--origin: 1 to 200 printable ASCII characters")
    where = _address("--upstream", upstream)
    listener, shown = _listen(listen)
    with listener, _stop() as stop:
        first = _first_connection(output, append)
        click.echo(f"recording {shown} to {upstream} into {output}; Ctrl-C ends it", err=True)
        try:
            whole, file = unit == "connection", os.fsencode(output)
            counts = run(listener.detach(), *where, upstream, stop, file, append and first > 0, whole, answers, origin, first or 1, _tell)
        except OSError as error:
            raise UsageError(f"{error.filename or output}: {error.strerror}") from None
        finally:
            if listen.startswith(_UNIX):
                Path(listen.removeprefix(_UNIX)).unlink(missing_ok=True)
    click.echo(_summary(counts, output), err=True)
    if counts["error"]:
        raise UsageError(f"{output}: {os.strerror(counts['error'])}; what is in it is whole")
    return 0


def _tell(line: str) -> None:
    click.echo(f"bridgecheck record: {line}", err=True)


def _summary(counts: dict[str, int], output: Path) -> str:
    files = f" and {counts['files'] - 1} more" if counts["files"] > 1 else ""
    words = [f"{counts['exchanges']} exchanges of {counts['connections']} connections in {output}{files}"]
    if counts["lost"]:
        words.append(f"{counts['lost']} not recorded: unanswered at the end, or too large")
    if counts["refused"]:
        words.append(f"{counts['refused']} connections refused with 502")
    return "; ".join(words)


def _address(option: str, given: str) -> Address:
    """HOST:PORT or unix:PATH, the host as a numeric address."""
    if given.startswith(_UNIX):
        return given.removeprefix(_UNIX), -1
    host, colon, port = given.rpartition(":")
    if not colon or not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise UsageError(f"{option} {given}: an address is HOST:PORT, or unix:PATH")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"{option} {given}: {error.strerror}") from None
    return found[0][4][0], int(port)


def _listen(given: str) -> tuple[socket.socket, str]:
    """A listening socket, and its address with the port that it has."""
    host, port = _address("--listen", given)
    family = socket.AF_UNIX if port < 0 else socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if port < 0:
            listener.bind(host)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise UsageError(f"--listen {given}: {error.strerror}") from None
    return listener, given if port < 0 else f"{given.rpartition(':')[0]}:{listener.getsockname()[1]}"


def _first_connection(output: Path, append: bool) -> int:
    """The number that no connection in the file has yet, 0 where there is no file. UsageError where there must be none, or another."""
    if not output.exists():
        return 0
    if not append:
        raise UsageError(f"{output}: exists already; name another file, or say --append")
    try:
        exchanges = parse(output.read_bytes(), str(output))
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror}") from None
    except ExchangeError:
        exchanges = _mend(output)
    numbers = (int(found[1]) for exchange in exchanges if (found := _CONNECTION.fullmatch(exchange.session)))
    return max(numbers, default=0) + 1


def _mend(output: Path) -> list[Exchange]:
    """Take out an exchange at the file's end that a recorder killed in the middle of its write left there."""
    data = output.read_bytes()
    end = len(data)
    for _ in range(2):  # the last `end` may be what was cut
        end = data.rfind(b"\nend ", 0, end)
        whole = data[: data.find(b"\n", end + 1) + 1] if end >= 0 else b""
        with suppress(ExchangeError):
            exchanges = parse(whole, str(output))
            os.truncate(output, len(whole))
            click.echo(f"{output}: its last exchange was cut short; {len(data) - len(whole)} bytes are taken out", err=True)
            return exchanges
    tap.read(output)  # says what is wrong, and where
    raise UsageError(f"{output}: no exchange in it is whole")


@contextmanager
def _stop() -> Iterator[int]:
    """A file that can be read once SIGINT or SIGTERM has come."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
        wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield ours.fileno()
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
