"""Bodies that are not JSON: pictures, stock lists, events, pages."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bridgecheck.demo.shop import app, pages, pictures
from bridgecheck.demo.shop.seed import draw_picture


def test_download_a_picture(client: TestClient) -> None:
    answer = client.get("/items/3/picture")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == "inline; filename*=utf-8''Caf%C3%A9%20press.png"
    assert answer.content == draw_picture(3, 256)
    assert len(answer.content) == 196_947


def test_a_picture_that_one_has(client: TestClient) -> None:
    tag = client.get("/items/3/picture").headers["ETag"]
    answer = client.get("/items/3/picture", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    assert client.get("/items/1/picture", headers={"If-None-Match": tag}).status_code == 200


def test_upload_a_picture(client: TestClient, staff: dict[str, str]) -> None:
    content = bytes(range(256)) * 20
    answer = client.post("/items/5/picture", files={"picture": ("Käse.png", content, "image/png")}, data={"caption": "Käse"}, headers=staff)
    assert answer.status_code == 201
    assert answer.json() == {
        "item_id": 5,
        "filename": "Käse.png",
        "media_type": "image/png",
        "caption": "Käse",
        "size": 5120,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert client.get("/items/5/picture").content == content


def test_upload_something_else(client: TestClient, staff: dict[str, str]) -> None:
    answer = client.post("/items/5/picture", files={"picture": ("a.txt", b"text", "text/plain")}, headers=staff)
    assert (answer.status_code, answer.json()) == (415, {"detail": "text/plain is no picture"})


def test_upload_nothing(client: TestClient, staff: dict[str, str]) -> None:
    answer = client.post("/items/5/picture", data={"caption": "no file"}, headers=staff)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "picture"]


def test_upload_too_much(client: TestClient, staff: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST", 1000)
    sizes = {
        size: client.post("/items/5/picture", files={"picture": ("a.png", bytes(size), "image/png")}, headers=staff)
        for size in (1000, 1001)
    }
    assert {size: answer.status_code for size, answer in sizes.items()} == {1000: 201, 1001: 413}


def test_export_the_stock(client: TestClient) -> None:
    answer = client.get("/stock/export?last_id=3")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="stock.csv"'
    assert answer.text == "id,name,price,stock\r\n1,Teapot,2950,12\r\n2,Kettle,3400,8\r\n3,Café press,2790,20\r\n"


def test_import_the_stock_in_pieces(client: TestClient, staff: dict[str, str]) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"1,5,counted twice\n2"
        yield b",70\n\n99"
        yield b"9,1\n1,6"

    answer = client.post("/stock/import", content=pieces(), headers=staff)
    assert answer.json() == {"size": 33, "changed": 2, "unknown": 1}
    assert [client.get(f"/items/{item_id}").json()["stock"] for item_id in (1, 2)] == [6, 70]


@pytest.mark.parametrize("line", [b"1", b"1,many", b"1,-1", b"0,1", b"\xff,1", b"1,2\nx,1"])
def test_a_bad_line_imports_nothing(client: TestClient, staff: dict[str, str], line: bytes) -> None:
    answer = client.post("/stock/import", content=b"1,5\n" + line, headers=staff)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("not a line of id and count")
    assert client.get("/items/1").json()["stock"] == 12


def test_follow_the_stock(client: TestClient) -> None:
    answer = client.get("/stock/events?item=3&count=2")
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.text == (
        'event: stock\ndata: {"item": 3, "stock": 20}\nid: 1\nretry: 10000\n\nevent: stock\ndata: {"item": 3, "stock": 20}\nid: 2\n\n'
    )


def test_the_front_page_and_what_it_needs(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for path, media_type in (("/static/shop.js", "text/javascript; charset=utf-8"), ("/static/shop.css", "text/css; charset=utf-8")):
        assert f'"{path}"' in page.text
        assert client.get(path).headers["Content-Type"] == media_type


@pytest.mark.parametrize("path", ["/static/shop.js", "/items/11/manual"])
def test_files_are_asked_for_again_only_where_they_changed(client: TestClient, path: str) -> None:
    tag = client.get(path).headers["ETag"]
    answer = client.get(path, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_a_files_date_and_tag_are_not_those_of_its_copy(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or recorded traffic would fit one clone only."""
    static = next(route.app for route in app.routes if getattr(route, "name", "") == "static")
    first = client.get("/static/shop.css").headers
    copy = shutil.copytree(pages.FOLDER, tmp_path / "pages", copy_function=shutil.copyfile)
    os.utime(copy / "shop.css", (1, 1))
    monkeypatch.setattr(static, "all_directories", [copy])
    second = client.get("/static/shop.css").headers
    assert (first["ETag"], first["Last-Modified"]) == (second["ETag"], second["Last-Modified"])
    old, new = "Mon, 05 Jan 2026 09:00:00 GMT", "Sun, 04 Jan 2026 09:00:00 GMT"
    assert [client.get("/static/shop.css", headers={"If-Modified-Since": date}).status_code for date in (old, new)] == [304, 200]


def test_a_manual_in_ranges(client: TestClient) -> None:
    whole = client.get("/items/11/manual")
    assert whole.headers["Content-Disposition"] == 'attachment; filename="manual-11.txt"'
    piece = client.get("/items/11/manual", headers={"Range": "bytes=5-8"})
    assert (piece.status_code, piece.text, piece.headers["Content-Range"]) == (206, "lamp", f"bytes 5-8/{len(whole.content)}")
    assert client.get("/items/11/manual", headers={"Range": "bytes=5-8", "If-Range": '"another"'}).status_code == 200
    assert client.get("/items/11/manual", headers={"Range": "bytes=99999-"}).status_code == 416
    head = client.head("/items/11/manual")
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", whole.headers["ETag"])
    assert client.get("/items/4/manual").status_code == 404
