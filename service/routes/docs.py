"""The interactive documentation, from here: it works where there is no internet."""

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse

ASSETS = "/docs/assets/"

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="PointAction API",
        swagger_js_url=f"{ASSETS}swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}favicon-32x32.png",
    )


def mount(app: FastAPI) -> None:
    """Serve Swagger UI out of the package that carries it."""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]))
