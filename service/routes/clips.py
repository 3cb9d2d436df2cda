"""What was sent, back to who has sent it."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header
from starlette.responses import Response

from service.blob_response import BlobResponse
from service.dependencies import JobDep, ResourcesDep
from workers.blobs import clip_name

router = APIRouter(tags=["jobs"])

_MEDIA_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
}


@router.get(
    "/jobs/{job_id}/clip",
    response_class=Response,
    responses={
        200: {
            "description": "The video; also served in ranges",
            "content": {
                media_type: {"schema": {"type": "string", "format": "binary"}}
                for media_type in _MEDIA_TYPES.values()
            },
        },
        206: {"description": "The range that was asked for"},
        304: {"description": "The video that If-None-Match names has not changed"},
    },
)
async def clip(
    job: JobDep,
    resources: ResourcesDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The video that the job is about, as it was sent, as long as it is kept."""
    container = await run_sync(resources.remains.container, job)
    return BlobResponse.of(
        resources.blobs,
        clip_name(job.content),
        media_type=_MEDIA_TYPES[container],
        filename=f"{job.id}.{container}",
        if_none_match=if_none_match,
        headers={},
    )
