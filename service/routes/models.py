"""Which models, ways to choose points, trackers and depths there are."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from pointaction.appearance.installed import expect_backbone
from pointaction.depth.lifters import LIFTERS
from pointaction.errors import UnknownModel
from pointaction.fewshot.heads import DEFAULT_HEAD, HEADS, TrainedHead
from pointaction.methods import Method, Used
from pointaction.models import catalog
from pointaction.models.catalog import Entry
from pointaction.models.downloads import read_downloads
from pointaction.models.inventory import pinned
from pointaction.tracking.points import POINTS
from pointaction.tracking.trackers import TRACKERS
from service.answers import MethodAnswer, MethodTask, ModelAnswer
from service.dependencies import Resources, ResourcesDep
from service.problems import Refused
from workers.presence import loaded_models

router = APIRouter(prefix="/models", tags=["models"])


@router.get("")
def list_models(resources: ResourcesDep) -> list[ModelAnswer | MethodAnswer]:
    """What there is: models (task `classification`), with every version of them that is kept, ways
    to choose the points that are followed (`points`), trackers (`tracking`), depths (`depth`), and
    the heads of episodes, trained ones (`fewshot`) and others (`matching`).

    Each with its licence and digest, whether it is installed and how it would be, loaded or not.
    """
    loaded = loaded_models(resources.store.redis)
    settings = resources.settings
    default = pinned(settings.model_store, settings.default_model)
    entries = catalog.read_catalog(settings.model_store).values()
    models = [_describe(entry, resources, loaded, default) for entry in entries]
    return [*models, *_methods(resources, loaded)]


@router.get("/{name}")
def read_model(name: str, resources: ResourcesDep) -> ModelAnswer | MethodAnswer:
    """One of them, by its name, NAME@VERSION, or an alias such as `default`."""
    settings, loaded = resources.settings, loaded_models(resources.store.redis)
    try:
        entry = catalog.find(settings.model_store, name, task=None)
        default = pinned(settings.model_store, settings.default_model)
        return _describe(entry, resources, loaded, default)
    except UnknownModel as error:
        for method in _methods(resources, loaded):
            if method.name == name:
                return method
        raise Refused("not-found", str(error), value=name) from error


def _describe(
    entry: Entry, resources: Resources, loaded: set[str], default: str | None
) -> ModelAnswer:
    return ModelAnswer.of(
        entry,
        default=entry.pinned == default,
        installed=_installed(resources.settings.model_store, entry),
        loaded=not loaded.isdisjoint((entry.name, entry.pinned)),
    )


def _installed(store: Path, entry: Entry) -> bool:
    """With what it looks through."""
    try:
        expect_backbone(store, entry)
    except UnknownModel:
        return False
    return (store / entry.file).is_file()


def _methods(resources: Resources, loaded: set[str]) -> list[MethodAnswer]:
    """What makes tracks, but for those whose weights the catalogue does not know."""
    settings = resources.settings
    downloads = read_downloads(settings.model_store)
    # Heads that were trained are entries of the catalogue.
    untrained = [head for head in HEADS.values() if not isinstance(head, TrainedHead)]
    registries: tuple[tuple[MethodTask, str, list[Method[Any]]], ...] = (
        ("points", settings.points, list(POINTS.values())),
        ("tracking", settings.tracker, list(TRACKERS.values())),
        ("depth", settings.depth, list(LIFTERS.values())),
        ("matching", DEFAULT_HEAD, untrained),
    )
    return [
        MethodAnswer.of(
            method,
            downloads.get(method.runs_on(settings.model_store) or ""),
            _used(method, resources),
            task=task,
            default=method.name == default,
            loaded=method.name in loaded,
        )
        for task, default, methods in registries
        for method in methods
        if method.weights is None or method.weights in downloads
    ]


def _used(method: Method[Any], resources: Resources) -> Used | None:
    settings = resources.settings
    try:
        return method.used(settings.model_store, settings.running)
    except UnknownModel:
        return None
