"""Alive: this process answers. Ready: so does everything that a job needs."""

import os
from collections.abc import Callable

from fastapi import APIRouter
from redis.exceptions import RedisError

from service import readiness
from service.answers import Health
from service.dependencies import Resources, ResourcesDep
from service.problems import Refused
from workers.presence import alive_for

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> Health:
    """This process answers."""
    return Health(status="alive")


@router.get("/ready")
def ready(resources: ResourcesDep) -> Health:
    """Broker, cache and blob store answer, at least one worker has been heard of lately, and what
    answers by default is whole.
    """
    checks = {
        "broker": _check(resources.store.redis.ping),
        "cache": _check(resources.results.redis.ping),
        "blobs": _check(lambda: _blobs_take_files(resources)),
        "workers": _check(lambda: _some_worker_lives(resources)),
        "models": _check(lambda: readiness.expect_models(resources.settings)),
    }
    failing = {name: fault for name, fault in checks.items() if fault != "ok"}
    if failing:
        raise Refused(
            "not-ready",
            "; ".join(f"{name}: {fault}" for name, fault in failing.items()),
            value=sorted(failing),
            more={"checks": checks},
        )
    return Health(status="ready", checks=checks)


def _check(look: Callable[[], object]) -> str:
    """ok, or what is wrong; without addresses and paths, because everyone may ask."""
    try:
        look()
    except LookupError as error:
        return str(error.args[0])
    except (RedisError, OSError):
        return "does not answer"
    return "ok"


def _blobs_take_files(resources: Resources) -> None:
    resources.blobs.check()
    if resources.blobs.local and not os.access(resources.blobs.root, os.W_OK):
        raise LookupError("cannot be written to")


def _some_worker_lives(resources: Resources) -> None:
    if not alive_for(resources.store.redis, "jobs"):
        raise LookupError(
            "none that takes jobs has been heard of; start one with `pointaction worker`"
        )
