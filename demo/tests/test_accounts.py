from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from bridgecheck.demo.shop import app

LogIn = Callable[..., dict[str, str]]


def test_log_in_and_ask_who_one_is(client: TestClient, staff: dict[str, str]) -> None:
    assert client.get("/me", headers=staff).json() == {"name": "ada", "staff": True}


def test_the_same_token_every_time(log_in: LogIn) -> None:
    assert log_in("grace") == log_in("grace")
    assert log_in("grace") != log_in("ada")


def test_another_secret_makes_another_token(log_in: LogIn, customer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", "another one")
    with TestClient(app) as other:
        assert other.get("/me", headers=customer).status_code == 401
        assert log_in("grace", at=other) != customer


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", "nobody-password")])
def test_a_wrong_password(client: TestClient, name: str, password: str) -> None:
    answer = client.post("/login", data={"username": name, "password": password})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_log_in_without_a_password(client: TestClient) -> None:
    answer = client.post("/login", data={"username": "ada"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "password"]


def test_no_token(client: TestClient) -> None:
    answer = client.get("/me")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("token", ["ada", "ada.", "ada.00", "nobody.\u00e9"])
def test_a_forged_token(client: TestClient, token: str) -> None:
    answer = client.get("/me", headers={"Authorization": f"Bearer {token}".encode("latin-1")})
    assert (answer.status_code, answer.json()) == (401, {"detail": "not a valid token"})
