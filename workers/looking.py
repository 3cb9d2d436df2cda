"""How far a long video has been looked through, and where the scores of its windows lie.

Scores are files in the blob store: while the video is looked through one of each turn, which grows
under its name, and in the end one of them all. A job's record says which of them count, and how
far: whatever else lies there, of a worker that was killed or came too late, is not read.

Shapes:  n windows   C labels
"""

import io
from typing import Any

from pydantic import BaseModel, ConfigDict

from pointaction.errors import InputError
from pointaction.timelines.timeline import Timeline
from pointaction.timelines.windows import Windows
from workers.blobs import BlobStore
from workers.logs import logger

log = logger(__name__)


class Share(BaseModel):
    """The windows `since` up to `stop`, without that, which the file `blob` has, or more."""

    model_config = ConfigDict(frozen=True)

    since: int
    stop: int
    blob: str


class Looking(BaseModel):
    model_config = ConfigDict(frozen=True)

    plan: dict[str, Any] | None = None  # of pointaction.timelines.plan; None: nothing is left to do
    by: str = ""  # what stands for all that the scores depend on, beside the plan
    windows: int
    duration_s: float
    labels: tuple[str, ...]
    shares: tuple[Share, ...] = ()  # each begins where the one before it stops

    @classmethod
    def whole(cls, timeline: Timeline, blob: str) -> "Looking":
        """Of all windows, which one file has."""
        return cls(
            windows=timeline.windows,
            duration_s=timeline.duration_s,
            labels=timeline.labels,
            shares=(Share(since=0, stop=timeline.windows, blob=blob),),
        )

    @property
    def done(self) -> int:
        """How many windows are known."""
        return self.shares[-1].stop if self.shares else 0

    @property
    def complete(self) -> bool:
        return self.done == self.windows

    def filed(self, share: Share) -> "Looking":
        """The same with what a turn has found; more of the same turn takes the place of less."""
        before = tuple(each for each in self.shares if each.since < share.since)
        return self.model_copy(update={"shares": (*before, share)})


def so_far(blobs: BlobStore, looking: Looking) -> Timeline | None:
    """What is known of a video; None where files of it are not there (any more).

    Raises InputError for files that are none of ours.
    """
    if not looking.shares:
        return _nothing_yet(looking)
    parts = []
    for share in looking.shares:
        file = blobs.get(share.blob)
        if file is None:
            return None
        parts.append(Timeline.load(io.BytesIO(file)).first(share.stop - share.since))
    return Timeline.joined(parts)


def _nothing_yet(looking: Looking) -> Timeline:
    assert looking.plan is not None
    windows = Windows(**looking.plan["windows"])
    return Timeline.of([], looking.labels, windows, duration_s=looking.duration_s)


def read_whole(file: bytes | None) -> Timeline | None:
    """A file of the scores of all windows; one that cannot be read is as good as none."""
    try:
        return Timeline.load(io.BytesIO(file)) if file else None
    except InputError as error:
        log.warning("kept timeline unreadable", error=str(error))
        return None
