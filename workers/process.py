"""What one pool process opens once: connections, and what it has been asked for: models,
ways to choose points, trackers and depths.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.depth.base import Lifter
from pointaction.methods import Used
from pointaction.models.backends import computed
from pointaction.models.catalog import Entry, find
from pointaction.timelines.plan import Plan
from pointaction.timelines.scorer import Scores
from pointaction.tracking.base import Tracker
from pointaction.tracking.points import Choose
from pointaction.tracks import Tracks
from workers import presence
from workers.blobs import BlobStore
from workers.episodes import EpisodeStore
from workers.following import Following, OpenFollowing, open_following
from workers.jobs import JobStore
from workers.queue import JobQueue
from workers.results import ResultCache
from workers.settings import Settings
from workers.stats import Counter, Tally

if TYPE_CHECKING:
    from pointaction.extraction.follower import How
    from pointaction.fewshot.matcher import Matcher

Opened = TypeVar("Opened")
_EPISODES_IN_MEMORY = 16

Report = Callable[[str, float], None]  # stage, overall progress 0 to 1; raises to stop the work


class Recognition(Protocol):
    """As `pointaction.recognition.Recognition`."""

    @property
    def scores(self) -> dict[str, float]: ...  # every label, the best first
    @property
    def none_of_these(self) -> bool | None: ...  # None: the model is not calibrated
    @property
    def attention(self) -> NDArray[np.float32]: ...  # (heads, N) or (heads, T, h, w)
    @property
    def tracks(self) -> Tracks | None: ...  # with depth
    @property
    def branches(self) -> Mapping[str, dict[str, float]]: ...  # the scores of each alone


class Recogniser(Protocol):
    def recognise(
        self, tracks: Tracks | None, clip: Clip | None, *, report: Report
    ) -> Recognition: ...


class Description(Protocol):
    """A clip as it is compared with others, and where the model looked."""

    @property
    def features(self) -> bytes: ...  # of pointaction.fewshot.features.Features
    @property
    def attention(self) -> NDArray[np.float32]: ...  # (heads, N), each row sums to 1
    @property
    def tracks(self) -> Tracks: ...  # with depth


class Likeness(Protocol):
    """As `pointaction.fewshot.classes.Likeness`."""

    @property
    def scores(self) -> dict[str, float]: ...  # every class, the best first
    @property
    def none_of_these(self) -> bool | None: ...
    @property
    def neighbours(self) -> Sequence[Any]: ...  # .example, .similarity
    @property
    def matches(self) -> Sequence[Any]: ...  # .query, .example, .moments, .weight


class Classes(Protocol):
    def liken(self, features: bytes) -> Likeness: ...


class Viewing(Protocol):
    """A way to look through videos, as `pointaction.timelines.viewer.Viewer`."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    def plan(self, path: Path, *, window_s: float, step_s: float, sha256: str) -> Plan: ...
    def view(self, plan: Plan, *, since: int) -> Generator[Scores]: ...


class Library(Protocol):
    """What a worker asks of the library. Raises pointaction.errors.PointActionError."""

    def decode(self, path: Path, tracker: str, *, sha256: str) -> Clip: ...
    def load(self, model: str, backend: str) -> Recogniser: ...
    def open_head(self, name: str) -> Matcher: ...
    def describe(
        self, model: Recogniser, tracks: Tracks, head: Matcher, *, report: Report
    ) -> Description: ...
    def learn(
        self,
        entry: Entry,
        name: str,
        head: Matcher,
        features: Sequence[bytes],
        labels: Sequence[str],
    ) -> Classes: ...
    def open_points(self, name: str) -> Choose: ...
    def open_tracker(self, name: str) -> Tracker: ...
    def open_lifter(self, name: str) -> Lifter: ...
    def follow(self, clip: Clip, choose: Choose, tracker: Tracker, *, report: Report) -> Tracks: ...
    def lift(self, clip: Clip, tracks: Tracks, lifter: Lifter, *, report: Report) -> Tracks: ...
    def open_viewing(
        self,
        model: Recogniser,
        choose: Choose,
        tracker: Tracker,
        lifter: Lifter | None,
        *,
        tracker_name: str,
        tracks: int,
        classes: Classes | None,
        head: Matcher | None,
    ) -> Viewing: ...
    def draw(
        self,
        path: Path,
        frames: NDArray[np.uint8] | None,
        tracks: Tracks,
        weights: NDArray[np.float32],
        *,
        format: str,
    ) -> None: ...
    def draw_heat(
        self, path: Path, clip: Clip, maps: NDArray[np.float32], *, format: str
    ) -> None: ...


