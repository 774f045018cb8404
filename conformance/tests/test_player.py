"""The player as Python sees it: against uvicorn with the observer, and against servers of a few lines that behave as no server should."""

from __future__ import annotations

import os
import signal
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

from bridgecheck.conformance._player import ExchangeError, Instance, Player

from .few_lines import alone, answering, exchange, exchanges, head_of, marked, place, server

if TYPE_CHECKING:
    from bridgecheck.conformance._player import Observation, Target

HERE = Path(__file__).resolve().parent
OBSERVER = HERE.parent.parent / "spec" / "observer"
GET = "send\n> GET {path} HTTP/1.1\n> Host: a\n>\n"

# --- uvicorn ---------------------------------------------------------------------------------------------------------------------------


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


def statuses(observation: Observation) -> list[list[int]]:
    return [[response["status"] for response in connection["responses"]] for connection in observation["connections"]]


def ends(observation: Observation) -> list[str]:
    return [connection["end"] for connection in observation["connections"]]


def paths(observation: Observation) -> list[tuple[str, str, str]]:
    return [(call["connection"], call["scope"]["path"], call["end"]) for call in observation["calls"]]


def bodies(observation: Observation) -> list[bytes]:
    return [response["body"]["bytes"] for connection in observation["connections"] for response in connection["responses"]]


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


ALIKE = [b"beginning%03dending-of-it" % number for number in range(40)] + [b"beginning%0*dending-of-it" % (n, 1) for n in range(103, 112)]
"""One beginning and one end, by which short values are found again to be shared; around the length from which on they are not."""


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


# --- servers of a few lines ------------------------------------------------------------------------------------------------------------


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ONE = GET.format(path="/")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"garbage\r\n\r\n", ("HPE_INVALID_CONSTANT", b"garbage\r\n\r\n", [], "silent")),
        (b"", ("", b"", [], "silent")),
        (b"HTTP/1.1 200 OK\r\ncontent-le", ("", b"HTTP/1.1 200 OK\r\ncontent-le", [], "silent")),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", ("", b"", [200], "silent")),
        (OK + b"more", ("HPE_INVALID_CONSTANT", b"more", [200], "silent")),
    ],
    ids=["garbage", "nothing", "half a head", "half a body", "too long a body"],
)
def test_a_server_that_answers_badly(folder: Path, answer: bytes, expected: tuple[str, bytes, list[int], str]) -> None:
    with server(answering(lambda client: client.sendall(answer))) as port:
        observation = alone(port, folder, exchange(ONE))
    (connection,) = observation["connections"]
    assert (connection["error"], connection["rest"], [r["status"] for r in connection["responses"]], connection["end"]) == expected


def test_values_that_look_alike_stay_apart_on_the_wire(folder: Path) -> None:
    fields = [(value, b"its " + value) for value in ALIKE]
    answer = b"".join([b"HTTP/1.1 200 OK\r\n", *(b"%b: %b\r\n" % field for field in fields), b"content-length: 0\r\n\r\n"])
    with server(answering(lambda client: client.sendall(answer))) as port:
        observation = alone(port, folder, exchange(ONE + "wait response"))
    assert observation["connections"][0]["responses"][0]["fields"] == [*fields, (b"content-length", b"0")]


def test_a_server_that_closes_at_once(folder: Path) -> None:
    with server(lambda client: None) as port:
        observation = alone(port, folder, exchange(ONE + "wait response"))
    (connection,) = observation["connections"]
    assert (connection["opened"], connection["responses"]) == (True, [])
    assert connection["end"] in ("closed", "reset")  # by whether the request was there yet
    assert [fault for _, fault in observation["steps"]][-1] == "no answer afterwards"


def test_a_request_that_is_not_sent_whole_is_not_followed_by_another(folder: Path) -> None:
    connections: list[bytes] = []

    def serve(client: socket.socket) -> None:
        mine = len(connections)
        connections.append(b"")
        while more := client.recv(4096):
            connections[mine] += more

    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab"
    with server(serve) as port:
        observation = alone(port, folder, exchange("send\n> POST / HTTP/1.1\n> Host: a\n> Content-Length: 3\n>\n+ ab"))
    assert (ends(observation), connections[0]) == (["silent"], request)


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


def test_a_reset_before_the_answer_is_a_reset(folder: Path) -> None:
    with server(answering(reset)) as port:
        observation = alone(port, folder, exchange(ONE))
    assert ends(observation) == ["reset"]


