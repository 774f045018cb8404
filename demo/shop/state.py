"""What the lifespan hands to every request, and the dependencies that take it from there."""

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, TypedDict

from fastapi import Depends
from fastapi.requests import HTTPConnection

from .database import Database
from .signing import Signer

if TYPE_CHECKING:
    from .chat import Rooms


class State(TypedDict):
    database: Database
    signer: Signer
    currency: str
    rooms: "Rooms"


def get_connection(request: HTTPConnection) -> Iterator[sqlite3.Connection]:
    with request.state.database.connect() as connection:
        yield connection


def get_signer(request: HTTPConnection) -> Signer:
    return request.state.signer


def get_currency(request: HTTPConnection) -> str:
    return request.state.currency


# Of the function's scope: committed before the response goes out, or a client's next request could miss what this one wrote.
Connection = Annotated[sqlite3.Connection, Depends(get_connection, scope="function")]
Signing = Annotated[Signer, Depends(get_signer)]
Currency = Annotated[str, Depends(get_currency)]
