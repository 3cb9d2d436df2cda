"""What routes ask for in their signatures, and how it is opened once per process."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Header, Request

from service.access import Visitor
from service.admission import Admission
from service.episodes import Episodes, gone
from service.events import JobEvents, connect_async
from service.glance import Glance
from service.metrics import Metrics
from service.preferences import Patience, patience
from service.problems import Refused
from service.reservations import Reservations
from service.results import Remains
from service.settings import ServiceSettings
from service.submissions import Caller, Submissions
from service.timelines import Timelines
from service.uploads import TracksCheck
from workers.blobs import BlobStore
from workers.episodes import Episode, EpisodeStore
from workers.jobs import Job, JobStore
from workers.queue import JobQueue, Queue
from workers.redis import connect, connect_bytes
from workers.results import ResultCache

_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Everything that the routes work with; one for each application."""

    settings: ServiceSettings
    store: JobStore
    results: ResultCache
    blobs: BlobStore
    events: JobEvents
    submissions: Submissions
    remains: Remains
    episodes: Episodes
    timelines: Timelines
    glance: Glance
    metrics: Metrics
    check_tracks: TracksCheck
    admission: Admission

    @property
    def uploads(self) -> Path:
        """The folder where files lie while they come in."""
        return self.settings.data_dir / "uploads"

    async def aclose(self) -> None:
        await self.events.aclose()
        await self.admission.aclose()
        self.results.redis.close()
        self.store.redis.close()


def open_resources(settings: ServiceSettings, *, queue: Queue | None = None) -> Resources:
    """Make every client; none talks to its server yet. `queue` is for tests."""
    if settings.broker_url is None or settings.cache_url is None:
        raise ValueError(
            "set POINTACTION_BROKER_URL and POINTACTION_CACHE_URL to two Redis servers, "
            "or start with `pointaction serve`, which brings its own"
        )
    store = JobStore(
        connect(settings.broker_url),
        ttl_s=settings.job_ttl_s,
        lease_s=settings.lease_s,
        max_attempts=settings.max_attempts,
    )
    results = ResultCache(connect_bytes(settings.cache_url), ttl_s=settings.result_ttl_s)
    blobs = BlobStore(settings.blobs)
    records = EpisodeStore(store)
    reservations = Reservations(store.redis, ttl_s=settings.job_ttl_s)
    queue = queue or JobQueue(settings)
    metrics = Metrics(store, cache=results.redis, data_dir=settings.data_dir)
    submissions = Submissions(
        settings=settings,
        store=store,
        results=results,
        blobs=blobs,
        reservations=reservations,
        episodes=records,
        queue=queue,
        questions=metrics.questions,
    )
    remains = Remains(
        settings=settings,
        store=store,
        results=results,
        blobs=blobs,
        submissions=submissions,
    )
    return Resources(
        settings=settings,
        store=store,
        results=results,
        blobs=blobs,
        events=JobEvents(connect_async(settings.broker_url), store),
        submissions=submissions,
        remains=remains,
        episodes=Episodes(
            records=records,
            jobs=store,
            blobs=blobs,
            submissions=submissions,
            remains=remains,
            reservations=reservations,
            queue=queue,
        ),
        timelines=Timelines(store=store, blobs=blobs, records=records, submissions=submissions),
        glance=Glance(settings=settings, store=store, metrics=metrics),
        metrics=metrics,
        check_tracks=TracksCheck(),
        admission=Admission(settings.broker_url, settings.limits),
    )


# Those that only look at what is there are async: FastAPI calls all others in threads.
async def get_resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


ResourcesDep = Annotated[Resources, Depends(get_resources)]


async def get_visitor(request: Request) -> Visitor:
    visitor: Visitor = request.state.visitor
    return visitor


VisitorDep = Annotated[Visitor, Depends(get_visitor)]


def get_job(job_id: str, resources: ResourcesDep, visitor: VisitorDep) -> Job:
    # Looked up only if it can be an id, because job:ID:events is the name of another key.
    job = resources.store.get(job_id) if _ID.fullmatch(job_id) else None
    if job is None or job.client != visitor.client:
        raise Refused(
            "not-found",
            f"there is no job {job_id[:64]!r}; records are kept for {resources.store.ttl_s} s",
            value=job_id[:64],
        )
    return job


JobDep = Annotated[Job, Depends(get_job)]


async def get_caller(
    request: Request,
    visitor: VisitorDep,
    idempotency_key: Annotated[
        str | None,
        Header(description="the same key with the same payload gives the same job"),
    ] = None,
) -> Caller:
    return Caller(
        visitor=visitor,
        request_id=request.state.request_id,
        idempotency_key=idempotency_key,
    )


CallerDep = Annotated[Caller, Depends(get_caller)]


def get_episode(episode_id: str, resources: ResourcesDep, visitor: VisitorDep) -> Episode:
    found = resources.episodes.records.get(episode_id) if _ID.fullmatch(episode_id) else None
    if found is None or found.client != visitor.client:
        raise gone(episode_id)
    return found


EpisodeDep = Annotated[Episode, Depends(get_episode)]


async def get_patience(
    resources: ResourcesDep,
    prefer: Annotated[
        list[str] | None,
        Header(description="wait=N: wait up to N seconds for the result (RFC 7240)"),
    ] = None,
) -> Patience:
    settings = resources.settings
    return patience(prefer or [], default_s=settings.default_wait_s, max_s=settings.max_wait_s)


PatienceDep = Annotated[Patience, Depends(get_patience)]
