"""Some of the clips of a store, such as those of one split."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from pointaction.trackstore.index import Entry
from pointaction.trackstore.order import WINDOW, Order, Window
from pointaction.trackstore.store import TrackStore


@dataclass(frozen=True, kw_only=True, eq=False)
class PartOrder(Order):
    """An order of the clips of a part: `clips` are how many of each shard belong to it."""

    rows: tuple[NDArray[np.int64], ...]  # of each shard, those that do

    def places(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        shards, ranks = super().places(window)
        rows = [self.rows[shard][rank] for shard, rank in zip(shards, ranks, strict=True)]
        return shards, np.array(rows, np.int64)


@dataclass(frozen=True, eq=False)
class Part:
    store: TrackStore
    rows: tuple[NDArray[np.int64], ...]  # of each shard, in order

    @classmethod
    def of(cls, store: TrackStore, wanted: Callable[[Entry], bool] = lambda entry: True) -> "Part":
        """The clips that are wanted: reads all of the index."""
        rows = (
            [row for row, entry in enumerate(store.entries(shard)) if wanted(entry)]
            for shard in range(len(store.shards))
        )
        return cls(store, tuple(np.array(each, np.int64) for each in rows))

    def __len__(self) -> int:
        return sum(map(len, self.rows))

    def __iter__(self) -> Iterator[Entry]:
        """Its clips, shard by shard."""
        for shard, rows in enumerate(self.rows):
            if len(rows):
                entries = self.store.entries(shard)
                yield from (entries[row] for row in rows)

    @property
    def digest(self) -> str:
        """SHA-256 that changes with the store and with which of its clips belong to the part."""
        told = sha256(self.store.digest.encode())
        for rows in self.rows:
            told.update(f"{len(rows)} ".encode() + rows.astype("<i8").tobytes())
        return told.hexdigest()

    def order(self, *, seed: int, lanes: int = 1, window: int = WINDOW) -> PartOrder:
        """As `Order`, of these clips. Raises InputError where they are too few for the lanes."""
        clips = tuple(map(len, self.rows))
        return PartOrder(clips=clips, seed=seed, lanes=lanes, window=window, rows=self.rows)
