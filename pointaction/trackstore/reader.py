"""Clips in the order of an `Order`, read from a store a window at a time."""

import numpy as np

from pointaction.trackstore.index import Entry
from pointaction.trackstore.order import Order, Window
from pointaction.trackstore.sample import TRACKS
from pointaction.trackstore.store import TrackStore

Found = tuple[Entry, bytes]
"""A clip, and the member of it that was asked for."""


class OrderedReader:
    """Answers "whose turn is it" with the clip's own bytes.

    Of every lane that is asked for, the window that is in use is kept in memory as it lies in the
    store: `Order.window` clips.
    """

    def __init__(self, store: TrackStore, order: Order, *, suffix: str = TRACKS) -> None:
        self.store = store
        self.order = order
        self.suffix = suffix
        self._windows: dict[int, tuple[Window, list[Found]]] = {}

    def turn(self, lane: int, turn: int) -> Found:
        """Turn 0, 1, ... of a lane. Raises InputError for bytes that are damaged."""
        window, place = self.order.turn(lane, turn)
        kept = self._windows.get(lane)
        if kept is None or kept[0] != window:
            kept = self._windows[lane] = window, self._read(window)
        return kept[1][place]

    def _read(self, window: Window) -> list[Found]:
        shards, rows = self.order.places(window)
        found: dict[int, Found] = {}
        for shard in np.unique(shards).tolist():
            turns = np.flatnonzero(shards == shard)
            turns = turns[np.argsort(rows[turns])]  # as they lie in the file
            wanted = rows[turns].tolist()
            data = self.store.read_rows(shard, wanted, self.suffix)
            entries = self.store.entries(shard)
            for turn, row, piece in zip(turns.tolist(), wanted, data, strict=True):
                found[turn] = entries[row], piece
        return [found[turn] for turn in range(len(shards))]
