"""The clips of a part as they are, one after another: for whoever asks a model about them.

Shapes:  B clips   N tracks   T frames
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Generator
from torch.utils.data import Dataset

from pointaction.depth.looming import looming
from pointaction.tokens.normalise import geometry
from pointaction.trackstore.batches import has_own_depth
from pointaction.trackstore.encoding import decode
from pointaction.trackstore.index import Entry
from pointaction.trackstore.part import Part
from pointaction.trackstore.store import Place
from pointaction.training.batch import Batch
from pointaction.training.track_batches import choose, on_clock


class WholeClips(Dataset[Batch]):
    """`clips[number]`: the next few clips with all their tracks, in the order of the part."""

    def __init__(
        self,
        part: Part,
        labels: Sequence[str] = (),
        *,
        frames: int = 32,
        together: int = 16,
        sample: int | None = None,
        draw: int = 0,
    ) -> None:
        """labels: in the order of the model's; a clip of another is numbered -1, as all are
        without.
        sample: so many tracks of each clip by the chance of `draw`, instead of all.
        """
        self.part = part
        self.frames = frames
        self.together = together
        self.sample = sample
        self.draw = draw
        self.number = {name: row for row, name in enumerate(labels)}
        self.own_depth = has_own_depth(part.store)
        counts = [len(rows) for rows in part.rows]
        self._shards = np.repeat(np.arange(len(counts)), counts)
        self._rows = np.concatenate(part.rows) if counts else np.zeros(0, np.int64)

    def __len__(self) -> int:
        return -(-len(self._rows) // self.together)

    def __getitem__(self, number: int) -> Batch:
        if not 0 <= number < len(self):
            raise IndexError(number)
        found = self._read(number)
        clips = [
            on_clock(decode(data, depth=self.own_depth), self.frames, own_depth=self.own_depth)
            for _, data in found
        ]
        size = self.sample or max(len(told) for told, _ in clips)
        chance = Generator().manual_seed(self.draw * 1_000_003 + number)
        chosen = [choose(*clip, size, generator=chance) for clip in clips]
        told, visible, present = (torch.stack(parts) for parts in zip(*chosen, strict=True))
        visible = visible & present[..., None]
        xy = told[..., :2]
        depth = told[..., 2] if self.own_depth else looming(xy, visible)
        label = [self.number.get(entry.label or "", -1) for entry, _ in found]
        return Batch(
            geometry=geometry(xy, depth),
            visible=visible,
            present=present,
            label=torch.tensor(label),
        )

    def places(self, number: int) -> list[Place]:
        """Where the clips of a batch lie, in order."""
        here = slice(number * self.together, (number + 1) * self.together)
        pairs = zip(self._shards[here].tolist(), self._rows[here].tolist(), strict=True)
        return [Place(shard, row) for shard, row in pairs]

    def _read(self, number: int) -> list[tuple[Entry, bytes]]:
        found: list[tuple[Entry, bytes]] = []
        store = self.part.store
        for shard, places in groupby(self.places(number), key=lambda place: place.shard):
            rows = [place.row for place in places]
            entries = store.entries(shard)
            pieces = store.read_rows(shard, rows)
            found += [(entries[row], piece) for row, piece in zip(rows, pieces, strict=True)]
        return found
