"""The tracks of a clip drawn on it, with the weights as colour."""

from functools import partial
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from service.answers import JobAnswer
from service.blob_response import BlobResponse
from service.dependencies import JobDep, PatienceDep, ResourcesDep, VisitorDep
from service.outcomes import finished, unsuccessful
from service.submissions import Caller
from workers.jobs import State

router = APIRouter(tags=["jobs"])

_MEDIA_TYPES = {"mp4": "video/mp4", "png": "image/png"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/jobs/{job_id}/overlay",
    response_class=Response,
    responses={
        200: {
            "description": "The drawing; also served in ranges",
            "content": dict.fromkeys(_MEDIA_TYPES.values(), _BINARY),
        },
        202: {"model": JobAnswer, "description": "It is being drawn; ask again"},
        206: {"description": "The range that was asked for"},
        304: {"description": "The drawing that If-None-Match names has not changed"},
    },
)
async def overlay(
    request: Request,
    job: JobDep,
    visitor: VisitorDep,
    patience: PatienceDep,
    resources: ResourcesDep,
    head: Annotated[str, Query(description="`mean`, or the number of a head from 0")] = "mean",
    format: Annotated[
        Literal["mp4", "png"], Query(description="a video, or a contact sheet")
    ] = "mp4",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Draw the tracks on the clip, the weight of each as its colour and size.

    On black for a job made from tracks alone. It is drawn once, and waited for as `POST /classify`
    waits for its result.
    """
    find = partial(
        resources.remains.overlay,
        job,
        head=head,
        format=format,
        caller=Caller(visitor=visitor, request_id=request.state.request_id),
    )
    found = await run_sync(find)
    if not isinstance(found, str):
        drawing = await finished(found, resources, patience)
        if drawing.state is not State.SUCCEEDED:
            return unsuccessful(drawing, patience)
        found = str((drawing.result or {})["blob"])
    return BlobResponse.of(
        resources.blobs,
        found,
        media_type=_MEDIA_TYPES[format],
        filename=f"{job.id}-{head}.{format}",
        if_none_match=if_none_match,
        headers=patience.headers,
    )
