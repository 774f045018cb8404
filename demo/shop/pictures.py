"""Pictures of items: uploaded as a form, downloaded as a file."""

import hashlib
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Header, HTTPException, Response, UploadFile, status
from pydantic import BaseModel

from .accounts import staff_only
from .items import ItemId, find_item
from .state import Connection

router = APIRouter(tags=["pictures"])

LARGEST = 5 * 1024 * 1024


class Picture(BaseModel):
    item_id: int
    filename: str
    media_type: str
    caption: str
    size: int
    sha256: str


@router.post("/items/{item_id}/picture", status_code=status.HTTP_201_CREATED, dependencies=[staff_only])
def upload_picture(
    item_id: ItemId, connection: Connection, picture: Annotated[UploadFile, File()], caption: Annotated[str, Form(max_length=200)] = ""
) -> Picture:
    """One a piece: a second upload takes the place of the first."""
    find_item(connection, item_id)
    media_type = picture.content_type or "application/octet-stream"
    if not media_type.startswith("image/"):
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, f"{media_type} is no picture")
    content = picture.file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, f"a picture has at most {LARGEST} bytes")
    filename = picture.filename or "picture"
    connection.execute("REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)", (item_id, filename, media_type, caption, content))
    return Picture(
        item_id=item_id,
        filename=filename,
        media_type=media_type,
        caption=caption,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


@router.get("/items/{item_id}/picture", response_class=Response)
def download_picture(item_id: ItemId, connection: Connection, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    row = connection.execute("SELECT * FROM pictures WHERE item_id = ?", (item_id,)).fetchone()
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no picture of item {item_id}")
    headers = {"ETag": f'"{hashlib.sha256(row["content"]).hexdigest()[:32]}"', "Cache-Control": "private, no-cache"}
    if if_none_match == headers["ETag"]:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    headers["Content-Disposition"] = f"inline; filename*=utf-8''{quote(row['filename'])}"
    return Response(row["content"], media_type=row["media_type"], headers=headers)
