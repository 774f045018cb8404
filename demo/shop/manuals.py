"""Manuals of items: text files to download, in ranges where one likes."""

from pathlib import Path

from fastapi import APIRouter, HTTPException, Response, status
from fastapi.responses import FileResponse

from .assets import RELEASED
from .conditional import IfNoneMatch, entity_tag, names
from .items import ItemId

router = APIRouter(tags=["manuals"])

FOLDER = Path(__file__).resolve().parent.parent / "manuals"


@router.head("/items/{item_id}/manual", include_in_schema=False)
@router.get("/items/{item_id}/manual", response_class=FileResponse)
def download_manual(item_id: ItemId, if_none_match: IfNoneMatch = None) -> Response:
    file = FOLDER / f"{item_id}.txt"
    if not file.is_file():
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no manual of item {item_id}")
    headers = {"ETag": entity_tag(file.read_bytes()), "Last-Modified": RELEASED}
    if names(if_none_match, headers["ETag"]):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return FileResponse(file, filename=f"manual-{item_id}.txt", headers=headers)
