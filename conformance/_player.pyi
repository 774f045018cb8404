"""The C engine: the exchange parser, the player and the trace reader (conformance/exchange, conformance/player)."""

from collections.abc import Callable, Container, Sequence
from typing import Any, TypedDict

class ExchangeError(ValueError):
    """A file that does not fit the grammar of docs/exchange.md."""

    file: str
    line: int
    column: int
    message: str

class Exchange:
    """One exchange, as parsed. Immutable; playable any number of times."""

    name: str
    session: str  # "" outside a session
    line: int
    text: bytes  # its own text in the file, from "exchange" to the end of its "end" line
    meta: dict[str, str]  # its own, and its session's where it has none
    alone: bool  # sends X-Forwarded-For or Forwarded: its calls cannot be told by the client's port
    requests: list[tuple[bytes, bytes]]  # (method, target) of each request that llhttp finds in what it sends, for the route table
    steps: list[tuple[int, str, bytes]]  # (line, its words, bytes of a send or a frame's payload, without values) to show it to a person
    sends: int  # bytes it sends, for choosing the shortest
    process: list[tuple[int, str, tuple[str, ...]]]  # its process steps: (line, "start", "signal" or "exit", what stands behind)

def parse(data: bytes, file: str) -> list[Exchange]:
    """All exchanges of a file, in file order. Raises ExchangeError; `file` is only for the message."""

class Body(TypedDict):
    length: int
    hash: int  # FNV-1a, 64 bit, as in the trace
    bytes: bytes  # the whole content up to 1 MiB, its first MiB beyond

class Interim(TypedDict):
    status: int
    reason: bytes
    fields: list[tuple[bytes, bytes]]

class Response(TypedDict):
    version: str  # "1.1"
    status: int
    reason: bytes
    fields: list[tuple[bytes, bytes]]  # name and value as on the wire, in order
    interim: list[Interim]  # what came before it
    framing: str  # "content-length", "chunked", "close" or "none" (HEAD, 204, 304)
    pieces: int  # chunks, or reads where not chunked
    body: Body
    complete: bool  # its framing came to its end
    trailers: list[tuple[bytes, bytes]]

class Message(TypedDict):
    """A WebSocket message, or a control frame."""

    opcode: int  # 1 text, 2 binary, 8 close, 9 ping, 10 pong; 0 for a continuation of nothing; others are reserved
    frames: int
    compressed: bool
    complete: bool
    body: Body  # inflated

class WebSocket(TypedDict):
    key: bytes  # that we sent
    messages: list[Message]  # in the order of their first frames, without our marked ping's pong
    faults: dict[str, int]  # how many frames had which: docs/observation.md names them
    error: str  # "LENGTH_TOO_LARGE", "MESSAGES_TOO_MANY", "INFLATED_TOO_MUCH": what came from there on was not read; "" if all was

class Connection(TypedDict):
    name: str
    opened: bool  # False: the connect was refused
    responses: list[Response]  # the last may be incomplete
    error: str  # llhttp's name of what is no HTTP response, "" if none
    rest: bytes  # the first 4 KiB from that place on
    websocket: WebSocket | None  # what came after a WebSocket's handshake
    stray: int  # CR and LF between responses, or after the last: skipped, but sent
    client_port: int  # ours, which the app sees in scope["client"]
    end: str  # "open", "closed" (FIN), "reset", "silent", "ours" (the script closed it)

class Raised(TypedDict):
    type: str
    message: str
    base: str  # the nearest built-in class that it is or derives from

class Event(TypedDict, total=False):
    kind: str  # "received", "receive raised", "send", "sent", "send raised"
    event: Any  # received, send; a long body stands as {"length", "hash", "first", "last"}
    result: Any  # sent
    raised: Raised
    total: int  # content of this stream so far: length
    hash: int  # and hash

class Call(TypedDict):
    connection: str  # the exchange's connection it came by
    scope: Any  # values as the app saw them, of the same Python types; other objects as Instance
    properties: dict[str, Any]
    events: list[Event]
    end: str  # "returned", "raised", "still running"
    result: Any
    raised: Raised | None
    before_last_byte: bool  # the call ended before the connection's last byte was read here
    pid: int

class Instance:
    """Something in a scope or event that is not exactly of a plain type. Compares by type name and value."""

    type: str  # "(cut)" for what was too deep or too large to be traced, "(broken)" for what no recorder writes
    value: Any  # of a subclass's instance; None otherwise

    def __init__(self, type: str, value: Any = None) -> None: ...

class Observation(TypedDict):
    connections: list[Connection]
    calls: list[Call]  # by connection, then in the order they began
    # (line, what went wrong): "timed out", "nothing to save", "not connected"; what is waited for cannot come any more: "closed",
    # "too short" (a body), "final response" (no interim one), "not HTTP", "not a WebSocket"; at the end: "too much" (64 MiB were read),
    # "no answer afterwards" (on a fresh connection)
    steps: list[tuple[int, str]]
    settled: bool  # every call ended and settled; False: something still ran after the patience

class Target(TypedDict):
    name: str
    host: str  # "127.0.0.1"
    port: int
    trace: str  # folder of its trace files
    doorbell: str  # path of the Unix datagram socket, which the player binds
    pid: int  # leader of its processes, for `died`

class Player:
    """Plays exchanges to all its targets at once."""

    def __init__(self, targets: Sequence[Target], *, patience: float = 2.0) -> None: ...
    def play(
        self,
        sessions: Sequence[Sequence[Exchange]],
        *,
        jobs: int = 32,
        alone: Container[int] | None = None,
        progress: Callable[[int], bool] | None = None,
        process: Callable[[int, str, tuple[str, ...]], bool] | None = None,
    ) -> list[list[tuple[Observation, ...] | None]]:
        """Play each session's exchanges in order, up to `jobs` sessions side by side; one that is `alone`, by its number here or by an
        exchange of its own, begins when all before it are over and has nothing beside it.

        Per session and exchange: the observations in the order of the targets, or None where it was not played because a target was gone
        (its connect was refused: play returns early, what was under way is finished). `progress(played)` is called about ten times a
        second; a true answer stops the run. `process(target, "signal" or "exit", words)` is called for the process steps, again and again
        until it says that what the step waits for is so. Raises NotImplementedError for steps the player has not learnt, with the line.
        """
    def unclaimed(self) -> list[list[Call]]:
        """Per target, calls traced since the last question that no exchange claims; lifespan calls are in `lifespans`."""
    def lifespans(self) -> list[list[Call]]:
        """Per target, the lifespan calls so far."""
    def close(self) -> None: ...
