"""Files that are released with the shop. Tag and date say which content it is, and not when it was unpacked on this machine."""

import os
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Scope

from .conditional import entity_tag

RELEASED = format_datetime(datetime(2026, 1, 5, 9, tzinfo=UTC), usegmt=True)


class Assets(StaticFiles):
    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        headers = {"ETag": entity_tag(Path(full_path).read_bytes()), "Last-Modified": RELEASED}
        response = FileResponse(full_path, status_code, headers, stat_result=stat_result)
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response
