"""The front page. Its script and style are served as static files beside it."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

FOLDER = Path(__file__).resolve().parent.parent / "pages"

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def front_page() -> HTMLResponse:
    return HTMLResponse((FOLDER / "index.html").read_bytes(), headers={"Cache-Control": "no-cache"})
