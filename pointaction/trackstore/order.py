"""In which order the clips of a store are seen, as a function of a seed and of whose turn it is.

Every epoch puts the shards in another order and cuts what comes of it into `lanes` of equal length:
one for each process that reads, so that each reads whole shards one after another and none is read
twice. A lane goes through its clips window by window; within a window they are shuffled. Nothing
has to be remembered: going on after an interruption is asking for the next turn.

Clips that lay far apart in the store never share a window. A store whose clips were put in sorted
by label is shuffled badly, which is why `pointaction extract` puts them in mixed.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError

WINDOW = 500  # clips


@dataclass(frozen=True, slots=True)
class Window:
    """Clips of a lane that are read together."""

    epoch: int
    lane: int
    number: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which clip has its turn. Equal orders tell the same on every machine."""

    clips: tuple[int, ...]  # of each shard
    seed: int
    lanes: int = 1
    window: int = WINDOW

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= self.total:
            raise InputError(
                f"a store of {self.total} clips cannot be shared by {self.lanes} readers; "
                "take fewer, or a larger store",
                limit=self.total,
                value=self.lanes,
            )
        if self.window < 1:
            raise InputError(f"a window has one clip or more, not {self.window}", value=self.window)

    @cached_property
    def total(self) -> int:
        """Clips of an epoch."""
        return sum(self.clips)

    def length(self, lane: int) -> int:
        """How many clips the lane sees in an epoch."""
        start, stop = self._span(lane)
        return stop - start

    def turn(self, lane: int, turn: int) -> tuple[Window, int]:
        """The window, and the place in it, of a lane's turn 0, 1, ...; epochs follow each other."""
        epoch, place = divmod(turn, self.length(lane))
        number, within = divmod(place, self.window)
        return Window(epoch, lane, number), within

    def places(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Shard and row of each clip of a window, in the order in which they have their turns."""
        clips = np.array(self.clips)
        start, stop = self._span(window.lane)
        first = start + window.number * self.window
        length = min(self.window, stop - first)
        words = (self.seed, 1, window.epoch, window.lane, window.number)
        when = first + shuffled(length, words)
        order = shuffled(len(self.clips), (self.seed, 0, window.epoch))
        ends = np.cumsum(clips[order])
        which = np.searchsorted(ends, when, side="right")
        shards = order[which]
        return shards, when - (ends[which] - clips[shards])

    def _span(self, lane: int) -> tuple[int, int]:
        return lane * self.total // self.lanes, (lane + 1) * self.total // self.lanes


@lru_cache(maxsize=64)
def shuffled(count: int, words: tuple[int, ...]) -> NDArray[np.int64]:
    """0 to count - 1 in an order that the words decide.

    Made from raw bits, of which numpy promises that they stay as they are from release to release;
    of its permutations it does not.
    """
    bits = np.random.Philox(np.random.SeedSequence(words)).random_raw(count)
    return np.argsort(bits, kind="stable")
