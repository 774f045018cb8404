"""Each test has a shop of its own: a fresh database file and a client that ran the lifespan."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bridgecheck.demo.shop import app

LogIn = Callable[..., dict[str, str]]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "shop.sqlite"
    monkeypatch.setenv("SHOP_DATABASE", str(path))
    monkeypatch.delenv("SHOP_SECRET", raising=False)
    return path


@pytest.fixture
def client(database: Path) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


@pytest.fixture
def log_in(client: TestClient) -> LogIn:
    """Log in by name; the answer is the field that shows who asks."""

    def log_in(name: str, at: TestClient = client) -> dict[str, str]:
        answer = at.post("/login", data={"username": name, "password": f"{name}-password"})
        assert answer.status_code == 200
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    return log_in


@pytest.fixture
def staff(log_in: LogIn) -> dict[str, str]:
    return log_in("ada")


@pytest.fixture
def customer(log_in: LogIn) -> dict[str, str]:
    return log_in("grace")
