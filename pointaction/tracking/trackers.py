"""Which trackers there are. The registry is a dict; adding one is an opener and an entry here."""

from dataclasses import dataclass
from pathlib import Path

from pointaction.methods import Method, Running
from pointaction.tracking.base import Tracker
from pointaction.version import LUCAS_KANADE_VERSION

DEFAULT_TRACKER = "lucas-kanade"


@dataclass(frozen=True, kw_only=True)
class TrackerMethod(Method[Tracker]):
    """A tracker, and the frames that it wants to see."""

    short_side: int  # pixels
    enlarge: bool = True  # whether smaller frames are enlarged to that


def _lucas_kanade(store: Path, running: Running) -> Tracker:
    from pointaction.tracking.lucas_kanade import LucasKanade

    return LucasKanade()


def _cotracker3(store: Path, running: Running) -> Tracker:
    from pointaction.models.downloads import find_download
    from pointaction.models.networks import open_network
    from pointaction.tracking.cotracker3 import CoTracker3Offline
    from pointaction.tracking.cotracker3_tracker import CoTracker3, compile_parts

    model = open_network(store, find_download(store, "cotracker3"), device=running.device)
    assert isinstance(model, CoTracker3Offline)
    if running.compiled:
        compile_parts(model)
    return CoTracker3(model=model, precision=running.precision)


def _cotracker_reference(store: Path, running: Running) -> Tracker:
    from pointaction.models.downloads import find_download, verified
    from pointaction.tracking.cotracker_reference import open_cotracker_reference

    weights = verified(store, find_download(store, "cotracker3"))
    return open_cotracker_reference(weights, device=running.device)


_ALL = (
    TrackerMethod(
        name="lucas-kanade",
        says="pyramidal Lucas-Kanade, each step checked by going back",
        version=LUCAS_KANADE_VERSION,
        open=_lucas_kanade,
        short_side=256,
    ),
    TrackerMethod(
        name="cotracker3",
        says="CoTracker3, offline: follows points through occlusion",
        version="1",
        open=_cotracker3,
        weights="cotracker3",
        heeds_precision=True,
        short_side=384,  # it looks at 384 x 512
        enlarge=False,
    ),
    TrackerMethod(
        name="cotracker-reference",
        says="the original package `cotracker`, where it is installed, to compare with",
        version="1",
        open=_cotracker_reference,
        weights="cotracker3",
        short_side=384,
        enlarge=False,
    ),
)
TRACKERS: dict[str, TrackerMethod] = {method.name: method for method in _ALL}
