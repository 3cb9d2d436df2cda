"""Clips in the order of an `Order`, read from a store a window at a time."""

from dataclasses import dataclass

import numpy as np

from pointaction.trackstore.features import StoredFeatures
from pointaction.trackstore.index import Entry
from pointaction.trackstore.order import Order, Window
from pointaction.trackstore.sample import TRACKS
from pointaction.trackstore.store import Place, TrackStore

Found = tuple[Entry, bytes]
"""A clip, and the member of it that was asked for."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """The clips of a window, in the order of their turns."""

    window: Window
    places: list[Place]
    found: list[Found]


class OrderedReader:
    """Answers "whose turn is it" with the clip's own bytes.

    Of every lane that is asked for, the window that is in use is kept in memory as it lies in the
    store: `Order.window` clips.
    """

    def __init__(self, store: TrackStore, order: Order, *, suffix: str = TRACKS) -> None:
        self.store = store
        self.order = order
        self.suffix = suffix
        self._windows: dict[int, _Opened] = {}

    def turn(self, lane: int, turn: int) -> Found:
        """Turn 0, 1, ... of a lane. Raises InputError for bytes that are damaged."""
        opened, within = self._opened(lane, turn)
        return opened.found[within]

    def features(self, lane: int, turn: int) -> StoredFeatures | None:
        """What lies beside the tracks of that turn; None where nothing does.

        It is read now and not kept: a window of it would be gigabytes.
        """
        opened, within = self._opened(lane, turn)
        return self.store.features_at(opened.places[within])

    def _opened(self, lane: int, turn: int) -> tuple[_Opened, int]:
        window, within = self.order.turn(lane, turn)
        kept = self._windows.get(lane)
        if kept is None or kept.window != window:
            kept = self._windows[lane] = self._read(window)
        return kept, within

    def _read(self, window: Window) -> _Opened:
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
        places = list(map(Place, shards.tolist(), rows.tolist()))
        return _Opened(window, places, [found[turn] for turn in range(len(places))])
