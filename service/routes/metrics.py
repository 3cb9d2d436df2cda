"""Numbers for Prometheus."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from service.dependencies import ResourcesDep

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(resources: ResourcesDep) -> Response:
    """Requests of all web processes, the queue, the workers and the stages of jobs."""
    return Response(resources.metrics.render(), media_type=CONTENT_TYPE_LATEST)
