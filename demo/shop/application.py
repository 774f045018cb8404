"""The app itself: lifespan, middleware and which routers it is made of."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from starlette.concurrency import run_in_threadpool

from . import (
    accounts,
    addresses,
    admin,
    cart,
    chat,
    contact,
    items,
    manuals,
    operations,
    orders,
    outbox,
    pages,
    pictures,
    prices,
    reviews,
    search,
    stock,
)
from .assets import Assets
from .database import Database
from .signing import Signer
from .state import State


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    """Read the environment here and not at import, so that a test or a second server can choose its own.

    Without SHOP_DATABASE the file lasts as long as the process: two shops on one machine never share one by chance.
    """
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        database = Database(os.environ.get("SHOP_DATABASE") or os.path.join(folder, "shop.sqlite"))
        await run_in_threadpool(database.prepare)
        yield {
            "database": database,
            "signer": Signer(os.environ.get("SHOP_SECRET", "demo-secret")),
            "currency": os.environ.get("SHOP_CURRENCY", "EUR"),
            "rooms": chat.Rooms(),
        }


app = FastAPI(title="Shop", version="1.0.0", lifespan=lifespan)
app.add_middleware(GZipMiddleware, minimum_size=1000)
app.add_middleware(
    CORSMiddleware,
    allow_origins=["http://localhost:3000"],
    allow_credentials=True,
    allow_methods=["GET", "POST", "PATCH", "DELETE"],
    allow_headers=["Authorization", "Content-Type"],
    expose_headers=["X-Total-Count"],
)

GOODS = (pages, items, pictures, manuals, reviews, search, stock, prices)
PEOPLE = (accounts, addresses, cart, orders, outbox, chat, contact, admin, operations)
for noun in (*GOODS, *PEOPLE):
    app.include_router(noun.router)
app.mount("/static", Assets(directory=pages.FOLDER), name="static")
