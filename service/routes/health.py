"""Alive: this process answers. Ready: so does everything that a job needs."""

import os
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from redis.exceptions import RedisError

from pointaction.depth.lifters import LIFTERS
from pointaction.errors import DamagedWeights, UnknownModel
from pointaction.methods import Method
from pointaction.models.inventory import held, lookup
from pointaction.tracking.points import POINTS
from pointaction.tracking.trackers import TRACKERS
from service.answers import Health
from service.dependencies import Resources, ResourcesDep
from service.problems import Refused
from service.settings import ServiceSettings
from workers.presence import alive_workers

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
        "models": _check(lambda: _defaults_are_whole(resources.settings)),
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
    if not alive_workers(resources.store.redis):
        raise LookupError("none has been heard of; start one with `pointaction worker`")


def _defaults_are_whole(settings: ServiceSettings) -> None:
    """The weights of the default model, points, tracker and depth are those they should be."""
    store = settings.model_store
    methods: list[Method[Any]] = [
        POINTS[settings.points],
        TRACKERS[settings.tracker],
        LIFTERS[settings.depth],
    ]
    names = [settings.default_model, *filter(None, (each.runs_on(store) for each in methods))]
    for name in names:
        try:
            files = held(store, lookup(store, name))
        except UnknownModel:
            raise LookupError(f"{name} is not in the store; see `pointaction models`") from None
        except DamagedWeights:
            raise LookupError("the store cannot be read; see `pointaction models`") from None
        if any(file.fault for file in files):
            raise LookupError(f"{name} is missing or damaged; see `pointaction models verify`")
