"""The batches that training takes, out of a store of any size."""

from collections.abc import Sequence

from torch.utils.data import Dataset

from pointaction.errors import InputError
from pointaction.trackstore.encoding import decode
from pointaction.trackstore.index import Entry
from pointaction.trackstore.order import WINDOW, Order
from pointaction.trackstore.reader import OrderedReader
from pointaction.trackstore.store import TrackStore
from pointaction.training.batch import Batch
from pointaction.training.track_batches import TrackBatches

_LANES = 8  # what is divisible by 2, 4 and 8 processes, so that each reads shards of its own


class StoreBatches(Dataset[Batch]):
    """`batches[number]` as of `TrackBatches`, and with its augmentations, read when it is asked
    for.

    Batch `number` of a seed is always the same batch, whoever asks and whatever was asked before:
    a run that goes on where it stopped, or in more processes, sees what it would have seen.
    """

    def __init__(
        self,
        store: TrackStore,
        labels: Sequence[str] | None,
        *,
        batch: int,
        frames: int,
        sizes: tuple[int, ...],
        seed: int,
        window: int = WINDOW,
    ) -> None:
        """labels: in the order of the model's; None: clips without names, for pretraining."""
        self.number = None if labels is None else {name: row for row, name in enumerate(labels)}
        self.batch = batch
        self.frames = frames
        self.sizes = sizes
        self.seed = seed
        # A batch has clips of one lane. None is so short that a clip comes twice in a batch.
        order = Order(
            clips=tuple(seal.clips for seal in store.shards),
            seed=seed,
            lanes=max(1, min(_LANES, len(store) // batch)),
            window=window,
        )
        self.reader = OrderedReader(store, order)

    def __getitem__(self, number: int) -> Batch:
        turn, lane = divmod(number, self.reader.order.lanes)
        found = [self.reader.turn(lane, turn * self.batch + place) for place in range(self.batch)]
        chosen = TrackBatches(
            [decode(data, depth=False) for _, data in found],  # of the subset it is another
            [self._label(entry) for entry, _ in found],
            batch=self.batch,
            frames=self.frames,
            sizes=self.sizes,
            seed=self.seed,
        )
        return chosen[number]

    def _label(self, entry: Entry) -> int:
        if self.number is None:
            return -1
        if entry.label not in self.number:
            raise InputError(
                f"clip {entry.key} of the store has the label {entry.label!r}, which is not one of "
                f"the {len(self.number)} to learn",
                value=entry.label,
            )
        return self.number[entry.label]
