"""Ask what is done when in a long video, and read it while it is found out."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response
from structlog.contextvars import bind_contextvars

from pointaction.timelines.formats import FORMATS
from pointaction.timelines.segments import Rule
from pointaction.timelines.timeline import Timeline
from service import callbacks, fields
from service.answers import JobAnswer, SegmentsAnswer, TimelineFound
from service.dependencies import (
    CallerDep,
    JobDep,
    PatienceDep,
    Resources,
    ResourcesDep,
    get_episode,
)
from service.outcomes import APPLIED, LATER, finished, unsuccessful
from service.problems import Refused
from service.submissions import Caller
from service.uploads import receive
from workers.jobs import MAX_TRACKS, TimelineParams
from workers.making import Media

router = APIRouter(tags=["timelines"])

_SECONDS = (0.1, 3600.0)
_WINDOWS: dict[str, Any] = {
    "tracks": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_TRACKS,
        "default": 256,
        "description": "points that are followed in each window",
    },
    "window_s": {
        "type": "number",
        "minimum": _SECONDS[0],
        "maximum": _SECONDS[1],
        "default": 3.0,
        "description": "seconds that are looked at together",
    },
    "step_s": {
        "type": "number",
        "minimum": _SECONDS[0],
        "maximum": _SECONDS[1],
        "default": 1.0,
        "description": "seconds from one window to the next",
    },
}
_EPISODE: dict[str, Any] = {
    "episode": {
        "type": "string",
        "pattern": "^[0-9a-f]{32}$",
        "description": "in the place of a model: an episode of yours, whose classes are looked for "
        "as its model, points, tracker and depth have seen them",
    }
}
_FIELDS = fields.SEEN_BY | _EPISODE | _WINDOWS | callbacks.FIELD
_MEDIA: tuple[Media, ...] = ("clip",)
_VIDEO = {"clip": fields.FILE["clip"]}
_TEXTS = {name: known.media_type for name, known in FORMATS.items() if name != "json"}


@router.post(
    "/timelines",
    response_model=TimelineFound,
    openapi_extra=fields.form("A video of up to hours.", _VIDEO | _FIELDS, required=["clip"]),
    responses={
        200: {"description": "The timeline, from the cache or in time", "headers": APPLIED},
        202: {
            "model": JobAnswer,
            "description": "Accepted; what is known of it grows at /jobs/{id}/segments",
            "headers": APPLIED | LATER,
        },
    },
)
async def create(
    request: Request, caller: CallerDep, patience: PatienceDep, resources: ResourcesDep
) -> Response:
    """Find out what is done when in a video of any length up to hours.

    It is looked through in windows that overlap. Waits for the end as `POST /classify` does, but
    what is known can be read before it.
    """
    async with receive(request, resources.uploads, fields=_FIELDS, media=_MEDIA) as upload:
        params = await run_sync(_params, upload.fields, caller, resources)
        url = callbacks.callback_url(upload.fields, resources.settings)
        job = await run_sync(
            resources.timelines.create, upload, params, replace(caller, callback_url=url)
        )
    bind_contextvars(job=job.id)
    job = await finished(job, resources, patience)
    if job.result is None:
        return unsuccessful(job, patience)
    return JSONResponse(job.result, headers=patience.headers)


@router.get(
    "/jobs/{job_id}/segments",
    response_model=SegmentsAnswer,
    responses={
        200: {
            "description": "The segments that are known",
            "content": {
                media_type.partition(";")[0]: {"schema": {"type": "string"}}
                for media_type in _TEXTS.values()
            },
        }
    },
)
def segments(
    job: JobDep,
    resources: ResourcesDep,
    threshold: Annotated[float, Query(gt=0, le=1, description="of a label's score, 0 to 1")] = 0.5,
    format: Annotated[
        Literal["json", "csv", "vtt", "eaf"],
        Query(description="json, a table, subtitles, or an annotation document of ELAN"),
    ] = "json",
) -> Response:
    """When what is done in the video of a timeline, as far as it has been looked through.

    The scores are kept, so another threshold costs no other look at the video.
    """
    rule = Rule(threshold=threshold)
    job, found = resources.timelines.so_far(job)
    if format == "json":
        answer = SegmentsAnswer.of(job, found, threshold, found.segments(rule) if found else [])
        return JSONResponse(answer.model_dump(mode="json"))
    found = found or _EMPTY
    text = FORMATS[format].write(found, found.segments(rule))
    name = f'attachment; filename="{job.id}.segments.{format}"'
    headers = {"Content-Disposition": name}
    return Response(text, headers=headers, media_type=FORMATS[format].media_type)


def _params(given: dict[str, str], caller: Caller, resources: Resources) -> TimelineParams:
    windows = {
        "tracks": fields.whole(given, "tracks", 256, 1, MAX_TRACKS),
        "window_s": fields.number(given, "window_s", 3.0, *_SECONDS),
        "step_s": fields.number(given, "step_s", 1.0, *_SECONDS),
    }
    if "episode" not in given:
        by = fields.seen_by(given, resources.settings).model_dump()
        return TimelineParams.model_validate(by | windows)
    for field in given.keys() & fields.SEEN_BY.keys():
        raise Refused(
            "invalid-field",
            f"the episode has its {field}; leave the field out, or leave out the episode",
            value=given[field],
        )
    episode = get_episode(given["episode"], resources, caller.visitor)
    by = {name: getattr(episode, name) for name in fields.SEEN_BY}
    return TimelineParams.model_validate(by | windows | {"episode": episode.id})


_EMPTY = Timeline.unknown()
