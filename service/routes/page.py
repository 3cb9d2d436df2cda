"""The web page."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse

_WEB = Path(__file__).resolve().parents[1] / "web"
# Everything comes from here; what is uploaded and drawn is shown from memory (blob:).
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

router = APIRouter()


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    return FileResponse(_WEB / "index.html", headers={"Content-Security-Policy": _POLICY})


def mount(app: FastAPI) -> None:
    """Serve the page's script and style."""
    app.mount("/web", StaticFiles(directory=_WEB))
