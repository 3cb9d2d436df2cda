"""A user's own actions: teach them by examples, ask which of them a clip shows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response
from structlog.contextvars import bind_contextvars

from pointaction.fewshot.heads import DEFAULT_HEAD, HEADS
from service import callbacks, fields
from service.answers import EpisodeAnswer, EpisodeName, JobAnswer, Likeness
from service.dependencies import (
    CallerDep,
    EpisodeDep,
    PatienceDep,
    Resources,
    ResourcesDep,
    VisitorDep,
)
from service.outcomes import APPLIED, LATER, finished, unsuccessful
from service.samples import samples_of
from service.settings import ServiceSettings
from service.submissions import Caller
from service.uploads import MAX_TEXT_BYTES, Batch, receive, receive_many
from workers.episodes import MAX_CLASSES, MAX_SHOTS, Episode

router = APIRouter(prefix="/episodes", tags=["episodes"])

MAX_FILES = MAX_CLASSES * MAX_SHOTS
_EXAMPLES: dict[str, Any] = {
    "support": {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "maxItems": MAX_FILES,
        "description": "examples: clips, or .tracks.npz; told apart by their first bytes",
    },
    "jobs": {
        "type": "array",
        "items": {"type": "string"},
        "maxItems": MAX_FILES,
        "description": "in the place of files: ids of jobs whose clips are the examples",
    },
    "labels": {
        "type": "array",
        "items": {"type": "string", "maxLength": MAX_TEXT_BYTES},
        "description": f"one for each example, in the same order; 2 to {MAX_CLASSES} different "
        f"ones, each for 1 to {MAX_SHOTS} examples; any text that is not blank",
    },
}
_ONE_KIND: dict[str, Any] = {
    "oneOf": [{"required": ["support", "labels"]}, {"required": ["jobs", "labels"]}]
}
_TAUGHT: dict[str, Any] = {
    "name": {"type": "string", "maxLength": MAX_TEXT_BYTES},
    "head": {
        "type": "string",
        "enum": list(HEADS),
        "default": DEFAULT_HEAD,
        "description": "; ".join(f"{head.name}: {head.says}" for head in HEADS.values()),
    },
} | fields.SEEN_BY
_ASKED = fields.SHOWN | callbacks.FIELD
_GIVEN = "Examples, as `support` or as `jobs`, with their `labels`."


@router.post(
    "",
    status_code=201,
    response_model=EpisodeAnswer,
    openapi_extra=fields.form(_GIVEN, _EXAMPLES | _TAUGHT, **_ONE_KIND),
    responses={
        201: {
            "description": "It is there; its examples are being described",
            "headers": {"Location": {"description": "of it", "schema": {"type": "string"}}},
        }
    },
)
async def create(request: Request, caller: CallerDep, resources: ResourcesDep) -> Response:
    """Teach actions of your own by one example or more of each.

    Each example is described by a job of its own, which can be followed. An episode lasts until it
    is deleted.
    """
    async with _examples(request, resources, _TAUGHT) as batch:
        plan = _plan(batch.fields, resources.settings, caller)
        samples = await run_sync(samples_of, batch, resources.store, caller.visitor.client)
        episode = await run_sync(resources.episodes.create, plan, samples, caller)
    answer = await run_sync(_told, episode, resources)
    headers = {"Location": f"/episodes/{episode.id}"}
    return JSONResponse(answer.model_dump(mode="json"), 201, headers)


@router.get("")
def list_episodes(visitor: VisitorDep, resources: ResourcesDep) -> list[EpisodeAnswer]:
    """Those that were made with the same API key, the newest first."""
    found = resources.episodes.records.of_client(visitor.client)
    return [_told(episode, resources) for episode in found]


@router.get("/{episode_id}")
def read(episode: EpisodeDep, resources: ResourcesDep) -> EpisodeAnswer:
    """Its classes with their examples: which are described, which could not be read and why."""
    return _told(episode, resources)


@router.patch("/{episode_id}")
def rename(change: EpisodeName, episode: EpisodeDep, resources: ResourcesDep) -> EpisodeAnswer:
    """Give it another name."""
    return _told(resources.episodes.rename(episode, change.name), resources)


@router.delete("/{episode_id}", status_code=204)
def delete(episode: EpisodeDep, resources: ResourcesDep) -> None:
    """Forget it and its examples. Their clips go too, unless another job has the same content."""
    resources.episodes.delete(episode)


@router.post("/{episode_id}/support", openapi_extra=fields.form(_GIVEN, _EXAMPLES, **_ONE_KIND))
async def add(
    request: Request, episode: EpisodeDep, caller: CallerDep, resources: ResourcesDep
) -> EpisodeAnswer:
    """Add examples, of classes that are there or of new ones.

    One that is there already changes nothing, but one that has failed is tried again.
    """
    async with _examples(request, resources, {}) as batch:
        samples = await run_sync(samples_of, batch, resources.store, caller.visitor.client)
        await run_sync(resources.episodes.add, episode, samples, caller)
    return await run_sync(_told, episode, resources)


@router.delete("/{episode_id}/support/{example_id}", status_code=204)
def remove(episode: EpisodeDep, example_id: str, resources: ResourcesDep) -> None:
    """Take an example out."""
    resources.episodes.remove(episode, example_id)


@router.post(
    "/{episode_id}/classify",
    response_model=Likeness,
    openapi_extra=fields.form(
        "Exactly one file, as `clip` or as `tracks`.",
        fields.FILE | _ASKED,
        **fields.ONE_FILE,
    ),
    responses={
        200: {"description": "The result, in time", "headers": APPLIED},
        202: {
            "model": JobAnswer,
            "description": "Accepted; the result, or some of the examples, are not there yet",
            "headers": APPLIED | LATER,
        },
    },
)
async def classify(
    request: Request,
    episode: EpisodeDep,
    caller: CallerDep,
    patience: PatienceDep,
    resources: ResourcesDep,
) -> Response:
    """Say which class of the episode a clip shows, or that it likely shows none of them.

    Waits as `POST /classify` does; until the episode's examples are described, the job's stage is
    `examples`.
    """
    async with receive(request, resources.uploads, fields=_ASKED) as upload:
        top_k, attention = fields.top_k(upload.fields), fields.attention(upload.fields)
        url = callbacks.callback_url(upload.fields, resources.settings)
        if upload.media == "tracks":
            await resources.check_tracks(upload.path)
        ask = partial(
            resources.episodes.match,
            episode,
            upload,
            top_k=top_k,
            attention=attention,
            caller=replace(caller, callback_url=url),
        )
        job = await run_sync(ask)
    bind_contextvars(job=job.id)
    job = await finished(job, resources, patience)
    if job.result is None:
        return unsuccessful(job, patience)
    return JSONResponse(job.result, headers=patience.headers)


@asynccontextmanager
async def _examples(
    request: Request, resources: Resources, more: dict[str, Any]
) -> AsyncIterator[Batch]:
    """The form with examples, all of which look like what they are said to be."""
    async with receive_many(
        request,
        resources.uploads,
        files="support",
        lists=("labels", "jobs"),
        fields=more,
        at_most=MAX_FILES,
    ) as batch:
        await resources.check_tracks.of_many(batch.files)
        yield batch


def _plan(given: dict[str, str], settings: ServiceSettings, caller: Caller) -> Episode:
    by = fields.seen_by(given, settings)
    return Episode(
        name=given.get("name", ""),
        head=fields.choice(given, "head", DEFAULT_HEAD, HEADS),
        model=by.model,
        points=by.points,
        tracker=by.tracker,
        depth=by.depth,
        client=caller.visitor.client,
    )


def _told(episode: Episode, resources: Resources) -> EpisodeAnswer:
    return EpisodeAnswer.of(episode, resources.episodes.records.examples(episode.id))
