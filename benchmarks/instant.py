"""A worker that has clips followed at once: what is left is the queue.

python -m benchmarks.instant    with POINTACTION_* set, as `benchmarks.scheduler` starts it
"""

import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import cast

import numpy as np

from pointaction.extraction.follower import Followed, How
from pointaction.extraction.sources import Wanted
from pointaction.tracks import Tracks
from pointaction.trackstore.sample import JSON, Sample
from workers.following import Following
from workers.launch import run_worker
from workers.process import Library
from workers.settings import Settings

COUNT, FRAMES = 512, 32
FOLLOWED = "followed"  # in the data folder: a byte for every clip that was followed


class Instant:
    """Gives every clip the same tracks."""

    def __init__(self, settings: Settings) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._log = os.open(settings.data_dir / FOLLOWED, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def follow(self, wanted: Wanted) -> Followed:
        os.write(self._log, b".")
        return record(wanted)


def record(wanted: Wanted) -> Followed:
    """What a clip becomes."""
    same = _members()
    told = json.loads(same[JSON]) | {
        "key": wanted.key,
        "label": wanted.label,
        "about": wanted.about,
    }
    text = json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
    return Followed(key=wanted.key, members={**same, JSON: text})


@cache
def _members() -> Mapping[str, bytes]:
    """Points that drift and tremble: about as many bytes as a real clip's."""
    chance = np.random.default_rng(0)
    start = chance.uniform(0, 300, (COUNT, 1, 2))
    drift = chance.normal(0, 0.5, (COUNT, 1, 2)) * np.arange(FRAMES)[:, None]
    trembling = chance.normal(0, 1.4, (COUNT, FRAMES, 2)).cumsum(1)
    visible = chance.random((COUNT, 1)) < np.linspace(1.0, 0.55, FRAMES)
    seen = np.maximum.accumulate(np.where(visible, np.arange(FRAMES), 0), axis=1)
    xy = np.take_along_axis(start + drift + trembling, seen[..., None], axis=1)
    tracks = Tracks(
        xy=xy.astype(np.float32),
        visible=visible,
        confidence=visible.astype(np.float32),
        query=np.column_stack([np.zeros(COUNT), xy[:, 0]]).astype(np.float32),
        size=(256, 340),
        times=np.arange(FRAMES) / 12.5,
        depth=np.ones((COUNT, FRAMES), np.float32),
    )
    return Sample(key="any", tracks=tracks).members()


def _open(settings: Settings, how: How, making: str) -> Following:
    return Instant(settings)


def _no_library(settings: Settings) -> Library:
    return cast(Library, object())  # no job comes to this worker


if __name__ == "__main__":
    sys.exit(run_worker(Settings(), open_library=_no_library, open_following=_open))
