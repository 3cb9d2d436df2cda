"""Clips into a store of tracks, by processes of this machine or by whoever else follows them.

Whatever order clips are followed in, they are put into the store in the order of their source, so
that it comes out the same however many work at it, and however often they were stopped.
"""

import json
import multiprocessing
from collections import deque
from collections.abc import Generator, Sequence
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
from pointaction.extraction.share import SHARDS
from pointaction.extraction.sources import Wanted
from pointaction.trackstore.files import Files
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import CLIPS_PER_SHARD, StoreWriter

FAILURES = "failures.jsonl"  # beside the manifest, of the last run
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


class OpenFollowers(Protocol):
    """What stands behind an entry point of the group `pointaction.followers`."""

    def __call__(self, store: str, shards: str) -> Followers:
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
class Estimate:
    """What the clips that are missing will take, from a few of them."""

    clips: int  # that are missing
    seconds_each: float  # of one process
    bytes_each: float

    def seconds(self, processes: int) -> float:
        return self.clips * self.seconds_each / processes

    @property
    def bytes(self) -> float:
        return self.clips * self.bytes_each


def extract(
    wanted: Sequence[Wanted],
    url: str | Path,
    how: How,
    *,
    processes: int = 1,
    followers: Followers | None = None,
    shards: str = SHARDS,
    clips_per_shard: int = CLIPS_PER_SHARD,
    spool: Path | None = None,
    progress: Count = uncounted,
) -> Outcome:
    """Follow the clips that the store does not have. Call again to go on after an interruption.

    followers: who does it, if not so many processes of this machine.
    shards: what they are called; whoever fills the store at the same time calls them otherwise.

    A clip that nothing can be made of stops nothing: it is told in the outcome and in a file of the
    store (`failures_of`), and tried again by the next run. Raises InputError where the store was
    made otherwise.
    """
    store = TrackStore.create(url, how.making())
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


def estimate(wanted: Sequence[Wanted], url: str | Path, how: How, *, tried: int = 3) -> Estimate:
    """What `extract` has before it, measured on a few of the clips from all over the source."""
    missing = not_there(wanted, url, how)
    few = missing[:: max(1, len(missing) // tried)][:tried]
    sizes, spent = [], []
    with _pool(how, 1) as pool:
        for each in few[:1] + few:  # the first one is slower than any other
            start = perf_counter()
            result = pool.submit(follow, each).result()
            spent.append(perf_counter() - start)
            if isinstance(result, Followed):
                sizes.append(sum(map(len, result.members.values())))
    return Estimate(
        clips=len(missing),
        seconds_each=sum(spent[1:]) / max(1, len(spent) - 1),
        bytes_each=sum(sizes) / max(1, len(sizes)),
    )


def not_there(wanted: Sequence[Wanted], url: str | Path, how: How) -> list[Wanted]:
    """The clips that no finished shard of the store has."""
    known = TrackStore.create(url, how.making()).places
    return [each for each in wanted if each.key not in known]


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
