from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pointaction.appearance.cache import FeatureCache
from pointaction.appearance.frozen import FrozenBackbone
from pointaction.appearance.stored import open_stored
from pointaction.clip import Clip
from pointaction.errors import InputError, NotInstalled, UnknownModel
from pointaction.extraction.extract import extract
from pointaction.extraction.follower import Followed, Follower, How
from pointaction.extraction.looks import Looks
from pointaction.extraction.sources import read_source
from pointaction.methods import Running
from pointaction.models.catalog import DEFAULT_STORE, find
from pointaction.synthetic.sample import write_sample
from pointaction.trackstore.store import TrackStore
from pointaction.training.clip_folder import read_clips
from pointaction.training.looked_clips import look_at_clips
from tests.pointaction.trackstore.stores import contents

HOW = How(tracks=8, features="looks-tiny")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of each of two labels."""
    folder = tmp_path_factory.mktemp("clips")
    for number, motion in enumerate(["moving left", "moving right"]):
        place = folder / motion.replace(" ", "-")
        place.mkdir(exist_ok=True)
        write_sample(motion, place / f"{number}.mp4", seed=number, side=64, frames=16)
    return folder


@pytest.fixture(scope="module")
def store(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> TrackStore:
    """Their store, made by two processes."""
    folder = tmp_path_factory.mktemp("store")
    outcome = extract(read_source(clips), folder, HOW, processes=2)
    assert (outcome.added, outcome.failures) == (2, [])
    return TrackStore(folder)


def test_the_store_says_which_backbone_it_was(store: TrackStore) -> None:
    told = store.making.backbone
    assert told is not None
    assert told["name"] == "looks-tiny"
    assert told["sha256"] == find(DEFAULT_STORE, "looks-tiny", task=None).sha256
    assert told["digest"] == open_stored(DEFAULT_STORE, "looks-tiny").digest
    assert (told["frames"], told["timeless"], told["licence"]) == (16, True, "Apache-2.0")
    assert {entry.features for entry in store} == {(16 * 8 * 8, 192)}
    assert store.faults(0, decoding=True) == []


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As in the processes that extract: sums come out alike."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_features_are_those_that_training_finds_by_itself(
    clips: Path, store: TrackStore, tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path)
    backbone = open_stored(DEFAULT_STORE, "looks-tiny")
    looked = look_at_clips(
        read_clips(clips), backbone, cache, progress=lambda *told: None, failed=lambda *told: None
    )
    for clip, digest in zip(looked.clips, looked.digests, strict=True):
        kept = cache.get(digest, backbone.digest)
        found = store.features(f"{clip.label}/{clip.path.stem}")
        assert kept is not None
        assert found is not None
        np.testing.assert_array_equal(found.tokens, kept.tokens[0].half().numpy())
        np.testing.assert_array_equal(found.time, kept.time.numpy())


def test_the_bytes_are_one_however_many_processes_look(
    clips: Path, store: TrackStore, tmp_path: Path
) -> None:
    extract(read_source(clips), tmp_path, HOW, processes=1)
    assert contents(tmp_path) == contents(Path(store.url))


def test_another_backbone_and_none_are_refused(clips: Path, store: TrackStore) -> None:
    for other in (None, "trajectorynet-small"):
        with pytest.raises(InputError, match="made otherwise: backbone was .*looks-tiny"):
            extract(read_source(clips), store.url, replace(HOW, features=other))


def test_tracks_are_what_they_are_without(clips: Path, store: TrackStore) -> None:
    wanted = read_source(clips)[0]
    plain = Follower(replace(HOW, features=None)).follow(wanted)
    assert isinstance(plain, Followed)
    assert plain.members["tracks"] == store.read_part(wanted.key, "tracks")
    assert "features" not in plain.members


def test_a_backbone_that_is_not_there_is_told_before_any_clip(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="no backbone 'looks-huge'; there is looks-tiny"):
        extract(read_source(clips), tmp_path / "a", replace(HOW, features="looks-huge"))
    with pytest.raises(NotInstalled, match="pointaction models pull dinov2-small"):
        extract(read_source(clips), tmp_path / "b", replace(HOW, features="dinov2-small"))
    assert list(tmp_path.iterdir()) == []


def test_features_that_are_no_numbers_are_refused() -> None:
    looks = Looks("looks-tiny", DEFAULT_STORE, Running())
    assert isinstance(looks.backbone, FrozenBackbone)
    next(looks.backbone.network.parameters()).fill_(float("nan"))
    clip = Clip.from_frames(np.zeros((2, 16, 16, 3), np.uint8), fps=1)
    with pytest.raises(InputError, match="not finite in half precision"):
        looks.features(clip)
