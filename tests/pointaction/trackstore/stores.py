"""Small stores that tests are made of."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pointaction.tracks import Tracks
from pointaction.trackstore.features import StoredFeatures
from pointaction.trackstore.manifest import Making
from pointaction.trackstore.sample import Sample
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter

MAKING = Making(
    tracker={"name": "lucas-kanade", "version": "1", "digest": None, "licence": "Apache-2.0"},
    points={"name": "random", "version": "1", "digest": None, "licence": "Apache-2.0"},
    depth={"name": "looming", "version": "2", "digest": None, "licence": "Apache-2.0"},
    tracks=6,
    sampling="5 frames spread over the clip",
)


BACKBONE = {
    "name": "looks-tiny",
    "digest": "d" * 64,
    "sha256": "5" * 64,
    "frames": 2,
    "timeless": True,
    "licence": "Apache-2.0",
}


def wandering(number: int, *, count: int = 6, frames: int = 5, depth: bool = True) -> Tracks:
    """Tracks that walk at random through a picture of 48 x 64; another number, another walk."""
    chance = np.random.default_rng(number)
    xy = chance.uniform(8, 40, (count, 1, 2)) + chance.normal(0, 1, (count, frames, 2)).cumsum(1)
    start = chance.integers(0, frames, count)
    return Tracks(
        xy=xy.astype(np.float32),
        visible=chance.random((count, frames)) < 0.7,
        confidence=chance.random((count, frames), np.float32),
        query=np.column_stack([start, xy[np.arange(count), start]]).astype(np.float32),
        size=(48, 64),
        times=np.arange(frames) / 12.5,
        depth=chance.uniform(0.5, 2, (count, frames)).astype(np.float32) if depth else None,
    )


def sample(number: int) -> Sample:
    """Clip `number`, of the label a or b; c is nobody's."""
    return Sample(
        key=f"clips/{number:04d}",
        tracks=wandering(number),
        label="ab"[number % 2],
        about={"source": f"{number}.mp4"},
    )


def seen(number: int) -> StoredFeatures:
    """What a backbone might have found in clip `number`: two tokens of two moments each."""
    chance = np.random.default_rng(number)
    return StoredFeatures(
        tokens=chance.normal(size=(4, 3)).astype(np.float16),
        time=np.array([0, 0, 1, 1], np.int16),
    )


def samples(count: int) -> Iterator[Sample]:
    return map(sample, range(count))


def filled(
    url: Path | str, count: int, *, clips_per_shard: int = 4, spool: Path | None = None
) -> TrackStore:
    """A store of so many clips."""
    store = TrackStore.create(url, MAKING)
    with StoreWriter(store, clips_per_shard=clips_per_shard, spool=spool) as writer:
        for each in samples(count):
            writer.add(each)
    return TrackStore(url)


def looked_at(folder: Path, count: int) -> TrackStore:
    """A store of so many clips that a backbone has looked at too, in shards of four."""
    making = replace(MAKING, backbone=BACKBONE)
    with StoreWriter(TrackStore.create(folder, making), clips_per_shard=4) as writer:
        for number in range(count):
            writer.add(replace(sample(number), features=seen(number)))
    return TrackStore(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their paths in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
