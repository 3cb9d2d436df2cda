"""The web page."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse, Response

_WEB = Path(__file__).resolve().parents[1] / "web"
# Everything comes from here; what is uploaded and drawn is shown from memory (blob:).
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# Asked for anew each time, by its ETag: modules of two releases do not get on with each other.
_FRESH = {"Cache-Control": "no-cache"}

router = APIRouter()


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    headers = {"Content-Security-Policy": _POLICY, **_FRESH}
    return FileResponse(_WEB / "index.html", headers=headers)


def mount(app: FastAPI) -> None:
    """Serve the page's modules, styles and samples."""
    app.mount("/web", _Files(directory=_WEB))


class _Files(StaticFiles):
    def file_response(self, *args: Any, **options: Any) -> Response:
        answer = super().file_response(*args, **options)
        answer.headers.update(_FRESH)
        return answer
