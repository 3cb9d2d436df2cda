"""What is known of extractions: how far they are, and what became of clips. Real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pointaction.extraction.follower import How
from pointaction.extraction.sources import Wanted
from tests.workers.conftest import Bench, wait_until
from tests.workers.extracting import followed, open_scripted
from tests.workers.scripted import ScriptedLibrary
from workers import runs, stats
from workers.clips import Errand, run_clip
from workers.desk import RedisDesk
from workers.process import Process
from workers.runs import UnderWay
from workers.scheduler import Opened
from workers.settings import Settings
from workers.stats import Counter

HOW = How(tracks=6)
FINE = followed(Wanted(key="fine", path=Path("fine.mp4")))


def attempt(number: int, key: str = "fine", *, attempt: int = 1) -> Opened:
    return Opened(number, attempt, Wanted(key=key, path=Path(f"{key}.mp4")))


@pytest.fixture
def desk(bench: Bench) -> Iterator[RedisDesk]:
    desk = RedisDesk(bench.settings, HOW, of="store shard")
    desk.keep()
    yield desk
    desk.close()


def process(settings: Settings) -> Process:
    return Process(settings, ScriptedLibrary(settings), open_following=open_scripted)


def ended(bench: Bench) -> dict[tuple[str, ...], int]:
    return stats.read_counter(bench.redis, Counter.CLIPS)


def test_clips_wait_run_and_end(bench: Bench, desk: RedisDesk) -> None:
    assert runs.under_way(bench.redis) == UnderWay(commands=1, waiting=0, running=0)
    other = RedisDesk(bench.settings, HOW, of="another store")
    other.keep()
    desk.open([attempt(number) for number in range(3)])
    other.open([attempt(0)])
    errand = Errand.claim(process(bench.settings), desk.keys.run, 1, 1)
    assert errand is not None
    assert runs.under_way(bench.redis) == UnderWay(commands=2, waiting=3, running=1)
    errand.finish(FINE)
    other.close()
    assert runs.under_way(bench.redis) == UnderWay(commands=1, waiting=2, running=0)


def test_a_command_that_is_silent_or_replaced_is_over(bench: Bench, desk: RedisDesk) -> None:
    later = RedisDesk(bench.settings, HOW, of="store shard")
    later.keep()
    assert bench.redis.zrange(runs.RUNS, 0, -1) == [later.keys.run]
    bench.redis.zadd(runs.RUNS, {"killed long ago": 1})
    assert runs.under_way(bench.redis).commands == 1
    later.keep()
    assert bench.redis.zrange(runs.RUNS, 0, -1) == [later.keys.run]
    later.close()
    assert runs.under_way(bench.redis).commands == 0


def test_every_attempt_is_counted_by_what_became_of_it(bench: Bench, desk: RedisDesk) -> None:
    worker = process(bench.settings)
    desk.open([attempt(0), attempt(1, "refuse"), attempt(2, "break")])
    for number in (0, 0, 1, 2, 7):  # one message came twice, and one is of nothing
        run_clip(worker, desk.keys.run, number, 1)
    assert ended(bench) == {("followed",): 1, ("internal",): 1, ("unsupported-clip",): 1}
    assert {labels: took.count for labels, took in stats.read_clips(bench.redis).items()} == {
        (HOW.tracker,): 1
    }


def test_what_its_worker_died_of_is_counted_and_what_comes_late_is_not(
    bench: Bench, desk: RedisDesk
) -> None:
    hasty = process(bench.settings.model_copy(update={"lease_s": 0.05}))
    desk.open([attempt(0)])
    slow = Errand.claim(hasty, desk.keys.run, 0, 1)
    assert slow is not None
    assert desk.lost() == []
    wait_until(lambda: desk.lost() == [0])
    assert ended(bench) == {("process-died",): 1}
    assert not slow.finish(FINE)
    desk.open([attempt(0, attempt=2)])
    run_clip(process(bench.settings), desk.keys.run, 0, 2)
    assert ended(bench) == {("followed",): 1, ("process-died",): 1}


def test_a_worker_that_cannot_follow_so_is_counted(bench: Bench) -> None:
    desk = RedisDesk(bench.settings, How(tracks=13), of="store shard")
    desk.keep()
    desk.open([attempt(0)])
    run_clip(process(bench.settings), desk.keys.run, 0, 1)
    assert ended(bench) == {("not-installed",): 1}
    desk.close()
