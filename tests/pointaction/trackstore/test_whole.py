from pathlib import Path

import pytest
import torch

from pointaction.pipeline import inputs
from pointaction.trackstore.part import Part
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.whole import WholeClips
from tests.pointaction.trackstore.stores import filled
from tests.pointaction.training.stored import store_of


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackStore:
    """Ten clips of six tracks, a and b by turns, in shards of four."""
    return filled(tmp_path_factory.mktemp("store"), 10)


def test_clips_come_in_order_across_shards(store: TrackStore) -> None:
    clips = WholeClips(Part.of(store), ["b", "a"], frames=5, together=3)
    assert len(clips) == 4
    assert torch.cat([clips[number].label for number in range(4)]).tolist() == [1, 0] * 5
    assert clips[3].geometry.shape == (1, 6, 5, 3)


def test_they_are_as_the_pipeline_shows_them_to_a_model(store: TrackStore) -> None:
    """Up to the order of tracks, which says nothing."""
    batch = WholeClips(Part.of(store), frames=8, together=1)[7]
    geometry, visible = inputs(store.read("clips/0007"), 8)

    def rows(told: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        told = torch.cat([told[0, ..., :2].flatten(1), seen[0].float()], 1)
        return told[told[:, 0].argsort()]

    # Stored positions are rounded to 1/32 of a pixel, of 64.
    torch.testing.assert_close(
        rows(batch.geometry, batch.visible), rows(geometry, visible), rtol=0, atol=1e-3
    )


def test_the_depth_of_a_network_is_taken_as_it_is_stored(tmp_path: Path) -> None:
    """Sliding tracks each keep a depth of their own, which looming would not find."""
    own = store_of(tmp_path / "own", 2, depth="video-depth-anything-small")
    depth = WholeClips(Part.of(own), frames=8)[0].geometry[..., 2]
    assert depth[0].std(0).min() > 0.1 * depth[0].std()  # tracks differ
    assert depth[0].std(1).max() < 1e-3  # frames do not
    looming = store_of(tmp_path / "looming", 2)
    flat = WholeClips(Part.of(looming), frames=8)[0].geometry[..., 2]
    assert flat[0].std() < 0.1 * depth[0].std()


def test_a_sample_is_another_for_another_draw(store: TrackStore) -> None:
    def drawn(draw: int) -> torch.Tensor:
        return WholeClips(Part.of(store), frames=5, sample=3, draw=draw)[0].geometry

    assert drawn(0).shape == (10, 3, 5, 3)
    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))


def test_more_tracks_than_there_are_are_not_present(store: TrackStore) -> None:
    batch = WholeClips(Part.of(store), frames=5, sample=8)[0]
    assert batch.present.sum(1).tolist() == [6] * 10
    assert not batch.visible[~batch.present].any()
