"""The player as Python sees it, against servers of a few lines that behave as no server should; and what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bridgecheck.conformance._player import ExchangeError, Instance, Player

from .few_lines import ALIKE, alone, answering, bodies, ends, exchange, exchanges, head_of, marked, place, server, statuses

GET = "send\n> GET {path} HTTP/1.1\n> Host: a\n>\n"
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
