"""What a caller who waited for a job is told: the result, the problem, or where to ask again."""

from typing import Any

from redis.exceptions import RedisError
from starlette.responses import JSONResponse, Response

from service import problems
from service.answers import JobAnswer
from service.dependencies import Resources
from service.preferences import Patience
from service.problems import Refused
from workers.jobs import Job, State

RETRY_AFTER_S = 1
# The headers of these answers, for the schema.
APPLIED: dict[str, Any] = {
    "Preference-Applied": {
        "description": "the part of `Prefer` that was followed",
        "schema": {"type": "string"},
    }
}
LATER: dict[str, Any] = {
    "Location": {"description": "of the job", "schema": {"type": "string"}},
    "Retry-After": {"description": "seconds", "schema": {"type": "integer"}},
}


async def finished(job: Job, resources: Resources, patience: Patience) -> Job:
    """The job's record once it has finished or the patience is over."""
    if job.state.finished or patience.seconds <= 0:
        return job
    try:
        current = await resources.events.wait(job, seconds=patience.seconds)
    except RedisError:
        return job  # it was accepted, and 503 would say that it was not
    if current is None:
        raise Refused("not-found", f"job {job.id} was deleted while it was awaited", job=job.id)
    return current


def unsuccessful(job: Job, patience: Patience) -> Response:
    """The answer for a job that has no result: 202 while it may get one, else its problem."""
    if problem := problems.of_job(job):
        return problems.respond(problem, headers=patience.headers)
    if job.state is State.CANCELLED:
        raise Refused("cancelled", f"job {job.id} was cancelled; send the clip again", job=job.id)
    headers = {
        "Location": f"/jobs/{job.id}",
        "Retry-After": str(RETRY_AFTER_S),
        **patience.headers,
    }
    return JSONResponse(JobAnswer.of(job).model_dump(mode="json"), 202, headers)
