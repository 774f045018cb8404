"""A customer's address: put whole, patched field by field (JSON Patch), and changed only by who has seen the last one."""

import sqlite3
from typing import Annotated, Literal

from fastapi import APIRouter, Header, HTTPException, Response, status
from pydantic import BaseModel, Field

from .accounts import Customer
from .conditional import IfMatch, IfNoneMatch, entity_tag, names
from .state import Connection

router = APIRouter(prefix="/me/address", tags=["addresses"])

JSON_PATCH = "application/json-patch+json"


class Address(BaseModel):
    street: str = Field(min_length=1, max_length=80)
    city: str = Field(min_length=1, max_length=80)
    country: str = Field(pattern="^[A-Z]{2}$")
    note: str | None = Field(default=None, max_length=200)


class Operation(BaseModel):
    op: Literal["add", "replace", "remove", "test"]
    path: Literal["/street", "/city", "/country", "/note"]
    value: str | None = None


def tag_of(address: Address) -> str:
    return entity_tag(address.model_dump_json().encode())


def find_address(connection: sqlite3.Connection, customer: str) -> Address | None:
    row = connection.execute("SELECT street, city, country, note FROM addresses WHERE customer = ?", (customer,)).fetchone()
    return Address(**row) if row else None


def need_address(connection: sqlite3.Connection, customer: str) -> Address:
    address = find_address(connection, customer)
    if address is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "you have given no address")
    return address


def keep_address(connection: sqlite3.Connection, customer: str, address: Address) -> None:
    row = (customer, address.street, address.city, address.country, address.note)
    connection.execute("REPLACE INTO addresses VALUES (?, ?, ?, ?, ?)", row)


def check_seen(address: Address, if_match: str | None) -> None:
    if if_match is None:
        raise HTTPException(status.HTTP_428_PRECONDITION_REQUIRED, "say with If-Match which address you have seen")
    if not names(if_match, tag_of(address)):
        raise HTTPException(status.HTTP_412_PRECONDITION_FAILED, "the address is another one by now")


def apply(operations: list[Operation], address: Address) -> Address:
    """All or none of them (RFC 6902). Every path has a value, since an address has all its fields."""
    fields = address.model_dump()
    for operation in operations:
        name = operation.path.removeprefix("/")
        if operation.op == "test":
            if fields[name] != operation.value:
                raise HTTPException(status.HTTP_409_CONFLICT, f"{operation.path} is not {operation.value}")
        else:
            fields[name] = None if operation.op == "remove" else operation.value
    try:
        return Address(**fields)
    except ValueError:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "what comes of it is no address") from None


@router.get("", response_model=Address)
def get_address(customer: Customer, connection: Connection, response: Response, if_none_match: IfNoneMatch = None) -> Address | Response:
    address = need_address(connection, customer.name)
    response.headers["ETag"] = tag_of(address)
    if names(if_none_match, tag_of(address)):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers={"ETag": tag_of(address)})
    return address


@router.put("")
def put_address(
    address: Address,
    customer: Customer,
    connection: Connection,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Address:
    old = find_address(connection, customer.name)
    if old is None:
        response.status_code = status.HTTP_201_CREATED
    elif if_none_match is not None:
        raise HTTPException(status.HTTP_412_PRECONDITION_FAILED, "you have given an address")
    else:
        check_seen(old, if_match)
    keep_address(connection, customer.name, address)
    response.headers["ETag"] = tag_of(address)
    return address


@router.patch("")
def patch_address(
    operations: list[Operation],
    customer: Customer,
    connection: Connection,
    response: Response,
    content_type: Annotated[str, Header()],
    if_match: IfMatch = None,
) -> Address:
    if content_type.partition(";")[0].strip().lower() != JSON_PATCH:
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, f"a change is {JSON_PATCH}", {"Accept-Patch": JSON_PATCH})
    old = need_address(connection, customer.name)
    check_seen(old, if_match)
    address = apply(operations, old)
    keep_address(connection, customer.name, address)
    response.headers["ETag"] = tag_of(address)
    return address


@router.delete("", status_code=status.HTTP_204_NO_CONTENT)
def delete_address(customer: Customer, connection: Connection) -> None:
    need_address(connection, customer.name)
    connection.execute("DELETE FROM addresses WHERE customer = ?", (customer.name,))
