"""What programs do to a shop with httpx, which is at the address in SHOP. "kept-alive": several requests on one connection."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator

import httpx

SHOP = os.environ["SHOP"]


def log_in(client: httpx.Client, name: str) -> None:
    answer = client.post("/login", data={"username": name, "password": f"{name}-password"})
    client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"


def order_something() -> None:
    with httpx.Client(base_url=SHOP) as client:
        client.get("/items", params={"tag": "office", "search": "pencil", "sort": "price"})
        client.post("/cart/lines", json={"item_id": 16, "quantity": 2})
        client.post("/cart/lines", json={"item_id": 17})
        client.post("/cart/lines", json={"item_id": 17, "quantity": 0})
        client.get("/cart")
        client.post("/orders")
        log_in(client, "grace")
        client.post("/orders")
        client.get("/orders")
        client.get("/orders/7")


def keep_stock() -> None:
    def lines() -> Iterator[bytes]:
        yield b"21,80\n"
        yield b"20,"
        yield b"15\n"

    with httpx.Client(base_url=SHOP) as client:
        log_in(client, "ada")
        client.post(
            "/items/20/picture", files={"picture": ("Umschläge.png", bytes(range(256)) * 8, "image/png")}, data={"caption": "Umschläge"}
        )
        client.post("/items/20/picture", files={"picture": ("list.txt", b"not a picture", "text/plain")})
        client.post("/stock/import", content=lines())
        client.post("/stock/import", content=b"21,many\n")
        with client.stream("GET", "/items/3/picture") as answer:
            for _ in answer.iter_bytes():
                pass
        client.delete("/cart")


def page_through() -> None:
    """A program that reads everything there is, by the links that it is given, and later asks what has changed."""
    with httpx.Client(base_url=SHOP) as client:
        for path in ("/items/3/reviews?limit=4", "/search?q=er&size=4"):
            while path:
                answer = client.get(path).raise_for_status()
                path = answer.links.get("next", {}).get("url", "")
            client.get(answer.url, headers={"If-None-Match": answer.headers.get("ETag", '"none"')})
        client.get("/search", params={"q": "nothing of that name"})
        client.get("/search", params={"q": "steel", "page": 0, "size": 51})
        for offset in range(0, 30, 6):
            client.get("/items", params={"limit": 6, "offset": offset, "sort": "-price"})
        for item in (1, 2, 11, 22):
            client.get(f"/items/{item}")
            client.get(f"/items/{item}/reviews")
            client.get(f"/items/{item}/manual")


def keep_copies() -> None:
    """A cache: it asks with tag and date, and goes on with downloads where they broke off."""
    with httpx.Client(base_url=SHOP) as client:
        for path in ("/static/shop.js", "/static/shop.css", "/static/item.html", "/items/11/manual"):
            first = client.get(path)
            client.get(path, headers={"If-None-Match": first.headers["ETag"]})
            client.get(path, headers={"If-Modified-Since": first.headers["Last-Modified"]})
            client.head(path)
        size = int(client.head("/items/11/manual", headers={"Accept-Encoding": "identity"}).headers["Content-Length"])
        for begin in range(0, size, 1000):
            client.get("/items/11/manual", headers={"Range": f"bytes={begin}-{begin + 999}", "If-Range": first.headers["ETag"]})
        client.get("/items/11/manual", headers={"Range": "bytes=10-5"})
        client.get("/items/11/manual", headers={"Range": "lines=1-5"})
        picture = client.get("/items/4/picture")
        client.get("/items/4/picture", headers={"If-None-Match": picture.headers["ETag"]})


def ask_for_receipts() -> None:
    """Work in the background: the answer names where its result will be. A moment later it is there, on a busy machine or not."""
    with httpx.Client(base_url=SHOP) as client:
        log_in(client, "donald")
        client.get("/outbox")
        client.post("/orders/1/receipt")
        for item, quantity in ((10, 3), (9, 1)):
            client.post("/cart/lines", json={"item_id": item, "quantity": quantity})
        order = client.post("/orders").raise_for_status().headers["Location"]
        for _ in range(2):
            letter = client.post(f"{order}/receipt").raise_for_status().headers["Location"]
            time.sleep(1)
            client.get(letter).raise_for_status()
        client.get("/outbox")
        client.get("/outbox/9")


def move_house() -> None:
    """An address that is changed only by who has seen the last one."""
    with httpx.Client(base_url=SHOP) as client:
        client.get("/me/address")
        log_in(client, "radia")
        client.get("/me/address")
        answer = client.put("/me/address", json={"street": "1 Bridge St", "city": "Hilo", "country": "US"}, headers={"If-None-Match": "*"})
        client.put("/me/address", json={"street": "2 Bridge St", "city": "Hilo", "country": "US"}, headers={"If-None-Match": "*"})
        client.get("/me/address", headers={"If-None-Match": answer.headers["ETag"]})
        patch = {"Content-Type": "application/json-patch+json"}
        seen = {**patch, "If-Match": answer.headers["ETag"]}
        client.patch("/me/address", json=[{"op": "replace", "path": "/street", "value": "9 Tree Rd"}], headers=patch)
        client.patch("/me/address", json=[{"op": "replace", "path": "/street", "value": "9 Tree Rd"}], headers=seen)
        client.patch("/me/address", json=[{"op": "replace", "path": "/street", "value": "3 Loop Rd"}], headers=seen)
        seen["If-Match"] = client.get("/me/address").headers["ETag"]
        client.patch("/me/address", json=[{"op": "test", "path": "/city", "value": "Oslo"}], headers=seen)
        client.patch("/me/address", json=[{"op": "remove", "path": "/street"}], headers=seen)
        client.patch("/me/address", json=[{"op": "move", "path": "/street"}], headers=seen)
        client.patch("/me/address", json={"street": "x"}, headers={"If-Match": seen["If-Match"]})
        client.delete("/me/address")
        client.delete("/me/address")


def write_reviews() -> None:
    with httpx.Client(base_url=SHOP) as client:
        client.post("/items/24/reviews", json={"stars": 5})
        log_in(client, "ken")
        for item, stars in ((24, 5), (24, 1), (23, 0), (999, 3)):
            client.post(f"/items/{item}/reviews", json={"stars": stars, "text": "Carries 18 l — and a bit more"})
        written = client.post("/items/23/reviews", json={"stars": 3, "text": "é" * 1000}).headers["Location"]
        client.get("/items/23/reviews")
        client.get(written)
        client.delete(written)
        client.get(written)
        client.post("/items/23/reviews", content=b'{"stars": ', headers={"Content-Type": "application/json"})


def write_to_the_shop() -> None:
    """The contact form with its cookie, and what the staff sees of it."""
    with httpx.Client(base_url=SHOP, follow_redirects=True) as client:
        page = client.get("/contact").text
        token = page.partition('name="token" value="')[2].partition('"')[0]
        client.post("/contact", data={"token": token, "name": "Ken <ken@example.test>", "message": "Where is my <b>order</b>?"})
        client.post("/contact", data={"token": token, "name": "Ken", "message": "again, with the same form"})
        client.post("/contact", data={"name": "Ken"})
        client.get("/admin", auth=("ada", "ada-password"))
        client.get("/admin", auth=("nobody", "ä"))
        with client.stream("GET", "/stock/events", params={"item": 5, "count": 5}) as events:
            for _ in events.iter_lines():
                pass
        client.get("/chat")
        client.get("/about")


async def look_around() -> None:
    """Several connections at once, each used more than once."""

    async def lines() -> AsyncIterator[bytes]:
        yield b'{"item_id": 24, '
        yield b'"quantity": 1}'

    async with httpx.AsyncClient(base_url=SHOP) as client:
        await asyncio.gather(client.get("/items/22"), client.get("/stock/export", params={"last_id": 4}))
        await asyncio.gather(client.get("/items/24"), client.options("/items", headers={"Origin": "http://localhost:3000"}))
        await client.post("/cart/lines", content=lines(), headers={"Content-Type": "application/json"})


if sys.argv[1:] == ["kept-alive"]:
    asyncio.run(look_around())
else:
    for task in (
        order_something,
        keep_stock,
        page_through,
        keep_copies,
        ask_for_receipts,
        move_house,
        write_reviews,
        write_to_the_shop,
    ):
        task()
