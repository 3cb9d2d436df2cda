"""How clips become tracks, and the process that makes them so."""

import multiprocessing
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pointaction.choices import chosen
from pointaction.clip import Clip
from pointaction.depth.lifters import DEFAULT_DEPTH, LIFTERS
from pointaction.errors import DecoderFailure, InputError, PointActionError
from pointaction.extraction.looks import Looks, told
from pointaction.extraction.sources import Wanted
from pointaction.methods import Running
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.tracking.points import DEFAULT_POINTS, POINTS
from pointaction.tracking.trackers import DEFAULT_TRACKER, TRACKERS
from pointaction.trackstore.manifest import MIXED, Making
from pointaction.trackstore.sample import Sample
from pointaction.video.cut import FRAMES, WHOLE, Cut


@dataclass(frozen=True, kw_only=True)
class How:
    """What is asked of every clip. Raises InputError for a method that there is not."""

    tracks: int = 512
    tracker: str = DEFAULT_TRACKER
    points: str = DEFAULT_POINTS
    depth: str = DEFAULT_DEPTH
    cut: Cut = WHOLE  # how densely clips are looked at; where they begin and end is their own
    features: str | None = None  # a backbone, whose features are kept beside the tracks
    running: Running = Running()
    models: Path = DEFAULT_STORE

    def making(self) -> Making:
        """As the store is told; NotInstalled where weights are missing."""
        return Making(
            tracker=chosen(self.tracker, TRACKERS).used(self.models, self.running).to_json(),
            points=chosen(self.points, POINTS).used(self.models, self.running).to_json(),
            depth=chosen(self.depth, LIFTERS).used(self.models, self.running).to_json(),
            tracks=self.tracks,
            sampling=_sampling(self.cut),
            backbone=told(self.features, self.models, self.running) if self.features else None,
            order=MIXED,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A clip that nothing could be made of."""

    key: str
    source: str
    kind: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A clip on its way to the store."""

    key: str
    members: dict[str, bytes]  # as `Sample.members` tells them


class Follower:
    """A tracker, a depth, a way to choose points and perhaps a backbone, opened once."""

    def __init__(self, how: How) -> None:
        method = chosen(how.tracker, TRACKERS)
        self._cut = how.cut
        self._short_side, self._enlarge = method.short_side, method.enlarge
        self._tracks = how.tracks
        self._choose = chosen(how.points, POINTS).open(how.models, how.running)
        self._tracker = method.open(how.models, how.running)
        self._lifter = chosen(how.depth, LIFTERS).open(how.models, how.running)
        self._looks = Looks(how.features, how.models, how.running) if how.features else None

    def follow(self, wanted: Wanted) -> Followed | Failure:
        """The clip's tracks, or why there are none. Equal clips give equal bytes."""
        try:
            return Followed(key=wanted.key, members=self._sample(wanted).members())
        except (PointActionError, OSError) as error:
            kind = error.kind if isinstance(error, PointActionError) else "unreadable-file"
            return failure(wanted, kind, str(error))

    def _sample(self, wanted: Wanted) -> Sample:
        from pointaction.pipeline import track_clip

        clip = self._clip(wanted)
        tracks = track_clip(
            clip,
            tracks=self._tracks,
            choose=self._choose,
            tracker=self._tracker,
            lifter=self._lifter,
        )
        return Sample(
            key=wanted.key,
            tracks=tracks,
            label=wanted.label,
            about={**wanted.about, "content": clip.sha256},
            features=self._looks.features(clip) if self._looks else None,
        )

    def _clip(self, wanted: Wanted) -> Clip:
        from pointaction.video.cut import decode_cut

        cut = replace(self._cut, start=wanted.cut.start, end=wanted.cut.end)
        with _on_disk(wanted) as path:
            seen = partial(
                decode_cut, path, cut, short_side=self._short_side, enlarge=self._enlarge
            )
            try:
                return seen()
            except DecoderFailure:  # killed from outside perhaps, as where memory runs short
                return seen()


def failure(wanted: Wanted, kind: str, detail: str) -> Failure:
    return Failure(
        key=wanted.key,
        source=str(wanted.about.get("source", wanted.path)),
        kind=kind,
        detail=detail,
    )


_how: How | None = None
_follower: Follower | None = None


def begin(how: How) -> None:
    """What a process does before its first clip. It computes on one core, and ends with its
    parent, however that ends.
    """
    global _how
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _how = how


def _end_with_parent() -> None:
    """A pool's process that is left alone would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def follow(wanted: Wanted) -> Followed | Failure:
    """As `Follower.follow`, in a process that has begun. Raises InputError where the methods
    cannot be opened.
    """
    global _follower
    if _follower is None:
        assert _how is not None
        try:
            _follower = Follower(_how)
        except PointActionError as error:  # as one that can be sent from process to process
            raise InputError(str(error), kind=error.kind) from None
    return _follower.follow(wanted)


@contextmanager
def _on_disk(wanted: Wanted) -> Iterator[Path]:
    """The video as a file of its own."""
    if wanted.inside is None:
        yield wanted.path
        return
    offset, length = wanted.inside
    with tempfile.NamedTemporaryFile(prefix="pointaction-") as copy:
        with wanted.path.open("rb") as tar:
            tar.seek(offset)
            copy.write(tar.read(length))
        copy.flush()
        yield Path(copy.name)


def _sampling(cut: Cut) -> str:
    if cut.every:
        return "every frame"
    by = f", at most {cut.stride} frames apart" if cut.stride else ""
    return f"{FRAMES} frames spread over the clip{by}"