class Process:
    """Made on the first job of a pool process, never in its parent: nothing of this survives a
    fork, and torch must not be there before one.
    """

    def __init__(
        self,
        settings: Settings,
        library: Library,
        *,
        open_following: OpenFollowing = open_following,
    ) -> None:
        self.settings = settings
        self.library = library
        self.tally = Tally()
        self._open_following = open_following
        self._following: tuple[How, str, Following] | None = None
        self._held: dict[str, tuple[str | None, Any]] = {}  # name -> (digest, what is open)
        self._classes: OrderedDict[str, Classes] = OrderedDict()  # by what they were learnt from

    @cached_property
    def jobs(self) -> JobStore:
        return JobStore.open(self.settings)

    @cached_property
    def cache(self) -> ResultCache:
        return ResultCache.open(self.settings)

    @cached_property
    def blobs(self) -> BlobStore:
        return BlobStore(self.settings.blobs)

    @cached_property
    def episodes(self) -> EpisodeStore:
        return EpisodeStore(self.jobs)

    @cached_property
    def queue(self) -> JobQueue:
        return JobQueue(self.settings)

    def entry(self, model: str) -> Entry:
        """What the catalogue says now; UnknownModel when it has no such name."""
        entry = find(self.settings.model_store, model)
        return computed(entry, self.settings.backend, self.settings.data_dir)

    def recogniser(self, entry: Entry) -> Recogniser:
        """The model in memory: of this version, whatever its name means by now."""
        return self._kept(
            entry.name,
            entry.answers,
            lambda _: self.library.load(entry.pinned, entry.backend),
        )

    def points(self, used: Used) -> Choose:
        """What chooses points, in memory."""
        return self._kept(used.name, used.digest, self.library.open_points)

    def tracker(self, used: Used) -> Tracker:
        """The tracker in memory."""
        return self._kept(used.name, used.digest, self.library.open_tracker)

    def lifter(self, used: Used) -> Lifter:
        """The depth in memory."""
        return self._kept(used.name, used.digest, self.library.open_lifter)

    def head(self, used: Used) -> Matcher:
        """The matcher in memory."""
        return self._kept(used.name, used.digest, self.library.open_head)

    def following(self, how: How, making: str) -> Following:
        """What follows the clips of a data set, in memory as long as they are asked for alike.

        Raises PointActionError where the methods cannot be opened, or would make other tracks than
        those whose `making` has this digest.
        """
        if self._following is None or self._following[:2] != (how, making):
            self._following = None  # let go of the old one before there is a new one
            self._following = how, making, self._open_following(self.settings, how, making)
        return self._following[2]

    def classes(self, key: str, learn: Callable[[], Classes]) -> Classes:
        """What has been learnt under this key, as long as not too much else has been since."""
        known = self._classes.pop(key, None) or learn()
        self._classes[key] = known
        while len(self._classes) > _EPISODES_IN_MEMORY:
            self._classes.popitem(last=False)
        return known

    def _kept(self, name: str, digest: str | None, open: Callable[[str], Opened]) -> Opened:
        """Opened on first use, and again when the store has another of the name."""
        held = self._held.get(name)
        if held is None or held[0] != digest:
            self._held.pop(name, None)  # let go of the old one before there is a new one
            held = self._held[name] = digest, open(name)
            self.tally.count(Counter.LOADS, name)
            presence.loaded(
                self.jobs.redis,
                presence.worker_name(os.getppid()),
                models=set(self._held),
                ttl_s=presence.ttl_s(self.settings),
            )
        opened: Opened = held[1]
        return opened


def new_holder() -> str:
    """A name for one attempt, like no other; it is what guards the record against old holders."""
    return f"{presence.worker_name()}:{os.urandom(8).hex()}:{time.time():.0f}"