@pytest.mark.parametrize("steps", [ONE, ONE + "wait closed"], ids=["behind our next request", "before it"])
def test_a_reset_after_the_answer_is_a_close(folder: Path, steps: str) -> None:
    def serve(client: socket.socket) -> None:
        client.sendall(OK)
        reset(client)

    with server(answering(serve)) as port:
        observation = alone(port, folder, exchange(steps))
    assert (ends(observation), bodies(observation)) == (["closed"], [b"ok"])


def test_a_server_that_never_accepts(folder: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        observation = alone(listening.getsockname()[1], folder, exchange(ONE + "wait response"))
    assert (ends(observation), observation["steps"]) == (["silent"], [(7, "timed out"), (8, "no answer afterwards")])


def test_a_server_with_a_full_backlog(folder: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        with socket.create_connection(listening.getsockname()):
            observation = alone(listening.getsockname()[1], folder, exchange(ONE + "wait response"))
    assert not observation["connections"][0]["opened"]
    assert observation["steps"] == [(3, "timed out"), (3, "not connected"), (7, "not connected")]


def test_an_endless_body_is_cut(folder: Path) -> None:
    def serve(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            client.sendall(b"x" * 65536)

    with server(answering(serve)) as port:
        observation = alone(port, folder, exchange(ONE + "wait response", "end close"), patience=60)
    (response,) = observation["connections"][0]["responses"]
    assert [fault for _, fault in observation["steps"]] == ["too much", "too much"]
    assert (response["complete"], len(response["body"]["bytes"])) == (False, 1 << 20)
    assert 64 << 20 <= response["body"]["length"] <= 65 << 20


def test_an_early_answer_survives_what_is_still_being_sent(folder: Path) -> None:
    """The server reads a little, answers and closes; most of what we send is never read, which resets the connection."""

    def serve(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 413 Too Much\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    steps = "send\n> POST / HTTP/1.1\n> Host: a\n> Content-Length: 1073741000\n>\n* 1073741000 x"
    with server(lambda client: (head_of(client), serve(client))[1]) as port:
        observation = alone(port, folder, exchange(steps))
    assert (statuses(observation), ends(observation)) == ([[413]], ["closed"])


def test_a_long_body_arrives_whole(folder: Path) -> None:
    total = 0

    def serve(client: socket.socket) -> None:
        nonlocal total
        head, _, content = head_of(client).partition(b"\r\n\r\n")
        if b"bridgecheck-next" in head:
            client.sendall(marked(head))
            return
        total = len(content)
        while total < 20_000_003:
            total += len(client.recv(1 << 20))
        client.sendall(OK)

    steps = "send\n> POST / HTTP/1.1\n> Host: a\n> Content-Length: 20000003\n>\n* 20000000 x\n+ abc\nwait response"
    with server(serve) as port:
        observation = alone(port, folder, exchange(steps, "end open 1ms"), patience=60)
    assert (total, statuses(observation), observation["steps"]) == (20_000_003, [[200]], [])


def test_segments_are_read_one_by_one(folder: Path) -> None:
    """Each recv() of the server brings one segment: the next is sent when it has read the one before."""
    reads: list[bytes] = []

    def serve(client: socket.socket) -> None:
        while b"".join(reads) != b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET":
            reads.append(client.recv(4096))
        client.sendall(OK)

    with server(serve) as port:
        alone(port, folder, exchange("send split 7\n> GET / HTTP/1.1\n> Host: a\n>\nsend\n+ GET", "end open 1ms"))
    assert reads == [b"GET / H", b"TTP/1.1", b"\r\nHost:", b" a\r\n\r\n", b"GET"]


def test_a_peer_that_does_not_read_holds_nobody_up(folder: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        observation = alone(
            listening.getsockname()[1], folder, exchange("send split 1\n> GET / HTTP/1.1\n>\nsend\n> x\npause 1ms", "end open 1ms")
        )
    assert observation["steps"] == [(3, "timed out"), (6, "timed out"), (9, "no answer afterwards")]


def test_a_target_that_is_gone(folder: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        target = place(reserved.getsockname()[1], folder)
        player = Player([target], patience=60)
        one = exchange(ONE + "wait response")
        results = player.play([[one, one], [one]], jobs=1)
        player.close()
    assert results[0][0] is not None
    (observation,) = results[0][0]
    assert [(c["opened"], c["responses"], c["end"]) for c in observation["connections"]] == [(False, [], "closed")]
    assert observation["steps"] == [(3, "not connected"), (7, "not connected")]
    assert (results[0][1], results[1]) == (None, [None])


def test_progress_is_told_and_may_stop(folder: Path) -> None:
    told: list[int] = []

    def progress(count: int) -> bool:
        told.append(count)
        return True

    with server(answering(lambda client: client.sendall(OK))) as port:
        player = Player([place(port, folder)])
        results = player.play([[exchange("pause 150ms\n" + ONE)]] * 3, jobs=1, progress=progress)
        player.close()
    assert told[0] == 0
    assert [[observations is not None for observations in session] for session in results] == [[True], [False], [False]]


def test_what_progress_raises_comes_through(folder: Path) -> None:
    def progress(count: int) -> bool:
        raise LookupError("enough")

    with server(answering(lambda client: client.sendall(OK))) as port:
        player = Player([place(port, folder)])
        with pytest.raises(LookupError, match="enough"):
            player.play([[exchange("pause 30s\n" + ONE)]], progress=progress)
        assert player.play([[exchange(ONE)]])[0][0] is not None
        player.close()


def test_ctrl_c_ends_a_run(folder: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        target = place(listening.getsockname()[1], folder)
        script = (
            "from bridgecheck.conformance._player import Player, parse\n"
            "one, = parse(b'bridgecheck-exchange 1\\nexchange one\\nconnect a\\npause 60s\\nend next\\n', 'f')\n"
            f"player = Player([{target!r}])\n"
            "try: player.play([[one]])\n"
            "except KeyboardInterrupt: player.close(); print('interrupted')\n"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
            listening.accept()[0].close()  # now it plays
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=50)[0] == "interrupted\n"
    assert not Path(target["doorbell"]).exists()


def test_nothing_is_left_open(folder: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        player = Player([place(reserved.getsockname()[1], folder)])
        player.play([[exchange("connect b\nclose\nconnect a\n" + ONE)]] * 20)
        player.close()
        player.close()
        with pytest.raises(ValueError, match="closed"):
            player.play([])
    assert descriptors() == before


# --- what is refused -------------------------------------------------------------------------------------------------------------------


def test_targets_that_cannot_be_played_to(folder: Path) -> None:
    good = place(9, folder)
    with pytest.raises(ValueError, match="needs a target"):
        Player([])
    with pytest.raises(ValueError, match="two targets at 127.0.0.1:9"):
        Player([good, good])
    with pytest.raises(OSError, match="longer than a Unix socket's may be"):
        Player([{**good, "doorbell": str(folder / ("b" * 108))}])
    with pytest.raises(OSError, match="is no address"):
        Player([{**good, "host": "localhost"}])
    with pytest.raises(RuntimeError, match="nowhere"):
        Player([{**good, "trace": str(folder / "nowhere")}])
    with pytest.raises(ValueError, match="patience"):
        Player([good], patience=0)
    assert not Path(good["doorbell"]).exists()


def test_a_bell_that_was_left_behind_is_taken_over_and_a_file_is_not(folder: Path) -> None:
    target = place(9, folder)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(target["doorbell"])
    Player([target]).close()
    Path(target["doorbell"]).write_text("mine")
    with pytest.raises(OSError, match="Address already in use"):
        Player([target])
    assert Path(target["doorbell"]).read_text() == "mine"


def test_a_file_that_does_not_fit_names_the_place() -> None:
    with pytest.raises(ExchangeError, match=r"^file.exchange:4:3: ") as raised:
        exchanges("exchange one\nsend\n+ \\q\nend next\n")
    assert (raised.value.file, raised.value.line) == ("file.exchange", 4)


def test_an_exchange_tells_what_it_would_send() -> None:
    text = "exchange two\nrules: R-1\nabout: two requests\nconnect a\n"
    text += "send split 4\n> POST /a?b HTTP/1.1\n> Host: a\n> Content-Length: 3\n>\n* 3 x\nconnect b\n"
    text += GET.format(path="/b") + "wait body 3\npause 5ms\nend close\n"
    (one,) = exchanges("# before\n" + text)
    assert (one.name, one.session, one.line, one.alone) == ("two", "", 3, False)
    assert one.text == text.encode().rstrip(b"\n")
    assert one.meta == {"rules": "R-1", "about": "two requests"}
    assert one.requests == [(b"POST", b"/a?b"), (b"GET", b"/b")]
    assert one.sends == len(b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxxx" + b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
    assert one.steps[1] == (7, "send", b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxxx")
    assert [kind for _, kind, _ in one.steps] == ["connect a", "send", "connect b", "send", "wait body", "pause 5ms"]


def test_instances_compare_by_type_and_value() -> None:
    assert Instance("a", [1]) == Instance("a", [1])
    assert Instance("a", 1) != Instance("b", 1)
    assert Instance("a", 1) != 1
    assert repr(Instance("mod.Type", b"x")) == "<mod.Type b'x'>"
