"""Ask what is being done in a clip."""

from dataclasses import replace

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response
from structlog.contextvars import bind_contextvars

from service import callbacks, fields
from service.answers import JobAnswer, Recognition
from service.dependencies import CallerDep, PatienceDep, ResourcesDep
from service.outcomes import APPLIED, LATER, finished, unsuccessful
from service.problems import Refused
from service.settings import ServiceSettings
from service.uploads import Upload, receive
from workers.jobs import ClassifyParams

router = APIRouter(tags=["classify"])

_FIELDS = fields.SEEN_BY | fields.SHOWN | callbacks.FIELD
_FORM = fields.form(
    "Exactly one file, as `clip` or as `tracks`.",
    fields.FILE | _FIELDS,
    **fields.ONE_FILE,
)


@router.post(
    "/classify",
    response_model=Recognition,
    openapi_extra=_FORM,
    responses={
        200: {"description": "The result, from the cache or in time", "headers": APPLIED},
        202: {
            "model": JobAnswer,
            "description": "Accepted; the result is not there yet",
            "headers": APPLIED | LATER,
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
        caller = replace(
            caller, callback_url=callbacks.callback_url(upload.fields, resources.settings)
        )
        if upload.media == "tracks":
            await resources.check_tracks(upload.path)
        job = await run_sync(resources.submissions.classify, upload, params, caller)
    bind_contextvars(job=job.id)
    job = await finished(job, resources, patience)
    if job.result is None:
        return unsuccessful(job, patience)
    return JSONResponse(job.result, headers=patience.headers)


def _params(upload: Upload, settings: ServiceSettings) -> ClassifyParams:
    if upload.media == "tracks":
        for field in upload.fields.keys() & {"points", "tracker", "depth"}:
            raise Refused(
                "invalid-field",
                f"{field} is for clips; what is sent as tracks was made already. Leave it out",
                value=upload.fields[field],
            )
    return ClassifyParams(
        **fields.seen_by(upload.fields, settings).model_dump(),
        top_k=fields.top_k(upload.fields),
        attention=fields.attention(upload.fields),
    )
