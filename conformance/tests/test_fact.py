"""Whatever changes in an observation is a difference, unless docs/observation.md says that it is not compared; and nothing that a
server or an app can do makes the comparer fail."""

import gzip
import itertools
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from bridgecheck.conformance._player import Instance
from bridgecheck.conformance.compare.bucket import title
from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.difference import Difference, differences
from bridgecheck.conformance.compare.fact import Address, Facts, facts_of, facts_of_all
from bridgecheck.conformance.compare.weight import quirk

from .observations import message, observation, response, rich

HERE = Address("127.0.0.1", 1000)
TOML = files("bridgecheck.conformance.compare").joinpath("observation.toml").read_text("utf-8")
PAGE = Path(__file__).parents[2].joinpath("docs", "observation.md").read_text("utf-8")

Step = tuple[Any, ...]
# What an app or a server put there: any value, any type. Elsewhere the player's own records, of fixed types.
_FREE = re.compile(r"calls/\d+/(scope|properties/.+|result|events/\d+/(event|result))(/.*)?")
# What holds an observation together.
_FIXED = re.compile(r"(calls|process/lifespans)/\d+/(connection|events/\d+/kind)|calls/2/result|connections/\d+/name")
_LONG = {"length", "hash", "first", "last"}


def _ends(value: Any, free: bool) -> Iterator[tuple[str, Any]]:
    """Other values in place of one; `free`: of any type, else such as the player would give."""
    if isinstance(value, bool):
        yield "value", not value
        other: tuple[Any, ...] = (int(value), str(value))
    elif isinstance(value, int):
        yield "value", value + 1
        other = (float(value), str(value), Instance("demo.Int", value))
    elif isinstance(value, float):
        yield "value", value + 1
        other = (str(value), float("nan"))
    elif isinstance(value, str):
        yield "value", f"{value}x"
        other = (value.encode(), Instance("demo.Str", value), None)
    elif isinstance(value, bytes):
        yield "value", value[:-1] + b"~"
        other = (value.decode("latin-1"), Instance("bytearray", value), Instance("memoryview", value))
    elif isinstance(value, Instance):
        yield "value", Instance(f"{value.type}x", value.value)
        other = (Instance(value.type, 7), value.value)
    elif isinstance(value, dict) and value.keys() == _LONG:
        yield "value", value | {"hash": 1}
        yield "value", value | {"length": 9001}
        other = (value["first"], {**value, "first": value["first"].decode(), "last": value["last"].decode()})
    elif isinstance(value, list):
        other = (tuple(value), Instance("demo.List", value), Instance("demo.List"), None)
    elif isinstance(value, tuple):
        other = (list(value), Instance("demo.Tuple", value), Instance("demo.Tuple"), None)
    elif isinstance(value, dict):
        other = (Instance("demo.Dict", value), Instance("demo.Dict"), None, [])
    else:
        other = (0, "", Instance("demo.Object"))
    for index, changed in enumerate(other if free else ()):
        yield f"type {index}", changed


def _mutations(value: Any, path: Step = ()) -> Iterator[tuple[Step, str, Any]]:
    """Every place where one thing is changed, with the whole that comes of it."""
    name = "/".join(map(str, path))
    if _FIXED.fullmatch(name):
        return
    free = bool(_FREE.fullmatch(name))
    for what, changed in _ends(value, free):
        yield path, what, changed
    if isinstance(value, dict) and value.keys() != _LONG:
        for key, inner in value.items():
            for place, what, changed in _mutations(inner, (*path, key)):
                yield place, what, value | {key: changed}
            if free:
                yield (*path, key), "drop", {k: v for k, v in value.items() if k != key}
        if free:
            yield path, "add", value | {"extra": 1}
    elif isinstance(value, (list, tuple)):
        kind = type(value)
        for index, inner in enumerate(value):
            before, after = value[:index], value[index + 1 :]
            for place, what, changed in _mutations(inner, (*path, index)):
                yield place, what, before + kind([changed]) + after
            if free or kind is list:
                yield (*path, index), "drop", before + after
                yield (*path, index), "double", before + kind([inner, inner]) + after
        for index, (left, right) in enumerate(itertools.pairwise(value)):
            if left != right and (free or kind is list):
                kinds = f" {left['kind']}, {right['kind']}" if name.endswith("events") else ""
                yield (*path, index), f"swap{kinds}", value[:index] + kind([right, left]) + value[index + 2 :]
    elif isinstance(value, Instance) and value.value is not None:
        for place, what, changed in _mutations(value.value, (*path, "value")):
            yield place, what, Instance(value.type, changed)


