"""Ask what is being done in a clip."""

import re
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response
from structlog.contextvars import bind_contextvars

from pointaction.depth.lifters import LIFTERS
from pointaction.tracking.trackers import TRACKERS
from service.answers import JobAnswer, Recognition
from service.dependencies import CallerDep, PatienceDep, ResourcesDep
from service.outcomes import finished, unsuccessful
from service.problems import Refused
from service.settings import ServiceSettings
from service.uploads import Upload, receive
from workers.jobs import ClassifyParams

router = APIRouter(tags=["classify"])

MAX_TOP_K = 100
_FIELDS = {"model", "tracker", "depth", "top_k", "attention"}
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Exactly one file, as `clip` or as `tracks`.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "clip": {
                            "type": "string",
                            "format": "binary",
                            "description": "a video: mp4, mov, webm, mkv or avi",
                        },
                        "tracks": {
                            "type": "string",
                            "format": "binary",
                            "description": "a .tracks.npz, so that no picture is sent",
                        },
                        "model": {"type": "string", "description": "a name from GET /models"},
                        "tracker": {
                            "type": "string",
                            "enum": list(TRACKERS),
                            "description": "of a clip; what GET /models says is installed",
                        },
                        "depth": {
                            "type": "string",
                            "enum": list(LIFTERS),
                            "description": "of a clip; what GET /models says is installed",
                        },
                        "top_k": {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": MAX_TOP_K,
                            "default": 5,
                        },
                        "attention": {
                            "type": "boolean",
                            "default": True,
                            "description": "whether the result links to the attention",
                        },
                    },
                    "oneOf": [{"required": ["clip"]}, {"required": ["tracks"]}],
                    "additionalProperties": False,
                }
            }
        },
    }
}
_HEADERS = {
    "Preference-Applied": {
        "description": "the part of `Prefer` that was followed",
        "schema": {"type": "string"},
    }
}
_LATER = {
    "Location": {"description": "of the job", "schema": {"type": "string"}},
    "Retry-After": {"description": "seconds", "schema": {"type": "integer"}},
}


@router.post(
    "/classify",
    response_model=Recognition,
    openapi_extra=_FORM,
    responses={
        200: {"description": "The result, from the cache or in time", "headers": _HEADERS},
        202: {
            "model": JobAnswer,
            "description": "Accepted; the result is not there yet",
            "headers": _HEADERS | _LATER,
        },
    },
)
async def classify(
    request: Request, caller: CallerDep, patience: PatienceDep, resources: ResourcesDep
) -> Response:
    """Say what is being done in a clip, or in the tracks of one.

    Waits for the result as long as `Prefer: wait=N` says (0 to 60 s, 20 if it says nothing).
    """
    async with receive(request, resources.uploads, fields=_FIELDS) as upload:
        params = _params(upload, resources.settings)
        if upload.media == "tracks":
            await resources.check_tracks(upload.path)
        job = await run_sync(resources.submissions.classify, upload, params, caller)
    bind_contextvars(job=job.id)
    job = await finished(job, resources, patience)
    if job.result is None:
        return unsuccessful(job, patience)
    return JSONResponse(job.result, headers=patience.headers)


def _params(upload: Upload, settings: ServiceSettings) -> ClassifyParams:
    fields = upload.fields
    return ClassifyParams(
        model=fields.get("model", settings.default_model),
        tracker=_method(upload, "tracker", settings.tracker, list(TRACKERS)),
        depth=_method(upload, "depth", settings.depth, list(LIFTERS)),
        top_k=_top_k(fields.get("top_k", "5")),
        attention=_attention(fields.get("attention", "true")),
    )


def _method(upload: Upload, field: str, default: str, known: list[str]) -> str:
    name = upload.fields.get(field)
    if name is None:
        return default
    if upload.media == "tracks":
        raise Refused(
            "invalid-field",
            f"{field} is for clips; what is sent as tracks was made already. Leave it out",
            value=name,
        )
    if name not in known:
        raise Refused(
            "invalid-field",
            f"{field} must be one of {', '.join(known)}, got {name!r}",
            limit=known,
            value=name,
        )
    return name


def _top_k(text: str) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if not 1 <= number <= MAX_TOP_K:
        raise Refused(
            "invalid-field",
            f"top_k must be 1 to {MAX_TOP_K}, got {text!r}",
            limit=[1, MAX_TOP_K],
            value=text,
        )
    return number


def _attention(text: str) -> bool:
    if text not in ("true", "false"):
        raise Refused(
            "invalid-field",
            f"attention must be true or false, got {text!r}",
            limit=["true", "false"],
            value=text,
        )
    return text == "true"
