"""Look at a job, follow it, take what it made, end it."""

import io
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header
from numpy.typing import NDArray
from sse_starlette import EventSourceResponse
from starlette.responses import JSONResponse, Response

from pointaction.tracks import Tracks
from service.answers import AttentionAnswer, JobAnswer, MapsAnswer
from service.dependencies import JobDep, ResourcesDep
from service.events import last_event_id
from service.preferences import choose
from workers.jobs import Job
from workers.results import CachedResult

router = APIRouter(prefix="/jobs/{job_id}", tags=["jobs"])

NPZ = "application/x-npz"
_HEARTBEAT_S = 10
# `itemSchema` is OpenAPI 3.2's word for each event of a stream; FastAPI writes it of its own.
_EVENTS = {
    "itemSchema": {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "to come back with as Last-Event-ID"},
            "event": {"type": "string"},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/JobAnswer"},
            },
        },
    },
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get("")
def read(job: JobDep) -> JobAnswer:
    """State, stage, progress, place in the queue, timings, and the result or the problem."""
    return JobAnswer.of(job)


@router.delete(
    "",
    response_model=JobAnswer,
    responses={
        200: {"description": "It was queued or running and is cancelled now"},
        204: {"description": "It had finished; its data is deleted"},
    },
)
def end(job: JobDep, resources: ResourcesDep) -> Response:
    """Cancel a job that has not finished; delete the data of one that has.

    The clip, its drawings and its cached result stay as long as another job has the same content.
    """
    if not job.state.finished and resources.store.cancel(job.id):
        resources.episodes.ended(job)
        cancelled = resources.store.get(job.id) or job
        return JSONResponse(JobAnswer.of(cancelled).model_dump(mode="json"))
    resources.remains.remove(job)
    return Response(status_code=204)


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Events whose data is the JSON of GET /jobs/{id}, up to the final state",
            "content": {"text/event-stream": _EVENTS},
        },
        204: {"description": "The event named by Last-Event-ID was the last one"},
    },
)
async def events(
    job: JobDep,
    resources: ResourcesDep,
    last_event: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Response:
    """The job as server-sent events: as it is now, then after every change."""
    after = last_event_id(last_event)
    if after and job.state.finished and after == await resources.events.latest(job.id):
        return Response(status_code=204)  # which tells an EventSource to stop coming back
    return EventSourceResponse(
        resources.events.follow(job.id, after=after, describe=_as_text), ping=_HEARTBEAT_S
    )


@router.get(
    "/attention",
    response_model=AttentionAnswer | MapsAnswer,
    responses={
        200: {"content": {NPZ: _BINARY}, "headers": {"Vary": {"schema": {"type": "string"}}}}
    },
)
def attention(
    job: JobDep, resources: ResourcesDep, accept: Annotated[str | None, Header()] = None
) -> Response:
    """Where the model looked, in every head: JSON or npz by `Accept`.

    The weight of every track, with the tracks; of a model that looks at pixels alone, maps.
    """
    media_type = choose(accept, ["application/json", NPZ])
    known = resources.remains.result(job)
    npz = {"Vary": "Accept", "Content-Disposition": _attachment(job, "attention.npz")}
    if known.tracks_key is None:
        if media_type == NPZ:
            return Response(_maps_as_npz(known), headers=npz, media_type=NPZ)
        return JSONResponse(_maps_as_json(job, known), headers={"Vary": "Accept"})
    tracks = Tracks.load(io.BytesIO(resources.remains.tracks_file(job)))
    if media_type == NPZ:
        return Response(_as_npz(known, tracks), headers=npz, media_type=NPZ)
    return JSONResponse(_as_json(job, known, tracks), headers={"Vary": "Accept"})


@router.get(
    "/tracks",
    response_class=Response,
    responses={200: {"content": {NPZ: _BINARY}, "description": "A .tracks.npz file"}},
)
def tracks(job: JobDep, resources: ResourcesDep) -> Response:
    """The tracks file, to be sent again as `tracks` or read with `pointaction.tracks`."""
    file = resources.remains.tracks_file(job)
    headers = {"Content-Disposition": _attachment(job, "tracks.npz")}
    return Response(file, headers=headers, media_type=NPZ)


def _as_text(job: Job) -> str:
    return JobAnswer.of(job).model_dump_json()


def _attachment(job: Job, ending: str) -> str:
    return f'attachment; filename="{job.id}.{ending}"'


def _as_json(job: Job, known: CachedResult, tracks: Tracks) -> dict[str, Any]:
    heads, count = known.attention.shape
    return {
        "job": job.id,
        "heads": heads,
        "tracks": count,
        "frames": len(tracks.times),
        "size": list(tracks.size),
        "times": tracks.times.round(4).tolist(),
        "weights": known.attention.astype(np.float64).round(7).tolist(),
        # A hundredth of a pixel is below what any tracker knows, and halves the answer.
        "xy": tracks.xy.astype(np.float64).round(2).tolist(),
        "visible": tracks.visible.tolist(),
    }


def _as_npz(known: CachedResult, tracks: Tracks) -> bytes:
    return _npz(
        weights=known.attention.astype(np.float32),
        xy=tracks.xy,
        visible=tracks.visible,
        times=tracks.times,
        size=np.array(tracks.size, np.int32),
    )


def _maps_as_json(job: Job, known: CachedResult) -> dict[str, Any]:
    heads, frames, rows, columns = known.attention.shape
    return {
        "job": job.id,
        "heads": heads,
        "frames": frames,
        "rows": rows,
        "columns": columns,
        "size": [known.clip["height"], known.clip["width"]],
        "times": _times(known).round(4).tolist(),
        "weights": known.attention.astype(np.float64).round(7).tolist(),
    }


def _maps_as_npz(known: CachedResult) -> bytes:
    return _npz(
        weights=known.attention.astype(np.float32),
        times=_times(known),
        size=np.array([known.clip["height"], known.clip["width"]], np.int32),
    )


def _times(known: CachedResult) -> NDArray[np.float64]:
    """Of the maps, seconds: they are evenly spread over the clip."""
    return np.linspace(0, float(known.clip["duration_s"]), known.attention.shape[1])


def _npz(**arrays: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