# What may change without a difference: place, way of change, and the words of docs/observation.md that say so.
NOT_COMPARED: tuple[tuple[str, str, str], ...] = (
    (r"connections/./responses/./fields/5/1", "value", "the product name in `server`"),
    (r"connections/./responses/./pieces", "value", "whether chunked content came in one chunk or in several"),
    (r"connections/(0/responses/2|2/responses/0|2/websocket/messages/.)/body/hash", "value", "its bytes"),
    (r"connections/1/client_port", "value", "the port that the player sent from in `client`"),  # of a call, which is not there
    (r"connections/2/websocket/messages/[025]/(frames|compressed|complete|body/length)", "value", "of a control frame only the payload"),
    (r"connections/2/websocket/messages/1/frames", "value", "In which frames and segments a message came is drift"),
    (r"connections/2/websocket/messages/2/body/bytes", "value", "how many pings the server sent"),
    (r"connections/2/websocket/messages/[0124]", "swap", "messages and control frames apart, each in its order"),
    (r"connections/2/websocket/messages/5", "double", "`after-close`"),  # which the player counts
    (r"connections/./responses/./trailers/.", "swap", "the order and letter case of trailers"),
    (r"connections/.", "swap", "the order of calls on different connections, and of connections"),
    (r"connections/.", "double", "per connection, in order"),  # by name, which is there once
    (r"calls/2", "swap", "the order of calls on different connections, and of connections"),
    (r"steps/.", "swap", "how often a step of that line could not be done"),
    (r"settled", "value", "whether all calls settled"),
    (r"(calls|process/lifespans)/./pid", "value", "process ids"),
    (r"process/output/0", ".*", "what it wrote meanwhile"),
    (r"process/lifespans/0/events/./(total|hash)", "value", "A body is its bytes and its final flag"),
    (r"process/lifespans/./events/\d+", "swap .*", "How receives and sends interleave is not compared"),
    (r"process/lifespans/./properties/recorder", ".*", "which recorder wrote the trace"),
    (r"(calls|process/lifespans)/./before_last_byte", "value", "whether the call ended before or after the last byte"),
    (r"calls/./(events/./)?result", "value", "the type"),
    (r"calls/3/events/(6|8|10|12)/result", "type 0", "the types of results that are not None"),  # one of which is int already
    (r"calls/./properties/recorder", ".*", "which recorder wrote the trace"),
    (r"calls/0/events/([01348]|10)/hash|calls/0/events/([0148]|10)/total", "value", "A body is its bytes and its final flag"),
    (r"calls/1/events/1/(total|hash)", "value", "A body is its bytes and its final flag"),
    (r"calls/2/events/([2467]|9)/hash|calls/2/events/[2467]/total", "value", "A body is its bytes and its final flag"),
    (r"calls/3/events/\d+/(total|hash)", "value", "A body is its bytes and its final flag"),
    (
        r"calls/1/events/./event/body",
        "value|type 0",
        "length and hash of all request content that the app received",
    ),  # of the stream, not the event
    (r"calls/./events/[12]/event/headers", "type [01]", "the containers and the order of the headers that an app sends"),
    (r"calls/(2/events/2|3/events/1)/event/headers", "drop", "whether none are an empty list"),
    (r"calls/[012]/events/[12]/event/headers/.", "type [01]", "the containers and the order of the headers that an app sends"),
    (r"calls/[012]/events/[12]/event/headers/[01]", "swap", "the containers and the order of the headers that an app sends"),
    (r"calls/[012]/events/[12]/event/headers/./0", "type 0", "the type and letter case of their names"),
    (r"calls/3/events/13/event/code", "type 2", "whether the `code` of a `websocket.disconnect` is an int"),
    (r"calls/2/events/[79]/event/body", "type 1", "in which event of a stream a key had which of its types"),
    (r"calls/./events/\d+", "swap .*(send|sent|send raised), rece.*", "How receives and sends interleave is not compared"),
    (
        r"calls/([023]/events/\d+|1/events/[1-9])",
        "swap rece.*, (send|sent|send raised)",
        "How receives and sends interleave is not compared",
    ),
    (r"calls/./events/\d+", "swap (send|sent|send raised), (send|sent|send raised)", "how many calls of `send()` had not come back"),
    (r"calls/2/events/0", "drop|double|swap .*", "how often a read was cancelled by the app itself"),
    (r"calls/2/(events/[01]/)?raised/base", "value", "by the built-in class it derives from"),  # where that is its type, or not asked
    (r"calls/2/events/[01]/raised/message", "value", "texts of exceptions that left `receive()`"),
    (r"calls/2/events/1", "double", "how often the same came again"),
    (r"calls/0/events/10|calls/2/events/6", "double", "how often a disconnect was repeated"),
)


