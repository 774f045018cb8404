"""What belongs to a customer: the address, letters, and the way to write to the shop."""

from starlette.testclient import TestClient

ADDRESS = {"street": "1 Bridge St", "city": "Hilo", "country": "US", "note": None}


def patch(client: TestClient, who: dict[str, str], tag: str | None, *operations: dict[str, str]) -> tuple[int, str | None]:
    fields = {**who, "Content-Type": "application/json-patch+json", **({"If-Match": tag} if tag else {})}
    answer = client.patch("/me/address", json=operations, headers=fields)
    return answer.status_code, answer.headers.get("ETag")


def test_an_address_from_first_to_last(client: TestClient, customer: dict[str, str]) -> None:
    assert client.get("/me/address", headers=customer).status_code == 404
    put = client.put("/me/address", json=ADDRESS, headers={**customer, "If-None-Match": "*"})
    assert (put.status_code, put.json()) == (201, ADDRESS)
    seen = client.get("/me/address", headers={**customer, "If-None-Match": put.headers["ETag"]})
    assert (seen.status_code, seen.headers["ETag"]) == (304, put.headers["ETag"])
    assert client.delete("/me/address", headers=customer).status_code == 204
    assert client.delete("/me/address", headers=customer).status_code == 404


def test_an_address_is_changed_by_who_has_seen_it(client: TestClient, customer: dict[str, str]) -> None:
    tag = client.put("/me/address", json=ADDRESS, headers=customer).headers["ETag"]
    for fields, status in (({}, 428), ({"If-Match": '"another"'}, 412), ({"If-None-Match": "*"}, 412), ({"If-Match": tag}, 200)):
        assert client.put("/me/address", json={**ADDRESS, "city": "Oslo"}, headers={**customer, **fields}).status_code == status


def test_an_address_is_patched_as_a_whole_or_not(client: TestClient, customer: dict[str, str]) -> None:
    tag = client.put("/me/address", json=ADDRESS, headers=customer).headers["ETag"]
    city, test = {"op": "replace", "path": "/city", "value": "Oslo"}, {"op": "test", "path": "/country", "value": "US"}
    assert patch(client, customer, None, city)[0] == 428
    assert patch(client, customer, tag, city, {"op": "test", "path": "/country", "value": "NO"})[0] == 409
    assert patch(client, customer, tag, city, {"op": "remove", "path": "/street"})[0] == 422
    assert client.get("/me/address", headers=customer).json() == ADDRESS
    status, other = patch(client, customer, tag, test, city, {"op": "add", "path": "/note", "value": "2nd floor"})
    assert (status, client.get("/me/address", headers=customer).json()) == (200, {**ADDRESS, "city": "Oslo", "note": "2nd floor"})
    assert other != tag and patch(client, customer, tag, city)[0] == 412


def test_a_patch_is_called_one(client: TestClient, customer: dict[str, str]) -> None:
    client.put("/me/address", json=ADDRESS, headers=customer)
    answer = client.patch("/me/address", json=[], headers=customer)
    assert (answer.status_code, answer.headers["Accept-Patch"]) == (415, "application/json-patch+json")


def test_a_receipt_is_written_after_the_answer(client: TestClient, customer: dict[str, str], staff: dict[str, str]) -> None:
    client.post("/cart/lines", json={"item_id": 1, "quantity": 2})
    assert client.post("/orders", headers=customer).status_code == 201
    answer = client.post("/orders/1/receipt", headers=customer)
    assert (answer.status_code, answer.headers["Location"], answer.json()["state"]) == (202, "/outbox/1", "queued")
    letter = client.get("/outbox/1", headers=customer).json()  # the client of these tests comes back when the call is over
    assert (letter["state"], letter["subject"]) == ("sent", "Your order 1")
    assert letter["text"].startswith("Dear grace,\n\n  2 x Teapot") and letter["text"].endswith("\n\nTotal: 59.00 EUR")
    assert client.get("/outbox", headers=customer).json() == [letter]
    assert client.get("/outbox/1", headers=staff).status_code == 404
    assert client.post("/orders/2/receipt", headers=customer).status_code == 404


def open_form(client: TestClient) -> str:
    return client.get("/contact").text.partition('name="token" value="')[2].partition('"')[0]


def test_write_to_the_shop(client: TestClient) -> None:
    token = open_form(client)
    answer = client.post("/contact", data={"token": token, "name": "Ken", "message": "<b>Hello</b>"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/contact?sent=true")
    assert "Thank you" in client.get("/contact?sent=true").text
    assert "<dt>Ken<dd>&lt;b&gt;Hello&lt;/b&gt;" in client.get("/admin", auth=("ada", "ada-password")).text


def test_a_form_that_is_not_ours(client: TestClient) -> None:
    form = {"name": "Mallory", "message": "forged"}
    forged, ours = "0123.00", open_form(client)
    client.cookies.clear()
    assert client.post("/contact", data={**form, "token": ours}).status_code == 403
    client.cookies.set("csrf", forged)
    assert client.post("/contact", data={**form, "token": forged}).status_code == 403
    assert open_form(client) != ours


def test_who_sees_the_staffs_page(client: TestClient) -> None:
    assert client.get("/admin").headers["WWW-Authenticate"] == 'Basic realm="shop"'
    for name, password, status in (
        ("ada", "guess", 401),
        ("nobody", "x", 401),
        ("grace", "grace-password", 403),
        ("ada", "ada-password", 200),
    ):
        assert client.get("/admin", auth=(name, password)).status_code == status
    assert "<tr><td>Flask<td>0\n" in client.get("/admin", auth=("ada", "ada-password")).text
