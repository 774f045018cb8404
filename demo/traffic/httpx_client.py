"""What programs do to a shop with httpx, which is at the address in SHOP. "kept-alive": several requests on one connection."""

import asyncio
import os
import sys
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
    order_something()
    keep_stock()
