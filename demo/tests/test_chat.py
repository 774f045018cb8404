import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect


def test_what_one_says_all_in_the_room_hear(client: TestClient) -> None:
    with client.websocket_connect("/chat/one?name=ada") as ada, client.websocket_connect("/chat/two?name=tony") as tony:
        assert ada.receive_json() == {"room": "one", "joined": "ada"}
        assert tony.receive_json() == {"room": "two", "joined": "tony"}
        with client.websocket_connect("/chat/one?name=ken") as ken:
            assert ada.receive_json() == ken.receive_json() == {"room": "one", "joined": "ken"}
            assert client.get("/chat").json() == {"rooms": {"one": 2, "two": 1}}
            ken.send_text("hello")
            assert ada.receive_json() == ken.receive_json() == {"room": "one", "from": "ken", "text": "hello"}
            tony.send_text("/who")
            assert tony.receive_json() == {"room": "two", "size": 1}
            ken.send_text("/quit")
            assert ken.receive()["code"] == 1000
        assert ada.receive_json() == {"room": "one", "left": "ken"}
    assert client.get("/chat").json() == {"rooms": {}}


@pytest.mark.parametrize(("message", "code"), [(b"bytes", 1003), ("y" * 501, 1009), ("/quit", 1000)])
def test_how_the_shop_ends_a_talk(client: TestClient, message: str | bytes, code: int) -> None:
    with client.websocket_connect("/chat/room?name=ada") as socket:
        socket.receive_json()
        socket.send_bytes(message) if isinstance(message, bytes) else socket.send_text(message)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == code


@pytest.mark.parametrize("name", ["", "?name=", "?name=not%20a%20name", "?name=" + "x" * 21])
def test_nobody_comes_in_without_a_name(client: TestClient, name: str) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"/chat/room{name}"):
        pass


def test_the_subprotocol_is_chosen_where_it_is_offered(client: TestClient) -> None:
    for offered, chosen in ((["chat.v0", "chat.v1"], "chat.v1"), (["chat.v0"], None), ([], None)):
        with client.websocket_connect("/chat/room?name=ada", subprotocols=offered) as socket:
            assert socket.accepted_subprotocol == chosen
