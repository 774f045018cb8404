"""One client's use of the demo shop, recorded on its way and written down as a browser's HAR, and played to a shop that signs with another
key and has other orders and reviews: it fits with what answers give then, and is said not to fit without."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from .proxied import recording, shop

STATUSES = [200, 303, 200, 200, 200, 200, 201, 200, 200, 304]
CARRIED = [
    "csrf from Set-Cookie of GET /contact → 1 request",
    "token from Set-Cookie of GET /contact → 1 request",
    "cart from Set-Cookie of POST /cart/lines → 4 requests",
    "cart_size from Set-Cookie of POST /cart/lines → 4 requests",
    "bearer from the content of POST /login → 5 requests",
    "order-id from Location of POST /orders → 1 request",
    "etag from ETag of GET /search → 1 request",
]


class Har:
    """What a browser's network panel writes of each answer: the content decoded, whatever the fields say."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def add(self, answer: httpx.Response) -> None:
        """A hook of a client."""
        answer.read()
        asked = answer.request
        request = {"method": asked.method, "url": str(asked.url), "httpVersion": "HTTP/1.1", "headers": _pairs(asked.headers)}
        if asked.content:
            request["postData"] = {"mimeType": asked.headers["Content-Type"], "text": asked.content.decode()}
        content = {"size": len(answer.content), "mimeType": answer.headers.get("Content-Type", ""), "text": answer.text}
        response = {"status": answer.status_code, "headers": _pairs(answer.headers), "content": content}
        started = datetime.now(UTC).isoformat()
        self.entries.append({"startedDateTime": started, "pageref": "page_1", "request": request, "response": response})

    def text(self) -> str:
        return json.dumps({"log": {"version": "1.2", "creator": {"name": "a browser", "version": "1"}, "entries": self.entries}})


def _pairs(headers: httpx.Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.multi_items()]


def log_in(client: httpx.Client) -> httpx.Response:
    answer = client.post("/login", data={"username": "grace", "password": "grace-password"})
    client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
    return answer


def use_before(base: str) -> None:
    """So that the number of an order and the tag of a search are others in the recording."""
    with httpx.Client(base_url=base) as client:
        log_in(client)
        client.post("/cart/lines", json={"item_id": 17})
        assert client.post("/orders").status_code == 201
        assert client.post("/items/17/reviews", json={"stars": 5, "text": "What a pencil"}).status_code == 201


def go_shopping(base: str, har: Har) -> list[int]:
    with httpx.Client(base_url=base, event_hooks={"response": [har.add]}) as client:
        answers = [page := client.get("/contact")]
        token = page.text.partition('name="token" value="')[2].partition('"')[0]
        answers.append(client.post("/contact", data={"token": token, "name": "Grace", "message": "Is it open?"}))
        answers.append(client.post("/cart/lines", json={"item_id": 16, "quantity": 2}))
        answers.append(client.get("/cart"))
        answers.append(log_in(client))
        answers.append(client.get("/me"))
        answers.append(order := client.post("/orders"))
        answers.append(client.get(order.headers["Location"]))
        answers.append(found := client.get("/search", params={"q": "pencil"}))
        answers.append(client.get("/search", params={"q": "pencil"}, headers={"If-None-Match": found.headers["ETag"]}))
    return [answer.status_code for answer in answers]


def bridgecheck(*words: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridgecheck", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With recorded.exchange and, of the same use, imported.exchange."""
    folder = tmp_path_factory.mktemp("shopping")
    har = Har()
    with shop(folder) as address:
        use_before(f"http://{address[0]}:{address[1]}")
        with recording(address, folder / "recorded.exchange") as proxy:
            assert go_shopping(f"http://{proxy.listen}", har) == STATUSES
            assert proxy.end()[0] == 0
    (folder / "shop.har").write_text(har.text())
    words = ["import", "shop.har", "-o", "imported.exchange"]
    done = bridgecheck(*words, cwd=folder, BRIDGECHECK_SECRET_PASSWORD="grace-password")
    assert (done.returncode, done.stderr) == (0, f"{len(STATUSES)} exchanges in imported.exchange\n")
    return folder


def gate(folder: Path, traffic: str, *options: str) -> subprocess.CompletedProcess[str]:
    words = ["gate", "bridgecheck.demo.shop:app", "--candidate", "uvicorn", "--taps", "recorded", "--traffic", traffic]
    return bridgecheck(*words, *options, cwd=folder, SHOP_SECRET="another")


def test_nothing_of_a_secret_is_in_what_was_imported(folder: Path) -> None:
    text = (folder / "imported.exchange").read_text()
    whole = (folder / "shop.har").read_text()
    signed = set(re.findall(r"[0-9a-z]+\.[0-9a-f]{32}", whole))
    assert len(signed) == 3  # the form's, the cart's, the login's
    assert [secret for secret in signed if secret in text] == []


@pytest.mark.slow
@pytest.mark.parametrize("traffic", ["recorded.exchange", "imported.exchange"])
def test_it_fits_with_what_answers_give_then(folder: Path, traffic: str) -> None:
    """One status of ten that is another one would be too many for a verdict."""
    done = gate(folder, traffic)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((folder / "bridgecheck-report" / "report.json").read_text())
    assert report["verdict"] == "same"
    assert report["carried"] == CARRIED


@pytest.mark.slow
@pytest.mark.parametrize("traffic", ["recorded.exchange", "imported.exchange"])
def test_it_does_not_fit_without(folder: Path, traffic: str) -> None:
    done = gate(folder, traffic, "--no-carry")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the reference gave the recorded status in 5 of 10 exchanges" in done.stderr
