from pathlib import Path

import numpy as np
import pytest

from pointaction.clip import Clip
from pointaction.methods import Running
from pointaction.tracking.points import DEFAULT_POINTS, POINTS
from pointaction.tracking.queries import random_queries
from tests.pointaction.models.stores import know_downloads, pretend, small_store


@pytest.fixture
def clip() -> Clip:
    frames = np.random.default_rng(0).integers(256, size=(5, 24, 36, 3), dtype=np.uint8)
    return Clip.from_frames(frames, fps=5)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    know_downloads(small_store(tmp_path))
    return tmp_path


def test_by_default_points_are_random(clip: Clip, store: Path) -> None:
    chosen = POINTS[DEFAULT_POINTS].open(store, Running())(clip, 7)
    np.testing.assert_array_equal(chosen, random_queries(clip, 7))


def test_a_grid_has_squares(clip: Clip, store: Path) -> None:
    """24 by 36 pixels: 2 rows of 3, 12 pixels apart, in the third of five frames."""
    chosen = POINTS["grid"].open(store, Running())(clip, 6)
    rows = [[2, x, y] for y in (5.5, 17.5) for x in (5.5, 17.5, 29.5)]
    assert chosen.tolist() == rows


def test_semantic_points_are_as_many_as_were_asked_for(clip: Clip, store: Path) -> None:
    chosen = POINTS["semantic"].open(store, Running())(clip, 50)
    assert chosen.shape == (50, 3)
    assert (chosen >= 0).all()
    assert (chosen <= [4, 35, 23]).all()


def test_semantic_points_name_the_network_behind_them(store: Path) -> None:
    method = POINTS["semantic"]
    plain = method.used(store, Running())
    assert (plain.version, plain.digest, method.runs_on(store)) == ("1", None, None)
    pretend(store, "dinov2-small", "8" * 64)
    used = method.used(store, Running())
    assert (used.version, used.digest) == ("1+dinov2-small", "8" * 64)
    assert method.runs_on(store) == "dinov2-small"
    pretend(store, "dinov2-base", "9" * 64)
    assert method.used(store, Running()).version == "1+dinov2-base"
