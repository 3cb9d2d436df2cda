"""Clips into a store of tracks, by processes of this machine or by whoever else follows them.

Whatever order clips are followed in, they are put into the store in the one that `order` tells, so
that it comes out the same however many work at it, and however often they were stopped.
"""

import json
import multiprocessing
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Protocol

from pointaction.count import Count, uncounted
from pointaction.extraction.follower import Failure, Followed, How, begin, failure, follow
from pointaction.extraction.order import in_order
from pointaction.extraction.share import ALL, SHARDS, Share
from pointaction.extraction.sources import Wanted
from pointaction.trackstore.files import Files
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import CLIPS_PER_SHARD, StoreWriter

FAILURES = "failures.jsonl"  # beside the manifest, of the last run
_TRIED = 3  # clips, for an estimate
_AHEAD = 4  # clips for each process that are finished or begun before the store has them


class Followers(Protocol):
    """Whoever follows clips: processes of this machine, or others that have been told of them."""

    def __call__(
        self, missing: Sequence[Wanted], how: How
    ) -> Generator[Followed | Failure, None, None]:
        """What became of each clip, in the order given. Closed, it stops what is under way.

        Raises InputError where the methods cannot be opened.
        """
        ...


class Others(Followers, Protocol):
    """Followers that are not of this command, nor perhaps of this machine."""

    def estimate(self, missing: Sequence[Wanted], how: How) -> "Estimate":
        """As `estimate`, by those who are there now; InputError as when they follow."""
        ...


class OpenFollowers(Protocol):
    """What stands behind an entry point of the group `pointaction.followers`."""

    def __call__(self, store: str, shards: str) -> Others:
        """Followers for the store at an address, of which shards of that name are to be filled.

        Raises InputError where there are none.
        """
        ...


@dataclass(kw_only=True)
class Outcome:
    """What a run came to."""

    wanted: int
    there: int  # before it began
    added: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDo:
    """What a command has before it."""

    wanted: Sequence[Wanted]  # the clips of its share, in the order of the store
    missing: Sequence[Wanted]  # those of them that no finished shard has


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a few clips took, by the mean."""

    seconds: float  # of whoever followed one
    bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What clips will take."""

    clips: int
    hands: int  # how many clips are followed at a time, by whoever is there now
    tried: Tried | None  # None: nobody took one

    @property
    def seconds(self) -> float | None:
        """Of all clips; None where nobody can say."""
        return self.clips * self.tried.seconds / self.hands if self.tried else None

    @property
    def bytes(self) -> float | None:
        return self.clips * self.tried.bytes if self.tried else None


def extract(
    wanted: Sequence[Wanted],
    url: str | Path,
    how: How,
    *,
    processes: int = 1,
    followers: Followers | None = None,
    share: Share = ALL,
    shards: str = SHARDS,
    clips_per_shard: int = CLIPS_PER_SHARD,
    spool: Path | None = None,
    progress: Count = uncounted,
) -> Outcome:
    """Follow the clips of a source that the store does not have. Call again to go on after an
    interruption.

    followers: who does it, if not so many processes of this machine.
    share: of the clips, if others fill the store with the rest; its shards have names of their own.
    shards: what those of the whole are called; whoever fills the store with another source at the
        same time calls them otherwise.

    A clip that nothing can be made of stops nothing: it is told in the outcome and in a file of the
    store (`failures_of`), and tried again by the next run. Raises InputError where the store was
    made otherwise.
    """
    store = TrackStore.create(url, how.making())
    wanted, shards = share.take(in_order(wanted, store.making.order)), share.name(shards)
    follow_all = followers or in_processes(processes)
    with StoreWriter(store, name=shards, clips_per_shard=clips_per_shard, spool=spool) as writer:
        missing = [each for each in wanted if each.key not in writer]
        outcome = Outcome(wanted=len(wanted), there=len(wanted) - len(missing))
        with closing(follow_all(missing, how)) as results:
            for done, result in enumerate(results, 1):
                if isinstance(result, Failure):
                    outcome.failures.append(result)
                else:
                    writer.add_members(result.key, result.members)
                    outcome.added += 1
                progress(outcome.there + done, len(wanted))
    _report(store.files, failures_of(shards), outcome.failures)
    return outcome


