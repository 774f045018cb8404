"""Reviews and search: what is read page by page."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

LogIn = Callable[..., dict[str, str]]


def test_cursors_lead_through_all_reviews(client: TestClient) -> None:
    authors, path = [], "/items/3/reviews?limit=5"
    while path:
        answer = client.get(path)
        authors += [review["author"] for review in answer.json()["reviews"]]
        assert ("next" in answer.links) == (answer.json()["next"] is not None)
        path = answer.links.get("next", {}).get("url", "")
    assert authors == "Lena Kofi Jun Ivo Hana Georg Fatima Emil Dilek Chloé Boris Anna".split()


def test_a_cursor_stands_still_while_reviews_are_added(client: TestClient, customer: dict[str, str]) -> None:
    cursor = client.get("/items/3/reviews", params={"limit": 2}).json()["next"]
    assert client.post("/items/3/reviews", json={"stars": 1}, headers=customer).status_code == 201
    reviews = client.get("/items/3/reviews", params={"limit": 2, "cursor": cursor}).json()["reviews"]
    assert [review["author"] for review in reviews] == ["Jun", "Ivo"]


@pytest.mark.parametrize("cursor", ["", "7", "7.forged", "x.00"])
def test_a_forged_cursor(client: TestClient, cursor: str) -> None:
    assert client.get("/items/3/reviews", params={"cursor": cursor}).status_code == 400


def test_one_review_of_each_customer(client: TestClient, customer: dict[str, str]) -> None:
    new = {"stars": 4, "text": "Whistles"}
    answer = client.post("/items/2/reviews", json=new, headers=customer)
    assert (answer.status_code, answer.headers["Location"]) == (201, "/items/2/reviews/grace")
    assert client.get("/items/2/reviews/grace").json() == {"item_id": 2, "author": "grace", **new}
    assert client.post("/items/2/reviews", json=new, headers=customer).status_code == 409
    assert client.post("/items/1/reviews", json={"stars": 6}, headers=customer).status_code == 422
    assert client.post("/items/999/reviews", json=new, headers=customer).status_code == 404


def test_who_may_delete_a_review(client: TestClient, log_in: LogIn, staff: dict[str, str], customer: dict[str, str]) -> None:
    client.post("/items/2/reviews", json={"stars": 4}, headers=customer)
    assert client.delete("/items/2/reviews/grace", headers=log_in("edsger")).status_code == 403
    assert client.delete("/items/2/reviews/grace", headers=customer).status_code == 204
    assert client.delete("/items/2/reviews/grace", headers=customer).status_code == 404
    assert client.delete("/items/3/reviews/Anna", headers=staff).status_code == 204


def test_search_pages_are_linked(client: TestClient) -> None:
    answer = client.get("/search", params={"q": "STEEL", "size": 1, "page": 2})
    hit = {"kind": "item", "item_id": 3, "text": "Café press: Glass and steel, for three cups"}
    assert client.get("/search", params={"q": "cups", "size": 1}).json() == {"total": 2, "page": 1, "hits": [hit]}
    assert answer.json()["hits"] == []
    assert {name: link["url"][-6:] for name, link in answer.links.items()} == {"first": "size=1", "prev": "size=1", "last": "size=1"}
    answer = client.get("/search", params={"q": "cups", "size": 1})
    assert {name: link["url"] for name, link in answer.links.items()} == {
        "first": "/search?q=cups&page=1&size=1",
        "next": "/search?q=cups&page=2&size=1",
        "last": "/search?q=cups&page=2&size=1",
    }


def test_a_search_that_found_the_same(client: TestClient, customer: dict[str, str]) -> None:
    tag = client.get("/search?q=whistle").headers["ETag"]
    assert tag.startswith('W/"')
    answer = client.get("/search?q=whistle", headers={"If-None-Match": f'"other", {tag}'})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    client.post("/items/2/reviews", json={"stars": 4, "text": "Whistles indeed"}, headers=customer)
    assert client.get("/search?q=whistle", headers={"If-None-Match": tag}).status_code == 200
