"""The cart: it lives in a signed cookie, and nothing is kept of it here."""

import sqlite3
from typing import Annotated

from fastapi import APIRouter, Cookie, Depends, Response
from pydantic import BaseModel, Field

from .items import find_item
from .state import Connection, Currency, Signing

router = APIRouter(prefix="/cart", tags=["cart"])

WEEK = 7 * 24 * 60 * 60


class NewLine(BaseModel):
    item_id: int = Field(ge=1, le=2**63 - 1)
    quantity: int = Field(default=1, ge=1, le=99)


class Line(BaseModel):
    item_id: int
    name: str
    price: int
    quantity: int


class Cart(BaseModel):
    lines: list[Line]
    total: int
    currency: str


def get_quantities(signer: Signing, cart: Annotated[str | None, Cookie()] = None) -> dict[int, int]:
    """Item id to quantity. A cookie that is not ours is no cart."""
    value = signer.verify("cart", cart) if cart else None
    return {int(item_id): int(quantity) for item_id, quantity in (line.split("x") for line in value.split("-"))} if value else {}


Quantities = Annotated[dict[int, int], Depends(get_quantities)]


def set_cookies(response: Response, signer: Signing, quantities: dict[int, int]) -> None:
    """One cookie for the server, and one with the number of pieces for the page's script."""
    age = WEEK if quantities else 0
    value = signer.sign("cart", "-".join(f"{item_id}x{quantity}" for item_id, quantity in quantities.items())) if quantities else ""
    response.set_cookie("cart", value, max_age=age, httponly=True)
    response.set_cookie("cart_size", str(sum(quantities.values())), max_age=age)


def read_cart(connection: sqlite3.Connection, quantities: dict[int, int], currency: str) -> Cart:
    lines = []
    for item_id, quantity in quantities.items():
        item = find_item(connection, item_id)
        lines.append(Line(item_id=item_id, name=item.name, price=item.price, quantity=quantity))
    return Cart(lines=lines, total=sum(line.price * line.quantity for line in lines), currency=currency)


@router.get("")
def get_cart(quantities: Quantities, connection: Connection, currency: Currency) -> Cart:
    return read_cart(connection, quantities, currency)


@router.post("/lines")
def add_to_cart(
    new: NewLine, quantities: Quantities, connection: Connection, currency: Currency, signer: Signing, response: Response
) -> Cart:
    find_item(connection, new.item_id)
    quantities[new.item_id] = quantities.get(new.item_id, 0) + new.quantity
    set_cookies(response, signer, quantities)
    return read_cart(connection, quantities, currency)


@router.delete("", status_code=204)
def empty_cart(signer: Signing, response: Response) -> None:
    set_cookies(response, signer, {})
