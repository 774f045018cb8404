"""The player as Python sees it, against uvicorn with the observer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from bridgecheck.conformance._player import Player

from .few_lines import ALIKE, bodies, ends, exchange, exchanges, place, statuses

if TYPE_CHECKING:
    from bridgecheck.conformance._player import Observation, Target

HERE = Path(__file__).resolve().parent
OBSERVER = HERE.parent.parent / "spec" / "observer"
GET = "send\n> GET {path} HTTP/1.1\n> Host: a\n>\n"


@contextmanager
def uvicorn(folder: Path, *options: str) -> Iterator[Target]:
    """uvicorn with the observer around played.py. It listens before it is told where its trace goes, so nothing is sent to find out."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(2048)
    target = place(listening.getsockname()[1], folder)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{OBSERVER}{os.pathsep}{HERE}",
        "BRIDGECHECK_APP": "played:app",
        "BRIDGECHECK_TRACE": target["trace"],
        "BRIDGECHECK_DOORBELL": target["doorbell"],
    }
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "bridgecheck_observer:app",
        "--fd",
        str(listening.fileno()),
        "--log-level",
        "critical",
        *options,
    ]
    with listening:
        process = subprocess.Popen(command, env=environment, pass_fds=[listening.fileno()])
    try:
        yield target
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def pair() -> Iterator[Player]:
    """A player over two uvicorns."""
    with tempfile.TemporaryDirectory(prefix="play-") as path, uvicorn(Path(path) / "a") as one, uvicorn(Path(path) / "b") as other:
        # The first answer comes when uvicorn is up, whatever that takes; later waits are short.
        patient = Player([one, other], patience=60)
        patient.play([[exchange(GET.format(path="/"))]])
        patient.close()
        player = Player([one, other], patience=2)
        yield player
        player.close()


def played(player: Player, one: Any) -> Observation:
    """Play one exchange; both targets must have seen the same but for what is theirs alone. The first one's observation."""
    ((observations,),) = player.play([[one]])
    assert observations is not None
    assert comparable(observations[0]) == comparable(observations[1])
    return observations[0]


def comparable(observation: Any) -> Any:
    """Without time and place."""
    connections = [
        {
            **connection,
            "client_port": 0,
            "responses": [{**r, "pieces": 0, "fields": [f for f in r["fields"] if f[0] != b"date"]} for r in connection["responses"]],
        }
        for connection in observation["connections"]
    ]
    calls = [
        {**call, "scope": {**call["scope"], "server": 0, "client": 0}, "pid": 0, "before_last_byte": 0} for call in observation["calls"]
    ]
    return {**observation, "connections": connections, "calls": calls}


def paths(observation: Observation) -> list[tuple[str, str, str]]:
    return [(call["connection"], call["scope"]["path"], call["end"]) for call in observation["calls"]]


def test_an_observation_tells_both_sides(pair: Player) -> None:
    observation = played(pair, exchange("send\n> POST /echo HTTP/1.1\n> Host: a\n> Content-Length: 5\n>\n+ hello"))
    (connection,) = observation["connections"]
    (response,) = connection["responses"]
    assert (connection["name"], connection["opened"], connection["error"], connection["rest"], connection["end"]) == (
        "main",
        True,
        "",
        b"",
        "open",
    )
    assert (response["version"], response["status"], response["reason"], response["framing"]) == ("1.1", 200, b"OK", "content-length")
    assert response["body"] == {"length": 11, "hash": fnv1a(b"/echo:hello"), "bytes": b"/echo:hello"}
    assert [name for name, _ in response["fields"]] == [b"date", b"server", b"content-length"]
    assert (response["complete"], response["interim"], response["trailers"]) == (True, [], [])
    (call,) = observation["calls"]
    assert (call["scope"]["type"], call["scope"]["method"], call["scope"]["path"]) == ("http", "POST", "/echo")
    assert [event["kind"] for event in call["events"]] == ["received", "send", "sent", "send", "sent"]
    assert call["events"][0] == {
        "kind": "received",
        "event": {"type": "http.request", "body": b"hello", "more_body": False},
        "total": 5,
        "hash": fnv1a(b"hello"),
    }
    assert call["events"][4] == {"kind": "sent", "result": None}
    assert (call["end"], call["result"], call["raised"], observation["steps"], observation["settled"]) == ("returned", None, None, [], True)


def fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def test_all_targets_see_the_same_client(pair: Player) -> None:
    ((observations,),) = pair.play([[exchange(GET.format(path="/"))]])
    assert observations is not None
    first, second = (observation["calls"][0]["scope"]["client"] for observation in observations)
    assert first == second
    assert first[0] == "127.0.0.1"


def test_end_next_tells_closed_from_open(pair: Player) -> None:
    assert ends(played(pair, exchange(GET.format(path="/")))) == ["open"]
    assert ends(played(pair, exchange("send\n> GET / HTTP/1.1\n> Host: a\n> Connection: close\n>"))) == ["closed"]
    assert ends(played(pair, exchange("send\n> GET / HTTP/1.0\n> Host: a\n>"))) == ["closed"]


def test_end_close_waits_for_the_server(pair: Player) -> None:
    observation = played(pair, exchange("send\n> GET / HTTP/1.1\n> Host: a\n> Connection: close\n>", "end close"))
    assert (ends(observation), bodies(observation)) == (["closed"], [b"/:"])


def test_end_open_takes_what_comes_in_its_time(pair: Player) -> None:
    observation = played(pair, exchange(GET.format(path="/"), "end open 100ms"))
    assert (ends(observation), bodies(observation), observation["steps"]) == (["open"], [b"/:"], [])


def test_a_refused_request_has_no_call(pair: Player) -> None:
    observation = played(pair, exchange("send\n> GET / HTTP/1.1\n> Host : a\n>"))
    assert (statuses(observation), ends(observation), observation["calls"], observation["settled"]) == ([[400]], ["closed"], [], True)


def test_an_app_that_raises(pair: Player) -> None:
    observation = played(pair, exchange(GET.format(path="/raise")))
    (call,) = observation["calls"]
    assert (statuses(observation), ends(observation)) == ([[500]], ["closed"])
    assert (call["end"], call["raised"]) == ("raised", {"type": "LookupError", "message": "not here", "base": "LookupError"})


def test_half_close_ends_our_side_only(pair: Player) -> None:
    observation = played(pair, exchange(GET.format(path="/") + "wait response\nhalf-close"))
    assert (statuses(observation), ends(observation), observation["steps"]) == ([[200]], ["closed"], [])


def test_reset_while_streaming_is_a_disconnect_for_the_app(pair: Player) -> None:
    observation = played(pair, exchange(GET.format(path="/stream") + "wait body 8\nreset", "end close"))
    assert ends(observation) == ["ours"]
    assert [event["event"]["type"] for event in observation["calls"][0]["events"] if event["kind"] == "received"] == [
        "http.request",
        "http.disconnect",
    ]
    assert (paths(observation), observation["settled"]) == ([("main", "/stream", "returned")], True)


def test_pipelined_requests_are_answered_in_order(pair: Player) -> None:
    observation = played(pair, exchange("send\n> GET /1 HTTP/1.1\n> Host: a\n>\n> GET /2 HTTP/1.1\n> Host: a\n>\n" + GET.format(path="/3")))
    assert bodies(observation) == [b"/1:", b"/2:", b"/3:"]
    assert paths(observation) == [("main", "/1", "returned"), ("main", "/2", "returned"), ("main", "/3", "returned")]
    assert ends(observation) == ["open"]


def test_split_makes_segments_that_the_server_reads_one_by_one(pair: Player) -> None:
    head = "send\n> POST / HTTP/1.1\n> Host: a\n> Content-Length: 12\n>\nwait call\n"
    observation = played(pair, exchange(head + "send split 3\n+ abcdefghijkl"))
    assert bodies(observation) == [b"/:abc|def|ghi|jkl"] or b"".join(bodies(observation)).replace(b"|", b"") == b"/:abcdefghijkl"
    received = [event["event"]["body"] for event in observation["calls"][0]["events"] if event["kind"] == "received"]
    assert b"".join(received) == b"abcdefghijkl"


