"""The web process: every part wired to the others, nothing decided here."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import anyio.to_thread
from fastapi import FastAPI

from service import openapi, problems, shutdown
from service.access import Access
from service.dependencies import open_resources
from service.intake import BodyLimit, HangUp, SafeHeaders
from service.routes import (
    callbacks,
    classify,
    clips,
    docs,
    episodes,
    health,
    jobs,
    metrics,
    models,
    overlays,
    page,
    system,
    timelines,
)
from service.settings import ServiceSettings
from service.telemetry import RequestTrail
from workers import traces
from workers.logs import configure
from workers.queue import Queue

_ABANDONED_AFTER_S = 3600


def create_app(settings: ServiceSettings, *, queue: Queue | None = None) -> FastAPI:
    """The application. Talks to no server until it is asked something. `queue` is for tests."""
    resources = open_resources(settings, queue=queue)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        shutdown.listen()
        resources.uploads.mkdir(parents=True, exist_ok=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_clear, resources.uploads)
            yield
            tasks.cancel_scope.cancel()
        await resources.aclose()
        await anyio.to_thread.run_sync(traces.end)

    app = FastAPI(**openapi.ABOUT, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.resources = resources
    problems.install(app)
    asked = (classify, timelines, jobs, clips, overlays, episodes, callbacks)
    for route in (*asked, models, health, system, metrics, page, docs):
        app.include_router(route.router)
    page.mount(app)
    docs.mount(app)
    openapi.install(app)
    # Each wraps those above it: the trail sees every request first and every answer last.
    app.add_middleware(BodyLimit, limit=settings.body_limit)
    app.add_middleware(Access, settings=settings, admission=resources.admission)
    app.add_middleware(HangUp)
    app.add_middleware(SafeHeaders)
    app.add_middleware(RequestTrail, metrics=resources.metrics.http)
    return app


def from_environment() -> FastAPI:
    """The application as POINTACTION_* variables want it; what uvicorn starts."""
    settings = ServiceSettings()
    configure(settings)
    traces.configure("pointaction-api")
    return create_app(settings)


async def _keep_clear(uploads: Path) -> None:
    """Clear, now and again, what a killed process has left in the folder for uploads.

    Not at the start alone: what was left the moment before may be another process's that is at it.
    """
    while True:
        await anyio.to_thread.run_sync(_clear, uploads)
        await anyio.sleep(_ABANDONED_AFTER_S)


def _clear(uploads: Path) -> None:
    for path in uploads.glob("*.part"):
        with suppress(OSError):  # it is gone, or not ours; no reason to stop
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                path.unlink()
