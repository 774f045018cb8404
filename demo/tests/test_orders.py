from datetime import UTC, datetime

from starlette.testclient import TestClient

from bridgecheck.demo.shop.signing import Signer


def test_a_cart_in_two_cookies(client: TestClient) -> None:
    answer = client.post("/cart/lines", json={"item_id": 1, "quantity": 2})
    first, second = answer.headers.get_list("set-cookie")
    assert first.startswith("cart=1x2.") and "HttpOnly" in first
    assert second == "cart_size=2; Max-Age=604800; Path=/; SameSite=lax"
    assert answer.json() == {"lines": [{"item_id": 1, "name": "Teapot", "price": 2950, "quantity": 2}], "total": 5900, "currency": "EUR"}


def test_the_cart_grows(client: TestClient) -> None:
    for item_id in (1, 4, 1):
        client.post("/cart/lines", json={"item_id": item_id})
    cart = client.get("/cart").json()
    assert [(line["item_id"], line["quantity"]) for line in cart["lines"]] == [(1, 2), (4, 1)]
    assert cart["total"] == 2 * 2950 + 850


def test_nothing_unknown_in_the_cart(client: TestClient) -> None:
    answer = client.post("/cart/lines", json={"item_id": 999})
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers


def test_a_forged_cart_is_empty(client: TestClient) -> None:
    token = Signer("demo-secret").sign("token", "1x1")
    for cookie in ("1x99", "1x99.00", token):
        assert client.get("/cart", headers={"Cookie": f"cart={cookie}"}).json()["lines"] == []


def test_empty_the_cart(client: TestClient) -> None:
    client.post("/cart/lines", json={"item_id": 1})
    answer = client.delete("/cart")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/cart").json()["lines"] == []


def test_order_what_is_in_the_cart(client: TestClient, customer: dict[str, str]) -> None:
    before = datetime.now(UTC)
    client.post("/cart/lines", json={"item_id": 2, "quantity": 3})
    answer = client.post("/orders", headers=customer)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/orders/1"
    order = answer.json()
    assert (order["number"], order["total"]) == (1, 10200)
    assert before <= datetime.fromisoformat(order["created_at"]) <= datetime.now(UTC)
    assert client.get("/items/2").json()["stock"] == 5
    assert client.get("/cart").json()["lines"] == []
    assert client.get("/orders/1", headers=customer).json() == order


def test_orders_are_numbered_per_customer(client: TestClient, customer: dict[str, str], staff: dict[str, str]) -> None:
    for who in (customer, staff, customer):
        client.post("/cart/lines", json={"item_id": 4})
        assert client.post("/orders", headers=who).status_code == 201
    assert [order["number"] for order in client.get("/orders", headers=customer).json()] == [1, 2]
    assert client.get("/orders/2", headers=staff).status_code == 404


def test_not_enough_in_stock_changes_nothing(client: TestClient, customer: dict[str, str]) -> None:
    client.post("/cart/lines", json={"item_id": 1, "quantity": 5})
    client.post("/cart/lines", json={"item_id": 8, "quantity": 5})
    answer = client.post("/orders", headers=customer)
    assert (answer.status_code, answer.json()) == (409, {"detail": "not enough of item 8"})
    assert client.get("/items/1").json()["stock"] == 12
    assert client.get("/orders", headers=customer).json() == []


def test_an_empty_cart_is_no_order(client: TestClient, customer: dict[str, str]) -> None:
    assert client.post("/orders", headers=customer).status_code == 400


def test_an_order_needs_a_customer(client: TestClient) -> None:
    client.post("/cart/lines", json={"item_id": 1})
    assert client.post("/orders").status_code == 401
