"""Small stores whose clips go to the left or to the right, and look dark or light."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from pointaction.tracks import Tracks
from pointaction.trackstore.features import StoredFeatures
from pointaction.trackstore.sample import Sample
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter
from tests.pointaction.trackstore.stores import BACKBONE, MAKING

WAYS = ("left", "right")


def sliding(number: int, way: int, *, count: int = 16, frames: int = 8) -> Tracks:
    """All go the same way, by 2 pixels a frame, through a picture of 48 x 64."""
    chance = np.random.default_rng(number)
    start = chance.uniform(16, 48, (count, 1, 2))
    xy = start + np.array([2.0 * way, 0.0]) * np.arange(frames)[:, None]
    return Tracks(
        xy=xy.astype(np.float32),
        visible=np.ones((count, frames), bool),
        confidence=np.ones((count, frames), np.float32),
        query=np.column_stack([np.zeros(count), xy[:, 0]]).astype(np.float32),
        size=(48, 64),
        times=np.arange(frames) / 12.5,
        depth=(1 + chance.random((count, 1)) * np.ones((1, frames))).astype(np.float32),
    )


def looking(number: int, way: int, *, steps: int = 2, side: int = 4) -> StoredFeatures:
    """Frames of side x side patches of 6 numbers, of which the first three tell the way."""
    chance = np.random.default_rng(number)
    tokens = chance.normal(0, 0.2, (steps * side * side, 6))
    tokens[:, :3] += way
    time = np.repeat(np.arange(steps, dtype=np.int16), side * side)
    return StoredFeatures(tokens=tokens.astype(np.float16), time=time)


def store_of(
    folder: Path,
    clips: int,
    *,
    split: Callable[[int], str | None] = lambda number: None,
    looks: bool = False,
    tracks: bool = True,
    depth: str = "looming",
    names: tuple[str, ...] = WAYS,
    clips_per_shard: int = 4,
) -> TrackStore:
    """Clip `number` goes by turns to the left and to the right, and is of a split.

    names: labels, which take turns too; looks: with features. tracks: False for wandering ones.
    """
    making = replace(
        MAKING,
        depth={**(MAKING.depth or {}), "name": depth},
        backbone={**BACKBONE, "frames": 2} if looks else None,
    )
    with StoreWriter(TrackStore.create(folder, making), clips_per_shard=clips_per_shard) as writer:
        for number in range(clips):
            told = split(number)
            way = 2 * (number % 2) - 1
            writer.add(
                Sample(
                    key=f"clips/{number:04d}",
                    tracks=sliding(number, way if tracks else 0),
                    label=names[number % len(names)],
                    about={"split": told} if told else {},
                    features=looking(number, way) if looks else None,
                )
            )
    return TrackStore(folder)
