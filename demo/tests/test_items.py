import pytest
from starlette.testclient import TestClient

BREAD_BIN = {"name": "Bread bin", "price": 4200, "stock": 3, "tags": ["kitchen", "steel"]}


def test_an_item_by_id(client: TestClient) -> None:
    answer = client.get("/items/3")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": 3,
        "name": "Café press",
        "description": "Glass and steel, for three cups",
        "price": 2790,
        "stock": 20,
        "tags": ["glass", "kitchen", "steel"],
    }


def test_an_item_that_is_not_there(client: TestClient) -> None:
    answer = client.get("/items/999")
    assert (answer.status_code, answer.json()) == (404, {"detail": "no item 999"})


@pytest.mark.parametrize(
    ("path", "kind"), [("/items/teapot", "int_parsing"), ("/items/0", "greater_than_equal"), (f"/items/{2**63}", "less_than_equal")]
)
def test_an_id_that_is_none(client: TestClient, path: str, kind: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert [problem["type"] for problem in answer.json()["detail"]] == [kind]


def test_a_page_of_items(client: TestClient) -> None:
    answer = client.get("/items", params={"limit": 3, "offset": 4})
    assert [item["id"] for item in answer.json()["items"]] == [5, 6, 7]
    assert answer.json()["total"] == 24
    assert answer.headers["X-Total-Count"] == "24"


def test_repeated_tags_are_all_asked_for(client: TestClient) -> None:
    answer = client.get("/items?tag=kitchen&tag=steel&sort=-price")
    assert [item["name"] for item in answer.json()["items"]] == ["Kettle", "Café press", "Bread knife", "Käsehobel"]


def test_search_looks_into_name_and_description(client: TestClient) -> None:
    answer = client.get("/items", params={"search": "TEA", "sort": "name"})
    assert [item["name"] for item in answer.json()["items"]] == ["Flask", "Teapot"]


def test_an_unknown_sort_order(client: TestClient) -> None:
    answer = client.get("/items?sort=colour&limit=0")
    assert answer.status_code == 422
    assert sorted(problem["loc"][1] for problem in answer.json()["detail"]) == ["limit", "sort"]


def test_create_an_item(client: TestClient, staff: dict[str, str]) -> None:
    answer = client.post("/items", json=BREAD_BIN, headers=staff)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/items/25"
    assert client.get("/items/25").json() == {**BREAD_BIN, "id": 25, "description": None}


def test_an_item_with_everything_wrong(client: TestClient, staff: dict[str, str]) -> None:
    answer = client.post("/items", json={"name": "", "price": -1, "tags": ["Not A Tag"]}, headers=staff)
    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", "name"], ["body", "price"], ["body", "tags", 0]]


def test_json_must_be_called_json(client: TestClient, staff: dict[str, str]) -> None:
    answer = client.post("/items", content=b'{"name": "Bread bin", "price": 1}', headers={**staff, "Content-Type": "text/plain"})
    assert answer.status_code == 422


def test_a_name_is_given_once(client: TestClient, staff: dict[str, str]) -> None:
    answer = client.post("/items", json={**BREAD_BIN, "name": "Teapot"}, headers=staff)
    assert (answer.status_code, answer.json()) == (409, {"detail": "there is a Teapot already"})


def test_only_staff_creates_items(client: TestClient, customer: dict[str, str]) -> None:
    assert client.post("/items", json=BREAD_BIN).status_code == 401
    assert client.post("/items", json=BREAD_BIN, headers=customer).status_code == 403
    assert client.get("/items").json()["total"] == 24


def test_change_only_the_price(client: TestClient, staff: dict[str, str]) -> None:
    answer = client.patch("/items/2", json={"price": 3500}, headers=staff)
    assert (answer.json()["price"], answer.json()["stock"]) == (3500, 8)


def test_delete_an_item(client: TestClient, staff: dict[str, str]) -> None:
    answer = client.delete("/items/1", headers=staff)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/items/1").status_code == 404
    assert client.get("/items/1/picture").status_code == 404
    assert client.delete("/items/1", headers=staff).status_code == 404


def test_the_old_address(client: TestClient) -> None:
    answer = client.get("/catalogue/7")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/items/7")


def test_a_slash_too_many(client: TestClient) -> None:
    answer = client.get("/items/?limit=2")
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://testserver/items?limit=2")
