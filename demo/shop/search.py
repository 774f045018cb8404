"""Search over items and their reviews, in numbered pages that lead to one another by link fields."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, Field

from .conditional import IfNoneMatch, entity_tag, names
from .state import Connection

router = APIRouter(tags=["search"])


class SearchQuery(BaseModel):
    q: str = Field(min_length=1, max_length=80)
    page: int = Field(default=1, ge=1, le=1000)
    size: int = Field(default=5, ge=1, le=50)


class Hit(BaseModel):
    kind: Literal["item", "review"]
    item_id: int
    text: str


class Hits(BaseModel):
    total: int
    page: int
    hits: list[Hit]


HITS = """
SELECT * FROM (
    SELECT 'item' AS kind, id AS item_id, '' AS author, name || coalesce(': ' || description, '') AS text FROM items
    UNION ALL SELECT 'review', item_id, author, text FROM reviews
) WHERE instr(lower(text), lower(?)) ORDER BY kind, item_id, author
"""


def link_field(query: SearchQuery, last: int) -> str:
    pages = {"first": 1, "prev": query.page - 1, "next": query.page + 1, "last": last}
    links = {relation: urlencode({**query.model_dump(), "page": page}) for relation, page in pages.items() if 1 <= page <= last}
    return ", ".join(f'</search?{link}>; rel="{relation}"' for relation, link in links.items())


@router.get("/search", response_model=Hits)
def search(query: Annotated[SearchQuery, Query()], connection: Connection, if_none_match: IfNoneMatch = None) -> Response:
    rows = connection.execute(HITS, (query.q,)).fetchall()
    begin = (query.page - 1) * query.size
    found = Hits(total=len(rows), page=query.page, hits=[Hit(**row) for row in rows[begin : begin + query.size]])
    content = found.model_dump_json().encode()
    headers = {
        "ETag": "W/" + entity_tag(content),
        "Cache-Control": "no-cache",
        "Link": link_field(query, max(1, -(-len(rows) // query.size))),
        "X-Total-Count": str(len(rows)),
    }
    if names(if_none_match, headers["ETag"].removeprefix("W/")):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(content, media_type="application/json", headers=headers)
