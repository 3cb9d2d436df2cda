from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pointaction.errors import InputError
from pointaction.trackstore.part import Part
from pointaction.trackstore.reader import OrderedReader
from pointaction.trackstore.store import TrackStore
from tests.pointaction.trackstore.stores import filled


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackStore:
    """22 clips in shards of four, a and b by turns."""
    return filled(tmp_path_factory.mktemp("store"), 22)


def test_a_part_has_the_clips_that_are_wanted(store: TrackStore) -> None:
    part = Part.of(store, lambda entry: entry.label == "b")
    assert len(part) == 11
    assert [entry.key for entry in part] == [f"clips/{number:04d}" for number in range(1, 22, 2)]
    assert len(Part.of(store)) == 22


def test_an_epoch_shows_each_of_them_once_and_no_other(store: TrackStore) -> None:
    part = Part.of(store, lambda entry: int(entry.key[-4:]) >= 15)  # none of the first shards
    reader = OrderedReader(store, part.order(seed=1, lanes=2, window=2))
    seen = Counter(
        reader.turn(lane, turn)[0].key
        for lane in (0, 1)
        for turn in range(reader.order.length(lane))
    )
    assert seen == Counter(entry.key for entry in part)


def test_all_clips_are_in_the_order_of_the_store_as_a_whole(store: TrackStore) -> None:
    from pointaction.trackstore.order import Order, Window

    part = Part.of(store).order(seed=3, lanes=2)
    whole = Order(clips=tuple(seal.clips for seal in store.shards), seed=3, lanes=2)
    for window in (Window(0, 0, 0), Window(1, 1, 0)):
        for one, other in zip(part.places(window), whole.places(window), strict=True):
            np.testing.assert_array_equal(one, other)


def test_other_clips_have_another_digest(store: TrackStore) -> None:
    digests = {
        Part.of(store).digest,
        Part.of(store, lambda entry: entry.label == "a").digest,
        Part.of(store, lambda entry: entry.label == "b").digest,
    }
    assert len(digests) == 3


def test_more_lanes_than_clips_are_refused(store: TrackStore) -> None:
    part = Part.of(store, lambda entry: entry.key == "clips/0003")
    with pytest.raises(InputError, match="a store of 1 clips cannot be shared by 2 readers"):
        part.order(seed=1, lanes=2)


def test_a_part_without_clips_is_empty(store: TrackStore, tmp_path: Path) -> None:
    assert list(Part.of(store, lambda entry: False)) == []
