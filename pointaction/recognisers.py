"""Open whichever model of the store answers a clip. The registry is a dict.

Adding a kind of model is an opener and a line here, and a table in `catalog.toml`.
"""

from collections.abc import Callable
from pathlib import Path

from pointaction.errors import DamagedWeights
from pointaction.fused import FusedRecogniser, ProbeRecogniser
from pointaction.models.catalog import Entry, find
from pointaction.models.store import BUILDERS, load_model
from pointaction.pipeline import Recogniser
from pointaction.recognition import AnyRecogniser
from pointaction.video_networks import LOADERS, VideoRecogniser


def _of_tracks(store: Path, entry: Entry, device: str) -> AnyRecogniser:
    return Recogniser(entry, load_model(store, entry))


OPENERS: dict[str, Callable[[Path, Entry, str], AnyRecogniser]] = {
    **dict.fromkeys(BUILDERS, _of_tracks),
    "latefusion": FusedRecogniser.open,
    "attentiveprobe": ProbeRecogniser.open,
    **dict.fromkeys(LOADERS, VideoRecogniser.open),
}


def open_recogniser(store: Path, name: str, *, device: str = "cpu") -> AnyRecogniser:
    """The catalogue's model `name`, ready to answer; `device` is where its backbone runs.

    Raises UnknownModel, NotInstalled, MissingExtra and DamagedWeights, which say what to do.
    """
    entry = find(store, name)
    if entry.builder not in OPENERS:
        raise DamagedWeights(
            f"catalog.toml says that {entry.pinned} is a {entry.builder}, which this release does "
            "not know; install the release that made it, or a later one"
        )
    return OPENERS[entry.builder](store, entry, device)
