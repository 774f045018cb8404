"""Reviews of items: one of each customer, read page by page with a cursor."""

import sqlite3
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, HTTPException, Query, Response, status
from pydantic import BaseModel, Field

from .accounts import Customer
from .items import ItemId, find_item
from .state import Connection, Signing

router = APIRouter(tags=["reviews"])


class NewReview(BaseModel):
    stars: int = Field(ge=1, le=5)
    text: str = Field(default="", max_length=2000)


class Review(NewReview):
    item_id: int
    author: str


class ReviewPage(BaseModel):
    reviews: list[Review]
    next: str | None


def find_review(connection: sqlite3.Connection, item_id: int, author: str) -> Review:
    row = connection.execute("SELECT * FROM reviews WHERE item_id = ? AND author = ?", (item_id, author)).fetchone()
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no review of item {item_id} by {author}")
    return Review(**row)


@router.get("/items/{item_id}/reviews")
def list_reviews(
    item_id: ItemId,
    connection: Connection,
    signer: Signing,
    response: Response,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> ReviewPage:
    """The newest first. The cursor is signed, so that none is made up; it stands where it stood, whatever is added meanwhile."""
    find_item(connection, item_id)
    before = str(2**63 - 1) if cursor is None else signer.verify("reviews", cursor)
    if before is None:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "not a cursor of ours")
    rows = connection.execute(
        "SELECT * FROM reviews WHERE item_id = ? AND id < ? ORDER BY id DESC LIMIT ?", (item_id, int(before), limit + 1)
    ).fetchall()
    reviews = [Review(**row) for row in rows[:limit]]
    following = signer.sign("reviews", str(rows[limit - 1]["id"])) if len(rows) > limit else None
    if following:
        query = urlencode({"cursor": following, "limit": limit})
        response.headers["Link"] = f'</items/{item_id}/reviews?{query}>; rel="next"'
    return ReviewPage(reviews=reviews, next=following)


@router.post("/items/{item_id}/reviews", status_code=status.HTTP_201_CREATED)
def write_review(item_id: ItemId, new: NewReview, customer: Customer, connection: Connection, response: Response) -> Review:
    find_item(connection, item_id)
    try:
        connection.execute(
            "INSERT INTO reviews (item_id, author, stars, text) VALUES (?, ?, ?, ?)", (item_id, customer.name, new.stars, new.text)
        )
    except sqlite3.IntegrityError:
        raise HTTPException(status.HTTP_409_CONFLICT, f"you have reviewed item {item_id}") from None
    response.headers["Location"] = f"/items/{item_id}/reviews/{quote(customer.name)}"
    return find_review(connection, item_id, customer.name)


@router.get("/items/{item_id}/reviews/{author}")
def get_review(item_id: ItemId, author: str, connection: Connection) -> Review:
    return find_review(connection, item_id, author)


@router.delete("/items/{item_id}/reviews/{author}", status_code=status.HTTP_204_NO_CONTENT)
def delete_review(item_id: ItemId, author: str, customer: Customer, connection: Connection) -> None:
    find_review(connection, item_id, author)
    if author != customer.name and not customer.staff:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "not your review")
    connection.execute("DELETE FROM reviews WHERE item_id = ? AND author = ?", (item_id, author))
