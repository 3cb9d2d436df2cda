import json
from itertools import islice
from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.stream import StoreStream
from tests.pointaction.trackstore.stores import (
    filled,
    looked_at,
    sample,
    samples,
    seen,
    wandering,
)

EVERY = sorted(each.key for each in samples(22))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackStore:
    """22 clips in six shards."""
    return filled(tmp_path_factory.mktemp("store"), 22)


def keys(stream: StoreStream, count: int | None = None) -> list[str]:
    return [clip.entry.key for clip in islice(stream, count)]


def test_an_epoch_has_every_clip_once(store: TrackStore) -> None:
    found = keys(StoreStream(store, epochs=1))
    assert sorted(found) == EVERY
    assert found != EVERY
    assert sorted(keys(StoreStream(store, epochs=3))) == sorted(EVERY * 3)


def test_clips_come_with_their_tracks_and_label(store: TrackStore) -> None:
    for clip in StoreStream(store, epochs=1):
        number = int(clip.entry.key[-4:])
        assert clip.entry.label == sample(number).label
        assert abs(clip.tracks.xy - wandering(number).xy).max() <= 1 / 64


@pytest.mark.parametrize("readers", [0, 2])
def test_clips_come_with_their_features_where_these_are_asked_for(
    tmp_path: Path, readers: int
) -> None:
    looked = looked_at(tmp_path, 9)
    for clip in StoreStream(looked, epochs=1, readers=readers, features=True):
        assert clip.features is not None
        assert (clip.features.tokens == seen(int(clip.entry.key[-4:])).tokens).all()
    assert next(iter(StoreStream(looked))).features is None


def test_a_store_without_features_gives_none(store: TrackStore) -> None:
    assert next(iter(StoreStream(store, features=True))).features is None


def test_without_an_end_it_goes_on(store: TrackStore) -> None:
    assert len(keys(StoreStream(store), 100)) == 100


def test_two_ranks_see_disjoint_halves(store: TrackStore) -> None:
    halves = [keys(StoreStream(store, rank=rank, world=2, epochs=1)) for rank in (0, 1)]
    assert [len(half) for half in halves] == [11, 11]
    assert sorted(halves[0] + halves[1]) == EVERY


@pytest.mark.parametrize("readers", [1, 2])
def test_however_many_processes_read_the_order_is_one(store: TrackStore, readers: int) -> None:
    alone = keys(StoreStream(store, epochs=2, window=3))
    assert keys(StoreStream(store, epochs=2, window=3, readers=readers)) == alone


@pytest.mark.parametrize("readers", [0, 2])
@pytest.mark.parametrize("stop", [1, 10, 23, 40])
def test_a_stream_that_was_left_goes_on_with_the_next_clip(
    store: TrackStore, readers: int, stop: int
) -> None:
    whole = keys(StoreStream(store, window=3), 60)
    stream = StoreStream(store, window=3, readers=readers)
    begun = keys(stream, stop)
    state = json.loads(json.dumps(stream.state_dict()))
    later = StoreStream(TrackStore(store.url), window=3)
    later.load_state_dict(state)
    assert begun + keys(later, 60 - stop) == whole


def test_the_state_of_another_order_is_refused(store: TrackStore, tmp_path: Path) -> None:
    state = StoreStream(store).state_dict()
    with pytest.raises(InputError, match="seed was 1 and is 2; world was 1 and is 2"):
        StoreStream(store, seed=2, world=2).load_state_dict(state)
    with pytest.raises(InputError, match="store was"):
        StoreStream(filled(tmp_path, 23)).load_state_dict(state)


def test_a_share_that_cannot_be_is_refused(store: TrackStore) -> None:
    with pytest.raises(InputError, match="rank is 0 to 1 of 2, not 2"):
        StoreStream(store, rank=2, world=2)
    with pytest.raises(InputError, match="3 readers cannot share 4 lanes"):
        StoreStream(store, readers=3)
    with pytest.raises(InputError, match="22 clips cannot be shared by 24 readers"):
        StoreStream(store, world=6)
