"""The batches that training takes, out of a store of any size."""

from collections.abc import Sequence

from torch.utils.data import Dataset

from pointaction.errors import InputError
from pointaction.trackstore.encoding import decode
from pointaction.trackstore.index import Entry
from pointaction.trackstore.order import WINDOW
from pointaction.trackstore.part import Part
from pointaction.trackstore.reader import OrderedReader
from pointaction.trackstore.store import TrackStore
from pointaction.training.batch import Batch
from pointaction.training.loop import Run
from pointaction.training.track_batches import TrackBatches

_LANES = 8  # what is divisible by 2, 4 and 8 processes, so that each reads shards of its own
AT_HAND = _LANES * WINDOW  # clips that are in memory at most, as they lie in the store


class StoreBatches(Dataset[Batch]):
    """`batches[number]` as of `TrackBatches`, and with its augmentations, read when it is asked
    for.

    Batch `number` of a seed is always the same batch, whoever asks and whatever was asked before:
    a run that goes on where it stopped, or in more processes, sees what it would have seen.
    """

    def __init__(
        self,
        store: TrackStore | Part,
        labels: Sequence[str] | None,
        *,
        batch: int,
        frames: int,
        sizes: tuple[int, ...],
        seed: int,
        lanes: int | None = None,
        window: int = WINDOW,
    ) -> None:
        """labels: in the order of the model's; None: clips without names, for pretraining.
        lanes, window: how a large part is read; one of at most AT_HAND clips is shuffled as a
        whole, whatever order it was written in, unless lanes are asked for.
        """
        part = store if isinstance(store, Part) else Part.of(store)
        self.number = None if labels is None else {name: row for row, name in enumerate(labels)}
        self.batch = batch
        self.frames = frames
        self.sizes = sizes
        self.seed = seed
        self.own_depth = has_own_depth(part.store)
        if lanes is None and len(part) <= AT_HAND:
            lanes, window = 1, AT_HAND
        order = part.order(seed=seed, lanes=lanes or _lanes(len(part), batch), window=window)
        self.reader = OrderedReader(part.store, order)

    @classmethod
    def of_run(
        cls, store: TrackStore | Part, labels: Sequence[str] | None, run: Run
    ) -> "StoreBatches":
        """Those that a training run takes."""
        recipe = run.recipe
        return cls(
            store,
            labels,
            batch=recipe.batch,
            frames=recipe.frames,
            sizes=recipe.tracks,
            seed=run.seed,
        )

    def __getitem__(self, number: int) -> Batch:
        found = [self.reader.turn(*turn) for turn in self.turns(number)]
        chosen = TrackBatches(
            # The depth of looming is another for every subset, and is found when that is chosen.
            [decode(data, depth=self.own_depth) for _, data in found],
            [self.label(entry) for entry, _ in found],
            batch=self.batch,
            frames=self.frames,
            sizes=self.sizes,
            seed=self.seed,
            own_depth=self.own_depth,
        )
        return chosen.made(number, range(self.batch))  # they are in a mixed order already

    def turns(self, number: int) -> list[tuple[int, int]]:
        """Lane and turn of each clip of a batch, in order of `reader.order`."""
        turn, lane = divmod(number, self.reader.order.lanes)
        return [(lane, turn * self.batch + place) for place in range(self.batch)]

    def label(self, entry: Entry) -> int:
        """The number of a clip's label; -1 where labels are not asked for."""
        if self.number is None:
            return -1
        if entry.label not in self.number:
            raise InputError(
                f"clip {entry.key} of the store has the label {entry.label!r}, which is not one of "
                f"the {len(self.number)} to learn",
                value=entry.label,
            )
        return self.number[entry.label]


def has_own_depth(store: TrackStore) -> bool:
    """Whether its clips come with a depth that tracks alone do not tell."""
    depth = store.making.depth
    return depth is not None and depth.get("name") != "looming"


def _lanes(clips: int, batch: int) -> int:
    """A power of two. A batch has clips of one lane, and none is so short that a clip comes twice
    in a batch while there are others.
    """
    most = max(1, min(_LANES, clips // batch))
    return 1 << (most.bit_length() - 1)