def _excused(path: str, what: str) -> str | None:
    return next((words for place, way, words in NOT_COMPARED if re.fullmatch(place, path) and re.fullmatch(way, what)), None)


def _standing(one: Facts, other: Facts) -> list[Difference]:
    return [d for d in differences(one, other) if d.because is None and not quirk(d.path, d.kind)]


RICH = facts_of(rich(), HERE)
MUTATIONS = [("/".join(map(str, path)), what, changed) for path, what, changed in _mutations(rich())]


def test_every_change_is_a_difference_unless_the_page_excuses_it() -> None:
    missed, alarms = [], []
    for path, what, changed in MUTATIONS:
        facts = facts_of(changed, HERE)
        stands = [bool(_standing(RICH, facts)), bool(_standing(facts, RICH))]
        excused = bool(_excused(path, what))
        missed += [] if all(stands) or excused else [(path, what)]
        alarms += [(path, what)] if any(stands) and excused else []
    assert missed == []
    assert alarms == []
    assert len(MUTATIONS) > 1000


def test_what_is_excused_is_said_on_the_page_and_happens() -> None:
    page = " ".join(PAGE.split())
    assert [words for _, _, words in NOT_COMPARED if words not in page] == []
    used = {_excused(path, what) for path, what, _ in MUTATIONS}
    assert [place for place, way, words in NOT_COMPARED if words not in used] == []


def test_the_same_is_the_same() -> None:
    assert differences(facts_of(rich(), HERE), RICH) == []


def test_the_short_way_to_facts_hides_nothing() -> None:
    for _, _, changed in MUTATIONS:
        short = facts_of_all([rich_once, changed], [HERE, HERE])
        assert (short[0] is not short[1]) or not _standing(RICH, facts_of(changed, HERE))


rich_once = rich()

# What an app, a server or a broken trace may bring, wherever a value of their own can stand.
WEIRD: tuple[Any, ...] = (
    None,
    float("nan"),
    1e300 * 1e10,
    10**5000,
    "\ud800",
    b"\xff",
    "line\nline",
    Instance("demo.\ud800"),
    Instance("(broken)"),
    Instance("(cut)", None),
    Instance("demo.D", {"type": "http.request"}),
    {10**5000: 1, (1, (2,)): 2, None: 3, b"k": 4, "\ud800": 5, True: 6, 1.5: 7},
    [[(b"a", b"1", b"2")], [], [()], ({},)],
    [(b"a",)],
    [("a", 1), [b"b", None], (None, Instance("x"))],
    [({}, []), ([1], {2: 3})],
    {"length": 9000, "hash": 1, "first": "x", "last": "y"},
    {"length": 9000, "hash": 1, "first": b"x", "last": b"y"},
    Instance("demo.S", {"length": 9000, "hash": 1, "first": "x", "last": "y"}),
)


