"""Which models there are."""

from fastapi import APIRouter

from pointaction.errors import UnknownModel
from pointaction.models import catalog
from pointaction.models.catalog import Entry
from service.answers import ModelAnswer
from service.dependencies import Resources, ResourcesDep
from service.problems import Refused
from workers.presence import loaded_models

router = APIRouter(prefix="/models", tags=["models"])


@router.get("")
def list_models(resources: ResourcesDep) -> list[ModelAnswer]:
    """What is in the model store: task, labels, licence, digest, input contract, loaded or not."""
    loaded = loaded_models(resources.store.redis)
    entries = catalog.read_catalog(resources.settings.model_store).values()
    return [_describe(entry, resources, loaded) for entry in entries]


@router.get("/{name}")
def read_model(name: str, resources: ResourcesDep) -> ModelAnswer:
    """One model of the store."""
    try:
        entry = catalog.find(resources.settings.model_store, name)
    except UnknownModel as error:
        raise Refused("not-found", str(error), value=name) from error
    return _describe(entry, resources, loaded_models(resources.store.redis))


def _describe(entry: Entry, resources: Resources, loaded: set[str]) -> ModelAnswer:
    settings = resources.settings
    return ModelAnswer.of(
        entry,
        default=entry.name == settings.default_model,
        installed=(settings.model_store / entry.file).is_file(),
        loaded=entry.name in loaded,
    )
