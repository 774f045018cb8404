"""The recording proxy, and the text of what it writes (conformance/recorder)."""

from collections.abc import Callable, Sequence

def record(
    listener: int,
    host: str,
    port: int,
    name: str,
    stop: int,
    path: bytes,
    append: bool,
    whole: bool,
    answers: bool,
    origin: str,
    first: int,
    tell: Callable[[str], object],
    /,
) -> dict[str, int]:
    """Take connections of the listener, which is closed in the end, to the upstream, and record them, until `stop` can be read.

    `host` is a numeric address, or with port -1 the path of a Unix socket; `whole` makes an exchange of each connection, not of each
    request; `answers` keeps what was answered, too; `first` is the number of the first connection. OSError where the file cannot be opened.

    The counts: `exchanges` written, `files` they are in (more than one where the first became too large), `connections` of clients that
    were served, `refused` ones that were not, since the upstream could not be reached, `lost` exchanges that passed and were not recorded
    (cut by the end, too large, or without memory), and `error`: errno where the file could not be written any more, which ends it, else 0.
    """

def pieces(parts: Sequence[bytes | str], /) -> str:
    """The pieces of a send, a line each: bytes as they are, a str for the value that was saved under that name."""
