from collections import deque
from pathlib import Path
from random import Random

from benchmarks.extraction import Planned, Strike, Strikes, compare, plan
from tests.pointaction.trackstore.stores import filled


def test_the_command_and_its_pool_are_killed_whatever_the_chance() -> None:
    for seed in range(20):
        planned = plan(Random(seed), 5)
        victims = [each.victim for each in planned]
        assert len(victims) == 5
        assert victims.count("command") >= 2
        assert "pool" in victims
        moments = [each.moment for each in planned]
        assert moments == sorted(moments)
        assert 0 < moments[0] < moments[-1] < 0.9


def test_a_moment_comes_with_its_time_or_with_its_clips(tmp_path: Path) -> None:
    planned = deque([Planned(moment=0.5, victim="worker")])
    strikes = Strikes(planned, store=tmp_path, clips=8, seconds=20.0)
    assert strikes.due(9.9) is None
    assert strikes.due(10.0) == Strike(victim="worker", clips=0)
    filled(tmp_path, 4)
    assert strikes.due(1.0) == Strike(victim="worker", clips=4)
    planned.clear()
    assert strikes.due(19.0) is None


def test_equal_stores_are_the_same_and_a_clip_less_is_not(tmp_path: Path) -> None:
    for name, count in (("calm", 6), ("fire", 6), ("less", 5)):
        filled(tmp_path / name, count)
    same = compare(tmp_path / "calm", tmp_path / "fire", 6)
    assert same.same
    assert (same.clips, same.missing, same.twice, same.differing) == ((6, 6), 0, 0, ())
    less = compare(tmp_path / "calm", tmp_path / "less", 6)
    assert not less.same
    assert less.missing == 1
    suffixes = ("json", "jsonl", "tar")
    assert less.differing == tuple(f"shards/shard-00001.{suffix}" for suffix in suffixes)
