"""All clips of a store, shuffled, again and again: for whoever trains on them, here or elsewhere.

The order depends on the seed, on `world` and on `lanes`, and on nothing else: not on how many
processes read, nor on how often the stream was left and gone on with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pointaction.errors import InputError
from pointaction.tracks import Tracks
from pointaction.trackstore.encoding import decode
from pointaction.trackstore.features import StoredFeatures
from pointaction.trackstore.index import Entry
from pointaction.trackstore.order import WINDOW, Order
from pointaction.trackstore.reader import OrderedReader
from pointaction.trackstore.store import TrackStore

LANES = 4


@dataclass(frozen=True, slots=True)
class StoredClip:
    entry: Entry
    tracks: Tracks
    features: StoredFeatures | None = None  # where they were asked for, and the store has them


class StoreStream:
    """Iterating gives `StoredClip`s from where the stream is, and moves it on.

    In every epoch each clip comes once, to one of `world` processes.
    """

    def __init__(
        self,
        store: TrackStore,
        *,
        seed: int = 1,
        rank: int = 0,
        world: int = 1,
        lanes: int = LANES,
        readers: int = 0,
        window: int = WINDOW,
        epochs: int | None = None,
        features: bool = False,
    ) -> None:
        """rank, world: which of how many processes this one is, as torchrun tells them.
        lanes: parts of this process's share, read side by side.
        readers: processes that read and decode, of which each has its lanes; 0: this one does.
        window: clips of a lane that are shuffled together.
        epochs: None for no end.
        features: whether to read what lies beside the tracks, clip by clip: it is large.
        """
        if not 0 <= rank < world:
            raise InputError(f"rank is 0 to {world - 1} of {world}, not {rank}", value=rank)
        if readers and lanes % readers:
            raise InputError(
                f"{readers} readers cannot share {lanes} lanes evenly; take a divisor of {lanes}",
                value=readers,
            )
        self.position = 0  # of the next clip of this process
        self._readers = readers
        order = Order(
            clips=tuple(seal.clips for seal in store.shards),
            seed=seed,
            lanes=world * lanes,
            window=window,
        )
        self._share = _Share(store, order, rank, world, lanes, epochs, features)

    def __iter__(self) -> Iterator[StoredClip]:
        loader = DataLoader(
            _Reading(self._share, self.position), batch_size=None, num_workers=self._readers
        )
        for found in loader:
            self.position += 1
            if found is not None:
                yield found

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is: what was given out last is done."""
        return {"position": self.position, **self._share.identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there. InputError for the state of a stream of another order, with all that
        differs.
        """
        differing = [
            f"{name} was {state.get(name)} and is {value}"
            for name, value in self._share.identity().items()
            if state.get(name) != value
        ]
        if differing:
            raise InputError(f"this is the state of another stream: {'; '.join(differing)}")
        self.position = int(state["position"])


@dataclass(frozen=True)
class _Share:
    """What one process sees of a store. Its lanes take turns: of `lanes` turns each has one."""

    store: TrackStore
    order: Order
    rank: int
    world: int
    lanes: int
    epochs: int | None
    features: bool

    def identity(self) -> dict[str, Any]:
        return {
            "store": self.store.digest,
            "seed": self.order.seed,
            "window": self.order.window,
            "rank": self.rank,
            "world": self.world,
            "lanes": self.lanes,
        }

    def lane(self, position: int) -> tuple[int, int]:
        """Which lane of the order has the turn at a position, and its how many-th it is."""
        turn, mine = divmod(position, self.lanes)
        return self.rank * self.lanes + mine, turn

    def positions(self, start: int, step: int) -> Iterator[int]:
        if self.epochs is None:
            yield from count(start, step)
            return
        longest = max(map(self.order.length, range(self.order.lanes)))
        yield from range(start, self.lanes * longest * self.epochs, step)


class _Reading(IterableDataset[StoredClip | None]):
    """A share from a position on, of which a process of a `DataLoader` takes its part.

    None where a lane has no more clips and others have: so that the processes stay in step.
    """

    def __init__(self, share: _Share, start: int) -> None:
        self.share = share
        self.start = start

    def __iter__(self) -> Iterator[StoredClip | None]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        share = self.share
        reader = OrderedReader(share.store, share.order)
        for position in share.positions(self.start + first, step):
            lane, turn = share.lane(position)
            if share.epochs is not None and turn >= share.epochs * share.order.length(lane):
                yield None
            else:
                entry, data = reader.turn(lane, turn)
                features = reader.features(lane, turn) if share.features else None
                yield StoredClip(entry, decode(data), features)
