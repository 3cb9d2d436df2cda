"""What can be chosen, without opening any of it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pointaction.depth.lifters import LIFTERS
from pointaction.errors import NotInstalled
from pointaction.methods import Method, Running, Used
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.models.downloads import find_download
from pointaction.tracking.points import POINTS
from pointaction.tracking.trackers import TRACKERS
from tests.pointaction.models.stores import know_downloads, pretend, small_store

REGISTRIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("points", POINTS),
    ("tracking", TRACKERS),
    ("depth", LIFTERS),
)
METHODS = [method for _, registry in REGISTRIES for method in registry.values()]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    know_downloads(small_store(tmp_path))
    return tmp_path


def test_every_method_knows_where_its_weights_come_from() -> None:
    for task, registry in REGISTRIES:
        for name, method in registry.items():
            assert method.name == name
            if method.weights:
                assert find_download(DEFAULT_STORE, method.weights).task == task


def test_a_name_stands_for_one_thing() -> None:
    """A worker keeps what it has opened by its name, and `GET /models/{name}` finds it so."""
    names = [method.name for method in METHODS]
    assert len(set(names)) == len(names)


def test_the_defaults_need_nothing_and_are_under_our_licence(store: Path) -> None:
    used = TRACKERS["lucas-kanade"].used(store, Running(precision="bfloat16"))
    assert used == Used(name="lucas-kanade", version="1", digest=None, licence="Apache-2.0")


@pytest.mark.parametrize("method", [m for m in METHODS if m.weights], ids=lambda m: m.name)
def test_weights_that_are_missing_come_with_the_command(store: Path, method: Method[Any]) -> None:
    with pytest.raises(NotInstalled, match=f"pointaction models pull {method.weights}"):
        method.used(store, Running())
    with pytest.raises(NotInstalled, match=f"pointaction models pull {method.weights}"):
        method.open(store, Running())


def test_weights_bring_their_digest_and_licence_and_rounding_is_another_version(
    store: Path,
) -> None:
    pretend(store, "cotracker3")
    exact = TRACKERS["cotracker3"].used(store, Running())
    assert exact == Used(name="cotracker3", version="1", digest="7" * 64, licence="CC-BY-NC-4.0")
    coarse = Running(precision="bfloat16")
    assert TRACKERS["cotracker3"].used(store, coarse).version == "1+bfloat16"
    # The original knows nothing of it.
    assert TRACKERS["cotracker-reference"].used(store, coarse).version == "1"


def test_to_know_them_needs_no_torch() -> None:
    program = (
        "import sys, pointaction.depth.lifters, pointaction.tracking.trackers\n"
        "import pointaction.tracking.points\n"
        "print(*(sys.modules.keys() & {'torch', 'cv2', 'av', 'transformers'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