def _odd_places(value: Any, path: Step = ()) -> Iterator[tuple[Step, str, Any]]:
    """Each odd value in each place of a traced value, and in place of what an exception says."""
    name = "/".join(map(str, path))
    if _FREE.fullmatch(name) or re.fullmatch(r"calls/\d+/(properties|raised/.*|events/\d+/raised/.*)", name):
        for number, odd in enumerate(WEIRD):
            yield path, str(number), odd
    if isinstance(value, dict):
        for key, inner in value.items():
            for place, what, changed in _odd_places(inner, (*path, key)):
                yield place, what, value | {key: changed}
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            for place, what, changed in _odd_places(inner, (*path, index)):
                yield place, what, value[:index] + type(value)([changed]) + value[index + 1 :]


def test_nothing_that_a_trace_can_hold_makes_the_comparer_fail() -> None:
    count = 0
    for path, what, changed in _odd_places(rich()):
        facts = facts_of(changed, HERE)
        again = facts_of(changed, HERE)
        assert differences(facts, again) == [], (path, what)
        for difference in differences(RICH, facts):
            assert re.fullmatch("[0-9a-f]{12}", difference.signature)
            (title(difference) + difference.place).encode()
            assert difference.severity
        count += 1
    assert count > 3000


def _table() -> list[re.Pattern[str]]:
    """The paths of the page's table, as patterns."""
    rows = [row.split("|")[2] for row in PAGE.splitlines() if row.startswith("| ") and row.count("|") == 4]
    paths = [path for cell in rows for path in re.findall("`([^`]+)`", cell)]
    return [
        re.compile(re.sub(r"\\?\b(NAME|KEY|TYPE|PART|FAULT|RULE|SUBJECT)\b", ".+", re.escape(path).replace("…", ".*")) + r"(\[\d+\])?")
        for path in paths
    ]


def test_every_path_is_named_on_the_page() -> None:
    table = _table()
    assert len(table) > 40
    paths = {path for _, path in RICH}
    others = [changed for _, _, changed in MUTATIONS]
    others.append(rich())
    others[-1]["connections"][0]["responses"][0]["body"] = response(body=gzip.compress(b'{"at": "11:00"}'))["body"]
    others[-1]["connections"][2]["websocket"]["messages"][1]["body"] = message(1, b'{"price": 3}')["body"]
    others.append(rich())
    others[-1]["calls"][3]["events"].reverse()  # its messages come behind its disconnect
    for other in others:
        paths |= {difference.path for difference in differences(RICH, facts_of(other, HERE), Demand(("FR-HOST-01",)))}
    outcome = {"case": "1.1.1", "behavior": "OK", "close": "OK", "code": 1000, "server": "running"}
    paths |= {path for _, path in facts_of({"autobahn": outcome}, HERE)}
    assert sorted(path for path in paths if not any(pattern.fullmatch(path) for pattern in table)) == []
    unseen = [pattern.pattern for pattern in table if not any(map(pattern.fullmatch, paths))]
    assert [pattern.partition("(")[0] for pattern in unseen] == ["request", "died"]


def test_every_weighed_path_is_one_that_there_is() -> None:
    weighed = [entry["path"] for entry in tomllib.loads(TOML)["weight"]] + [entry["path"] for entry in tomllib.loads(TOML)["quirk"]]
    table = _table()
    assert [
        path for path in weighed if path != "*" and not any(p.fullmatch(path.replace("*", any_)) for p in table for any_ in ("", "x", ".x"))
    ] == []


def test_the_same_bytes_are_not_the_same_where_they_hold_the_address_of_one_side() -> None:
    def linked(body: bytes) -> Any:
        return observation([response(body=body, fields=[(b"location", b"http://" + body)])], [])

    there = Address("127.0.0.1", 2000)
    same, own = linked(b"127.0.0.1:1000/a"), linked(b"127.0.0.1:2000/a")
    left, right = facts_of_all([same, same], [HERE, there])
    assert {d.path for d in differences(left, right)} == {"response.body", "response.field[location]"}
    assert differences(*facts_of_all([same, own], [HERE, there])) == []
    left, right = facts_of_all([linked(b"127.0.0.1:10001"), linked(b"127.0.0.1:20001")], [HERE, there])
    assert {d.path for d in differences(left, right)} == {"response.body", "response.field[location]"}