def test_interim_responses_stand_before_theirs(pair: Player) -> None:
    steps = "send\n> POST / HTTP/1.1\n> Host: a\n> Expect: 100-continue\n> Content-Length: 3\n>\nwait interim\nsend\n+ abc\nwait response"
    observation = played(pair, exchange(steps))
    (response,) = observation["connections"][0]["responses"]
    assert [interim["status"] for interim in response["interim"]] == [100]
    assert (response["body"]["bytes"], observation["steps"]) == (b"/:abc", [])


def test_a_response_to_head_has_no_content(pair: Player) -> None:
    observation = played(pair, exchange("send\n> HEAD /head HTTP/1.1\n> Host: a\n>\nwait response\n" + GET.format(path="/get")))
    head, get = observation["connections"][0]["responses"]
    assert (head["framing"], head["body"]["length"], dict(head["fields"])[b"content-length"]) == ("none", 0, b"6")
    assert get["body"]["bytes"] == b"/get:"


def test_values_live_as_long_as_the_session(pair: Player) -> None:
    first, second = exchanges(
        "session login\n"
        "exchange get\n" + GET.format(path="/login") + "wait response\n"
        'save cookie from field Set-Cookie between "session=" ";"\n'
        'save token from body between "\\"token\\": \\"" "\\""\n'
        'save missing from body between "no such" ""\n'
        "end next\n"
        "exchange use\nsend\n> POST /${cookie}/${missing}. HTTP/1.1\n> Host: a\n> Content-Length: 3\n>\n+ ${token}${missing}\nend next\n"
    )
    session, alone = pair.play([[first, second], [second]])
    assert session[0] is not None and session[1] is not None and alone[0] is not None
    assert [observation["steps"] for observation in session[0]] == [[(11, "nothing to save")]] * 2
    assert [bodies(observation) for observation in session[1]] == [[b"/s3cret/.:a b"]] * 2
    assert [call["scope"]["path"] for observation in alone[0] for call in observation["calls"]] == ["//."] * 2  # and its content never came


def test_connections_have_names(pair: Player) -> None:
    steps = (
        "connect a\nconnect b\n" + GET.format(path="/b") + "wait response\non a\n" + GET.format(path="/a") + "wait response\non b\nclose"
    )
    observation = played(pair, exchange(steps))
    assert [connection["name"] for connection in observation["connections"]] == ["a", "b"]
    assert (ends(observation), bodies(observation)) == (["open", "ours"], [b"/a:", b"/b:"])
    assert paths(observation) == [("a", "/a", "returned"), ("b", "/b", "returned")]


def test_a_call_that_goes_on_is_still_running(pair: Player) -> None:
    observation = played(pair, exchange(GET.format(path="/hang") + "wait call", "end open 10ms"))
    assert (paths(observation), observation["settled"]) == ([("main", "/hang", "still running")], False)


def test_a_call_that_goes_on_after_its_response_is_waited_for(pair: Player) -> None:
    observation = played(pair, exchange(GET.format(path="/afterwards")))
    assert (paths(observation), observation["settled"]) == ([("main", "/afterwards", "returned")], True)
    assert not observation["calls"][0]["before_last_byte"]


def test_a_call_whose_client_is_not_its_own_belongs_to_the_exchange_alone(pair: Player) -> None:
    forwarded = exchange("send\n> GET /for HTTP/1.1\n> Host: a\n> X-Forwarded-For: 192.0.2.7\n>")
    assert forwarded.alone
    plain = exchange(GET.format(path="/"))
    results = pair.play([[plain], [forwarded], [plain], [forwarded]])
    seen = [[paths(observation) for observation in observations] for ((observations),) in results if observations]
    assert seen == [[[("main", path, "returned")]] * 2 for path in ("/", "/for", "/", "/for")]
    assert pair.unclaimed() == [[], []]
    steps = "connect a\nconnect b\nsend\n> GET /for HTTP/1.1\n> Host: a\n> X-Forwarded-For: 192.0.2.7\n>"
    assert paths(played(pair, exchange(steps))) == [("b", "/for", "returned")]


