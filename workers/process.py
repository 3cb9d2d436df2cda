"""What one pool process opens once: connections, and the models it has been asked for."""

import os
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.models.catalog import Entry, find
from pointaction.tracks import Tracks
from workers import presence
from workers.blobs import BlobStore
from workers.jobs import JobStore
from workers.results import ResultCache
from workers.settings import Settings

Report = Callable[[str, float], None]  # stage, overall progress 0 to 1; raises to stop the work


class Recognition(Protocol):
    """As `pointaction.pipeline.Recognition`."""

    @property
    def scores(self) -> dict[str, float]: ...  # every label, the best first
    @property
    def none_of_these(self) -> bool | None: ...  # None: the model is not calibrated
    @property
    def attention(self) -> NDArray[np.float32]: ...  # (heads, N), each row sums to 1
    @property
    def tracks(self) -> Tracks: ...  # with depth


class Recogniser(Protocol):
    def recognise(self, tracks: Tracks, *, report: Report) -> Recognition: ...


class Library(Protocol):
    """What a worker asks of the library. Raises pointaction.errors.PointActionError."""

    def decode(self, path: Path, *, sha256: str) -> Clip: ...
    def track(self, clip: Clip, *, report: Report) -> Tracks: ...
    def load(self, model: str) -> Recogniser: ...
    def draw(
        self,
        path: Path,
        frames: NDArray[np.uint8] | None,
        tracks: Tracks,
        weights: NDArray[np.float32],
        *,
        format: str,
    ) -> None: ...


class Process:
    """Made on the first job of a pool process, never in its parent: nothing of this survives a
    fork, and torch must not be there before one.
    """

    def __init__(self, settings: Settings, library: Library) -> None:
        self.settings = settings
        self.library = library
        self._recognisers: dict[str, tuple[str, Recogniser]] = {}

    @cached_property
    def jobs(self) -> JobStore:
        return JobStore.open(self.settings)

    @cached_property
    def cache(self) -> ResultCache:
        return ResultCache.open(self.settings)

    @cached_property
    def blobs(self) -> BlobStore:
        return BlobStore(self.settings.blobs)

    def entry(self, model: str) -> Entry:
        """What the catalogue says now; UnknownModel when it has no such name."""
        return find(self.settings.model_store, model)

    def recogniser(self, entry: Entry) -> Recogniser:
        """The model in memory, loaded on first use and again when the catalogue has a new one."""
        held = self._recognisers.get(entry.name)
        if held is None or held[0] != entry.digest:
            held = entry.digest, self.library.load(entry.name)
            self._recognisers[entry.name] = held
            presence.loaded(
                self.jobs.redis,
                presence.worker_name(os.getppid()),
                models=set(self._recognisers),
                ttl_s=presence.ttl_s(self.settings),
            )
        return held[1]


def new_holder() -> str:
    """A name for one attempt, like no other; it is what guards the record against old holders."""
    return f"{presence.worker_name()}:{os.urandom(8).hex()}:{time.time():.0f}"