def failures_of(shards: str) -> str:
    """Where a store has the failures of the last run that filled shards of this name."""
    return FAILURES if shards == SHARDS else f"{Path(FAILURES).stem}-{shards}.jsonl"


def to_do(wanted: Sequence[Wanted], url: str | Path, how: How, *, share: Share = ALL) -> ToDo:
    """What `extract` has before it. Nothing is written. Raises InputError as it does."""
    making = how.making()
    store = TrackStore.find(url, making)
    mine = share.take(in_order(wanted, store.making.order if store else making.order))
    known = store.places if store else {}
    return ToDo(wanted=mine, missing=[each for each in mine if each.key not in known])


def estimate(missing: Sequence[Wanted], how: How, *, processes: int = 1) -> Estimate:
    """What clips will take that many processes of this machine, tried on a few by one of them."""
    few = few_of(missing)
    with closing(_followed(few[:1] + few, how, processes=1)) as results:
        next(results, None)  # slower than any other
        tried = time_of(results)
    return Estimate(clips=len(missing), hands=processes, tried=tried)


def few_of(clips: Sequence[Wanted]) -> list[Wanted]:
    """Some from all over them, to try something out."""
    return list(clips[:: max(1, len(clips) // _TRIED)][:_TRIED])


def time_of(results: Iterable[Followed | Failure]) -> Tried | None:
    """What results take that are made one after another as they are asked for; None without any."""
    spent, sizes, start = [], [], perf_counter()
    for result in results:
        now = perf_counter()
        spent.append(now - start)
        start = now
        if isinstance(result, Followed):
            sizes.append(sum(map(len, result.members.values())))
    if not spent:
        return None
    return Tried(seconds=sum(spent) / len(spent), bytes=sum(sizes) / max(1, len(sizes)))


def in_processes(count: int) -> Followers:
    """So many processes of this machine."""
    return partial(_followed, processes=count)


def _followed(
    missing: Sequence[Wanted], how: How, processes: int
) -> Generator[Followed | Failure, None, None]:
    """What became of each clip, in order.

    A process that dies takes all others of its pool with it. The clips that were under way are then
    taken one by one, so that the one that kills is known.
    """
    todo = deque(missing)
    suspects = 0  # how many of them to take one by one
    deaths = 0  # of processes that had the first of them alone
    while todo:
        under_way: deque[tuple[Wanted, Future[Followed | Failure]]] = deque()
        pool = _pool(how, processes)
        try:
            while todo or under_way:
                while todo and len(under_way) < (1 if suspects else _AHEAD * processes):
                    under_way.append((todo[0], pool.submit(follow, todo[0])))
                    todo.popleft()
                result = under_way[0][1].result()
                under_way.popleft()
                suspects, deaths = max(0, suspects - 1), 0
                yield result
        except BrokenProcessPool:
            deaths += bool(suspects and under_way)
            if deaths == 2:  # once may be anybody's doing
                suspects, deaths = suspects - 1, 0
                yield failure(under_way[0][0], "process-died", "its process died of it")
            else:
                suspects = suspects or len(under_way)
                todo.extendleft(each for each, _ in reversed(under_way))
        finally:
            pool.shutdown(cancel_futures=True)


def _pool(how: How, processes: int) -> ProcessPoolExecutor:
    # Forked from a process that has imported what they need, and computed nothing: OpenMP's
    # threads would not survive a fork.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pointaction.pipeline", "pointaction.extraction.follower"])
    return ProcessPoolExecutor(processes, mp_context=context, initializer=begin, initargs=(how,))


def _report(files: Files, name: str, failures: Sequence[Failure]) -> None:
    lines = [json.dumps(asdict(each), sort_keys=True, ensure_ascii=False) for each in failures]
    files.write(name, "".join(f"{line}\n" for line in lines).encode())
