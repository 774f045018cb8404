"""The player's WebSockets as Python sees them: against uvicorn, and against servers of a few lines."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridgecheck.conformance._player import Player

from .few_lines import alone, answering, exchange, exchanges, head_of, marked, server
from .test_player import uvicorn
from .watched import until

if TYPE_CHECKING:
    from bridgecheck.conformance._player import Observation, WebSocket

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = f"""send
> GET /chat HTTP/1.1
> Host: a
> Upgrade: websocket
> Connection: Upgrade
> Sec-WebSocket-Key: {KEY.decode()}
> Sec-WebSocket-Version: 13
>
"""
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n"
MASK = bytes.fromhex("37fa213d")


def masked(payload: bytes) -> bytes:
    return MASK + bytes(octet ^ MASK[place % 4] for place, octet in enumerate(payload))


def read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise ConnectionResetError
        data += more
    return data


def ping_of(client: socket.socket) -> bytes:
    """The payload of a masked ping."""
    head = read(client, 2)
    assert head[0] == 0x89
    return bytes(octet ^ MASK[place % 4] for place, octet in enumerate(read(client, (head[1] & 127) + 4)[4:]))


def pong(payload: bytes) -> bytes:
    return b"\x8a" + bytes([len(payload)]) + payload


def opening(talk: Callable[[socket.socket], None], fields: bytes = b"") -> Callable[[socket.socket], None]:
    """A server with an observer that answers every other request by opening a WebSocket."""

    def serve(client: socket.socket) -> None:
        head = head_of(client)
        if b"bridgecheck-next" in head:
            client.sendall(marked(head))
        else:
            client.sendall(SWITCH + fields + b"\r\n")
            talk(client)

    return serve


def websocket(observation: Observation) -> WebSocket:
    found = observation["connections"][0]["websocket"]
    assert found is not None
    return found


def told(observation: Observation) -> list[tuple[int, bytes]]:
    return [(message["opcode"], message["body"]["bytes"]) for message in websocket(observation)["messages"]]


def end(observation: Observation) -> str:
    return observation["connections"][0]["end"]


# --- uvicorn ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    with uvicorn(tmp_path_factory.mktemp("ws")) as target:
        patient = Player([target], patience=60)
        patient.play([[exchange("send\n> GET / HTTP/1.1\n> Host: a\n>")]])
        patient.close()
        player = Player([target], patience=2)
        yield player
        player.close()


def play(player: Player, steps: str, end: str = "end next") -> Observation:
    ((observations,),) = player.play([[exchange(HANDSHAKE + steps, end)]])
    assert observations is not None
    return observations[0]


def test_a_talk_is_told_from_both_sides(player: Player) -> None:
    steps = 'frame text more "hel"\nframe ping "p"\nframe continuation "lo"\nwait message\nframe close 1000 "done"\nwait frame close'
    observation = play(player, steps)
    assert observation["steps"] == []
    assert told(observation) == [(10, b"p"), (1, b"hello"), (8, b"\x03\xe8done")]
    assert websocket(observation)["key"] == KEY
    assert websocket(observation)["faults"] == {}
    assert end(observation) == "closed"
    (call,) = observation["calls"]
    events = [event["event"] for event in call["events"] if event["kind"] in ("received", "send")]
    assert events == [
        {"type": "websocket.connect"},
        {"type": "websocket.accept"},
        {"type": "websocket.receive", "text": "hello"},
        {"type": "websocket.send", "text": "hello"},
        {"type": "websocket.disconnect", "code": 1000, "reason": "done"},
    ]
    assert call["end"] == "returned"


def test_a_ping_at_the_end_asks_whether_it_is_open_and_leaves_no_trace(player: Player) -> None:
    observation = play(player, "frame binary a\nwait message")
    assert (end(observation), told(observation)) == ("open", [(2, b"a")])
    assert observation["calls"][0]["end"] == "still running"


def test_a_server_that_fails_the_connection_has_closed_it(player: Player) -> None:
    observation = play(player, "frame text rsv2 a\nwait frame close")
    assert observation["steps"] == []
    assert told(observation)[0][1][:2] == (1002).to_bytes(2, "big")
    assert end(observation) == "closed"


def test_the_app_may_close_first(player: Player) -> None:
    observation = play(player, "frame text bye\nwait frame close\nframe close 4001")
    assert told(observation) == [(8, b"\x0f\xa1bye")]
    assert (end(observation), observation["calls"][0]["end"]) == ("closed", "returned")


def test_deflated_messages_are_inflated(player: Player) -> None:
    steps = HANDSHAKE.rstrip(">\n") + "\n> Sec-WebSocket-Extensions: permessage-deflate\n>\n"
    steps += 'frame text rsv1 "\\xf2\\x48\\xcd\\xc9\\xc9\\x07\\x00"\nwait message\nframe close\nwait frame close'
    ((observations,),) = player.play([[exchange(steps)]])
    assert observations is not None
    assert told(observations[0])[0] == (1, b"Hello")
    assert websocket(observations[0])["messages"][0]["compressed"] is True


def test_values_stand_in_the_pieces_of_a_frame(player: Player) -> None:
    save = 'save token from field Set-Cookie between "session=" ";"'
    first, second = exchanges(
        f"session s\nexchange one\nsend\n> GET /login HTTP/1.1\n> Host: a\n>\nwait response\n{save}\nend next\n"
        f"exchange two\n{HANDSHAKE}frame text\n+ <${{token}}>\n>\n* 70000 a\nwait message\nend next\n"
    )
    ((_, observations),) = player.play([[first, second]])
    assert observations is not None
    whole = b"<s3cret>\r\n" + b"a" * 70000
    (message,) = websocket(observations[0])["messages"]
    assert (message["opcode"], message["frames"], message["body"]["length"]) == (1, 1, len(whole))
    assert whole.startswith(message["body"]["bytes"]) and message["body"]["bytes"].startswith(b"<s3cret>")
    assert observations[0]["steps"] == []
    assert second.steps[1][1:] == ("frame text", b"<>\r\n" + b"a" * 70000)
    assert second.sends == len(second.steps[0][2]) + 2 + 8 + 4 + 4 + 70000


def test_a_refused_handshake_gets_no_frames(player: Player) -> None:
    one = exchange("send\n> GET /a HTTP/1.1\n> Host: a\n>\nframe text a\nwait frame\nwait message\nframe close\nwait frame close")
    ((observations,),) = player.play([[one]])
    assert observations is not None
    (observation,) = observations
    assert [(line - one.line, fault) for line, fault in observation["steps"]] == [(line, "not a WebSocket") for line in range(5, 10)]
    assert observation["connections"][0]["websocket"] is None
    assert end(observation) == "open"  # so nothing was sent that is no request
    assert len(observation["calls"]) == 1


# --- servers of a few lines ------------------------------------------------------------------------------------------------------------


def waiting(client: socket.socket) -> None:
    """Until the other side ends."""
    while client.recv(65536):
        pass


def test_what_is_sent_is_masked_and_the_same_every_time(folder: Path) -> None:
    came: list[bytes] = []

    def talk(client: socket.socket) -> None:
        came.append(read(client, 2 + 4 + 5 + 2 + 5 + 2 + 2 + 4 + 1 + 2 + 8 + 4 + 1))
        client.sendall(b"\x88\x00")

    steps = 'frame text more rsv1 "Hello"\nframe ping unmasked "plain"\nframe continuation length16 "a"\nframe opcode 11 length64 "b"'
    with server(opening(talk)) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + steps))
    assert came == [
        b"\x41\x85"
        + masked(b"Hello")
        + b"\x89\x05plain"
        + b"\x80\xfe\x00\x01"
        + masked(b"a")
        + b"\x8b\xff\x00\x00\x00\x00\x00\x00\x00\x01"
        + masked(b"b")
    ]
    assert (told(observation), end(observation)) == ([(8, b"")], "closed")


def test_frames_in_the_segment_of_the_handshake(folder: Path) -> None:
    def serve(client: socket.socket) -> None:
        if b"bridgecheck-next" in (head := head_of(client)):
            client.sendall(marked(head))
            return
        client.sendall(SWITCH + b"\r\n\x81\x02hi\x01\x01a\x89\x00")
        client.sendall(b"\x80\x01b\x88\x00")

    with server(serve) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + "wait frame close"))
    assert told(observation) == [(1, b"hi"), (1, b"ab"), (9, b""), (8, b"")]
    assert observation["connections"][0]["rest"] == b""


def test_waits_count_for_themselves(folder: Path) -> None:
    def talk(client: socket.socket) -> None:
        client.sendall(b"\x8a\x011\x81\x01a\x02\x01b\x8a\x012\x80\x01c")
        waiting(client)

    good = "wait frame pong\nwait frame pong\nwait message\nwait message\nwait frame binary\nwait frame continuation\n" + 5 * "wait frame\n"
    with server(opening(talk)) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + good, "end open 1ms"))
        assert observation["steps"] == []
        bad = exchange(HANDSHAKE + "wait message\nwait message\nwait message within 20ms\nwait frame ping within 20ms", "end open 1ms")
        observation = alone(port, folder, bad)
    assert [fault for _, fault in observation["steps"]] == ["timed out", "timed out"]


@pytest.mark.parametrize(
    ("steps", "fault"),
    [("wait frame", "closed"), ("wait message", "closed"), ("frame text a\nwait frame close", "closed")],
)
def test_what_cannot_come_any_more_is_noted(folder: Path, steps: str, fault: str) -> None:
    with server(opening(lambda client: client.shutdown(socket.SHUT_WR))) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + steps))
    assert [fault for _, fault in observation["steps"]] == [fault]
    assert (end(observation), told(observation)) == ("closed", [])


def test_a_handshake_that_is_not_answered(folder: Path) -> None:
    with server(answering(lambda client: None)) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + "frame text a"))
    assert [fault for _, fault in observation["steps"]] == ["timed out"]
    assert end(observation) == "silent"


def test_an_upgrade_to_something_else_is_no_websocket(folder: Path) -> None:
    def answer(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\nabc")
        client.shutdown(socket.SHUT_WR)

    with server(answering(answer)) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + "frame text a"))
    assert observation["connections"][0]["websocket"] is None
    assert observation["connections"][0]["rest"] == b"abc"
    assert [fault for _, fault in observation["steps"]] == ["not a WebSocket"]


def test_a_server_that_answers_no_ping_is_silent(folder: Path) -> None:
    with server(opening(waiting)) as port:
        began = time.monotonic()
        assert end(alone(port, folder, exchange(HANDSHAKE + "wait head"))) == "silent"
    assert time.monotonic() - began < 2


def test_a_pong_of_another_kind_answers_nothing(folder: Path) -> None:
    def talk(client: socket.socket) -> None:
        ping = ping_of(client)
        client.sendall(pong(ping[:-1]) + b"\x81" + pong(ping)[1:] + pong(b""))
        waiting(client)

    with server(opening(talk)) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + "wait head"))
    assert end(observation) == "silent"
    assert [opcode for opcode, _ in told(observation)] == [10, 1, 10]


@pytest.mark.parametrize("steps", ["frame close 1000", "wait frame close"])
def test_where_either_side_closes_nothing_is_asked(folder: Path, steps: str) -> None:
    came: list[bytes] = []

    def talk(client: socket.socket) -> None:
        if steps == "wait frame close":
            client.sendall(b"\x88\x00")
        while piece := client.recv(100):
            came.append(piece)

    with server(opening(talk)) as port:
        assert end(alone(port, folder, exchange(HANDSHAKE + steps))) == "silent"
    assert b"".join(came) == (b"\x88\x82" + masked(b"\x03\xe8") if steps == "frame close 1000" else b"")


@pytest.mark.parametrize(
    ("frame", "sends", "expected"),
    [("text a", b"\x81\x01a", "reset"), ("text a", b"\x88\x00", "closed"), ("close a", b"\x81\x01a", "closed")],
)
def test_a_reset_counts_as_closed_behind_a_close_frame_alone(folder: Path, frame: str, sends: bytes, expected: str) -> None:
    def talk(client: socket.socket) -> None:
        read(client, 2 + 4 + 1)
        client.sendall(sends)
        time.sleep(0.05)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with server(opening(talk)) as port:
        assert end(alone(port, folder, exchange(f"{HANDSHAKE}frame {frame}\nwait closed"))) == expected


def test_the_servers_fin_is_answered(folder: Path) -> None:
    def talk(client: socket.socket) -> None:
        client.sendall(b"\x88\x00")
        client.shutdown(socket.SHUT_WR)
        came.append(client.recv(1))

    came: list[bytes] = []
    with server(opening(talk)) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + "wait frame close"))
    assert end(observation) == "closed"
    assert until(lambda: came, 5) == [b""]


def test_two_sockets_are_asked_at_once(folder: Path) -> None:
    def talk(client: socket.socket) -> None:
        time.sleep(0.05)
        client.sendall(pong(ping_of(client)))
        waiting(client)

    steps = f"connect a\n{HANDSHAKE}wait head\nconnect b\n{HANDSHAKE}wait head"
    with server(opening(talk)) as port:
        observation = alone(port, folder, exchange(steps))
    assert [connection["end"] for connection in observation["connections"]] == ["open", "open"]
    assert [connection["websocket"]["messages"] for connection in observation["connections"]] == [[], []]  # type: ignore[index]


def test_what_was_agreed_is_obeyed(folder: Path) -> None:
    def deflated(data: bytes) -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        return b"\xc1" + bytes([len(packed)]) + packed

    def talk(client: socket.socket) -> None:
        client.sendall(deflated(b"one") + deflated(b"two") + b"\x88\x00")

    agreed = b"sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n"
    with server(opening(talk, agreed)) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + "wait frame close"))
        assert told(observation) == [(1, b"one"), (1, b"two"), (8, b"")]
    with server(opening(talk)) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + "wait frame close"))
    assert websocket(observation)["faults"] == {"reserved-bits": 2}


def test_an_endless_stream_of_messages_is_cut(folder: Path) -> None:
    def talk(client: socket.socket) -> None:
        client.sendall(5000 * b"\x81\x01a")

    with server(opening(talk)) as port:
        observation = alone(port, folder, exchange(HANDSHAKE + "wait frame close"))
    assert websocket(observation)["error"] == "MESSAGES_TOO_MANY"
    assert len(websocket(observation)["messages"]) == 4096


def test_a_step_is_shown_as_it_is_written() -> None:
    text = 'exchange a\nframe text more rsv1 "h\\xe9"\nframe close 1000 "bye"\nframe ping\nwait frame close\nwait message\nend next\n'
    (one,) = exchanges(text)
    assert [kind for _, kind, _ in one.steps] == text.splitlines()[1:-1]
    assert one.sends == (2 + 4 + 2) + (2 + 4 + 5) + (2 + 4)
    assert one.requests == []
