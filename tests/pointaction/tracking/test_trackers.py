from pathlib import Path

import pytest

from pointaction.methods import Running
from pointaction.tracking.base import Tracker
from pointaction.tracking.cotracker3_tracker import CoTracker3
from pointaction.tracking.lucas_kanade import LucasKanade
from pointaction.tracking.trackers import DEFAULT_TRACKER, TRACKERS


def test_the_default_needs_no_store() -> None:
    tracker: Tracker = TRACKERS[DEFAULT_TRACKER].open(Path("nowhere"), Running())
    assert isinstance(tracker, LucasKanade)


@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # torch's own, on import
def test_cotracker3_is_opened_as_it_is_to_be_run(network_store: Path) -> None:
    running = Running(precision="bfloat16", compiled=True)
    tracker = TRACKERS["cotracker3"].open(network_store, running)
    assert isinstance(tracker, CoTracker3)
    assert tracker.precision == "bfloat16"
    assert not tracker.model.training
    parts = tracker.model.named_modules()
    compiled = {name for name, part in parts if part._compiled_call_impl}
    assert {"fnet", "corr_mlp"} <= compiled
    assert not {"", "updateformer"} & compiled  # small steps alone
