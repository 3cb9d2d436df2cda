"""Whether what answers by default is all there: for `/health/ready` and `pointaction doctor`."""

from importlib.util import find_spec
from typing import Any

from pointaction.appearance.installed import expect_backbone
from pointaction.depth.lifters import LIFTERS
from pointaction.errors import DamagedWeights, UnknownModel
from pointaction.methods import Method
from pointaction.models.backends import computed
from pointaction.models.catalog import Entry
from pointaction.models.inventory import held, lookup
from pointaction.tracking.points import POINTS
from pointaction.tracking.trackers import TRACKERS
from service.settings import ServiceSettings


def expect_models(settings: ServiceSettings) -> None:
    """The weights of the default model, points, tracker and depth are those they should be, and
    what the model looks through or is computed by is installed.

    Raises LookupError, which says what is wrong without addresses and paths: everyone may ask.
    """
    store = settings.model_store
    methods: list[Method[Any]] = [
        POINTS[settings.points],
        TRACKERS[settings.tracker],
        LIFTERS[settings.depth],
    ]
    names = [settings.default_model, *filter(None, (each.runs_on(store) for each in methods))]
    for name in names:
        try:
            item = lookup(store, name)
            files = held(store, item)
        except UnknownModel:
            raise LookupError(f"{name} is not in the store; see `pointaction models`") from None
        except DamagedWeights:
            raise LookupError("the store cannot be read; see `pointaction models`") from None
        if any(file.fault for file in files):
            raise LookupError(f"{name} is missing or damaged; see `pointaction models verify`")
        if isinstance(item, Entry):
            _expect_companions(settings, item)


def _expect_companions(settings: ServiceSettings, entry: Entry) -> None:
    try:
        expect_backbone(settings.model_store, entry)
    except UnknownModel:
        backbone = entry.backbone.name if entry.backbone else ""
        raise LookupError(
            f"{entry.name} looks through {backbone}, which is not installed; "
            f"see `pointaction models pull {backbone}`"
        ) from None
    backend = computed(entry, settings.backend, settings.data_dir).backend
    # Only a machine that has torch answers by itself; of those of other machines nothing is known.
    if backend.startswith("onnx") and find_spec("torch") and not find_spec("onnxruntime"):
        raise LookupError(
            f"{entry.name} is to be computed by ONNX Runtime, which is not installed; "
            "pip install 'pointaction[onnx]'"
        )