def test_a_session_that_is_alone_keeps_its_place_among_those_side_by_side(pair: Player) -> None:
    together, beside = exchange(GET.format(path="/together")), exchange(GET.format(path="/beside"))
    results = pair.play([[together], [together], [beside], [together], [together]], jobs=8, alone={2})
    seen = [bodies(observation) for ((observations),) in results if observations for observation in observations]
    assert seen == [[b"together"]] * 4 + [[b"0 beside, 1 pairs"]] * 2 + [[b"together"]] * 4


def test_what_was_waited_for_in_vain_is_noted(pair: Player) -> None:
    observation = played(
        pair, exchange(GET.format(path="/") + "wait response\nwait response within 20ms\nwait interim within 20ms\nwait closed within 20ms")
    )
    assert observation["steps"] == [(8, "timed out"), (9, "timed out"), (10, "timed out")]
    assert ends(observation) == ["open"]


def test_each_wait_waits_for_the_next(pair: Player) -> None:
    observation = played(pair, exchange(GET.format(path="/") + "wait call\nwait call within 20ms"))
    assert observation["steps"] == [(8, "timed out")]
    steps = "send\n> POST / HTTP/1.1\n> Host: a\n> Expect: 100-continue\n> Content-Length: 1\n>\n"
    steps += "wait interim\nwait interim within 20ms\nsend\n+ a"
    assert played(pair, exchange(steps))["steps"] == [(10, "timed out")]


def test_results_do_not_depend_on_jobs(pair: Player) -> None:
    kinds = ["/", "/login", "/raise", "/x"]
    sessions = [[exchange(GET.format(path=kinds[(i + j) % 4])) for j in range(i % 3 + 1)] for i in range(40)]
    one_by_one, side_by_side = (
        [[[comparable(o) for o in observations] for observations in session if observations] for session in pair.play(sessions, jobs=jobs)]
        for jobs in (1, 16)
    )
    assert one_by_one == side_by_side
    assert [len(session) for session in one_by_one] == [i % 3 + 1 for i in range(40)]


def test_calls_that_no_exchange_claims_are_handed_out_once(folder: Path) -> None:
    with uvicorn(folder) as target:
        player = Player([target], patience=60)
        with socket.create_connection(("127.0.0.1", target["port"])) as stranger:
            stranger.sendall(b"GET /stranger HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            while stranger.recv(4096):
                pass
        player.play([[exchange(GET.format(path="/"))]])
        ((call,),) = player.unclaimed()
        assert (call["scope"]["path"], call["connection"], call["end"]) == ("/stranger", "", "returned")
        assert player.unclaimed() == [[]]
        assert [[call["scope"]["type"] for call in calls] for calls in player.lifespans()] == [["lifespan"]]
        player.close()


def test_values_that_look_alike_stay_apart_in_a_trace(pair: Player) -> None:
    lines = "".join(f"> X-Field: {value.decode()}\n" for value in ALIKE)
    targets = [value.decode() for value in ALIKE[:10]] + ["caf%C3%A9"]
    requests = "".join(f"> GET /{target} HTTP/1.1\n> Host: a\n{lines}>\n" for target in targets)
    for _ in range(2):
        observation = played(pair, exchange(f"send\n{requests}"))
        assert [call["scope"]["path"] for call in observation["calls"]] == ["/" + unquote(target) for target in targets]
        assert [call["scope"]["raw_path"] for call in observation["calls"]] == [b"/" + target.encode() for target in targets]
        for call in observation["calls"]:
            assert call["scope"]["headers"] == [(b"host", b"a"), *((b"x-field", value) for value in ALIKE)]
