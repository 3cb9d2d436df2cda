"""The service at a glance."""

from fastapi import APIRouter

from service.answers import SystemAnswer
from service.dependencies import ResourcesDep

router = APIRouter(tags=["health"])


@router.get("/system")
def system(resources: ResourcesDep) -> SystemAnswer:
    """The queue, the workers, what was answered from the cache, and how jobs have ended.

    Numbers only: whose they are, and of which files, it does not tell.
    """
    return resources.glance()
