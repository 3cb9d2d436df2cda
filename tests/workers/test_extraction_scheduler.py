"""Which clips are under way and in what order they come back, in virtual time."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from benchmarks.farm import Farm
from pointaction.errors import InputError
from pointaction.extraction.follower import Failure, Followed
from pointaction.extraction.sources import Wanted
from workers.errors import QueueDown
from workers.scheduler import NobodyCame, Opened, Scheduler


def clips(count: int) -> list[Wanted]:
    return [Wanted(key=str(number), path=Path(f"{number}.mp4")) for number in range(count)]


def schedule(farm: Farm, count: int, *, ahead: int = 20, room: int = 1 << 40) -> list[str]:
    """What becomes of so many clips: their keys, and for failures their kinds."""
    scheduler = Scheduler(farm, ahead=ahead, room=room, clock=farm.clock, sleep=farm.sleep)
    results = scheduler.follow(clips(count))
    return [each.key if isinstance(each, Followed) else each.kind for each in results]


def keys(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_clips_come_back_in_the_order_of_the_source() -> None:
    farm = Farm(3, seconds=lambda number: 10.0 if number == 1 else 1.0)
    assert schedule(farm, 9) == keys(9)
    assert farm.now == 10  # while one worker was at the long one, the others did the rest
    assert set(farm.tried.values()) == {1}
    assert farm.closed


def test_no_more_clips_are_under_way_than_may_be() -> None:
    farm = Farm(2)
    assert schedule(farm, 60, ahead=4) == keys(60)
    assert farm.most == 4
    assert farm.now == 30


def test_a_long_clip_holds_others_up_only_where_there_is_no_room_for_them() -> None:
    def spent(room: int) -> float:
        farm = Farm(2, seconds=lambda number: 50.0 if number == 1 else 1.0, size=1000)
        assert schedule(farm, 90, ahead=4, room=room) == keys(90)
        return farm.now

    assert spent(100_000) == 70  # 139 seconds of work, and nobody ever waits
    assert spent(10_000) > 85  # there is room for ten, so that most of the time nobody works


def test_large_results_make_the_window_small() -> None:
    farm = Farm(8, size=1000)
    assert schedule(farm, 100, ahead=1000, room=3000) == keys(100)
    assert farm.now >= 100 / 3 - 6  # three at a time, after the first ones whose size was not known


def test_a_clip_that_kills_every_worker_is_a_failure_after_three_attempts() -> None:
    farm = Farm(2, deadly=lambda number, attempt: number == 4)
    assert schedule(farm, 9) == ["process-died" if key == "4" else key for key in keys(9)]
    assert farm.tried.pop(4) == 3
    assert set(farm.tried.values()) == {1}


def test_a_clip_that_killed_one_worker_is_tried_again_when_its_lease_is_over() -> None:
    farm = Farm(1, deadly=lambda number, attempt: (number, attempt) == (0, 1))
    assert schedule(farm, 40, ahead=16) == keys(40)
    assert farm.tried[0] == 2
    assert farm.now < 40 + 5 + 1  # the worker was away for five seconds, and never idle


def test_what_the_broker_has_forgotten_is_handed_out_again() -> None:
    farm = Farm(2)
    scheduler = Scheduler(farm, ahead=6, clock=farm.clock, sleep=farm.sleep)
    results = scheduler.follow(clips(10))
    first = next(results)
    farm.forget()
    assert [each.key for each in (first, *results)] == keys(10)


def test_a_message_that_is_lost_is_noticed_as_others_overtake_it() -> None:
    farm = Farm(1, lease_s=1.0)
    scheduler = Scheduler(farm, ahead=20, lease_s=1.0, clock=farm.clock, sleep=farm.sleep)
    results = scheduler.follow(clips(60))
    got = [next(results).key]
    lost = farm.queue[2]
    farm.queue.remove(lost)
    got += [each.key for each in results]
    assert got == keys(60)
    assert set(farm.tried.values()) == {1}
    assert lost[0] < 8  # and so it was missed long before the queue ran dry
    assert farm.now <= 61


class Flaky(Farm):
    """A farm that cannot be reached at times."""

    def __init__(self, workers: int, away: Sequence[tuple[float, float]]) -> None:
        super().__init__(workers)
        self.away = away

    def open(self, clips: Sequence[Opened]) -> None:
        if any(start <= self.now < end for start, end in self.away):
            super().open(clips[: len(clips) // 2])  # some messages had gone out before
            raise QueueDown("the broker does not answer")
        super().open(clips)


def test_a_broker_that_is_away_is_waited_for_and_told_of_once() -> None:
    farm, told = Flaky(2, [(3.0, 30.0)]), list[str]()
    scheduler = Scheduler(farm, ahead=4, clock=farm.clock, sleep=farm.sleep, tell=told.append)
    assert [each.key for each in scheduler.follow(clips(20))] == keys(20)
    assert told == ["the broker does not answer; waiting for it", "the broker is back"]
    assert set(farm.tried.values()) == {1}


def test_who_finds_no_broker_at_all_is_told_so() -> None:
    class Nobody(Farm):
        def keep(self) -> None:
            raise QueueDown("the broker does not answer")

    farm = Nobody(1)
    with pytest.raises(QueueDown):
        schedule(farm, 3)
    assert farm.closed


def test_who_waits_for_nobody_is_told_so_once() -> None:
    farm, told = Farm(0), list[str]()

    def tell(text: str) -> None:
        told.append(text)
        farm.free = 1  # somebody has heard it

    scheduler = Scheduler(farm, clock=farm.clock, sleep=farm.sleep, tell=tell)
    assert [each.key for each in scheduler.follow(clips(3))] == keys(3)
    assert len(told) == 1
    assert "pointaction worker --takes extract" in told[0]


def test_who_only_tries_waits_for_nobody_longer_than_that() -> None:
    farm = Farm(0)
    scheduler = Scheduler(farm, patience_s=7.0, clock=farm.clock, sleep=farm.sleep)
    with pytest.raises(NobodyCame):
        next(scheduler.follow(clips(3)))
    assert 7.0 < farm.now < 10.0
    assert farm.closed
    farm = Farm(1)
    scheduler = Scheduler(farm, patience_s=7.0, clock=farm.clock, sleep=farm.sleep)
    assert [each.key for each in scheduler.follow(clips(30))] == keys(30)
    assert farm.now > 7.0


def test_another_command_ends_this_one() -> None:
    class Taken(Farm):
        def keep(self) -> None:
            if self.now > 5:
                raise InputError("another one has begun")

    farm = Taken(1)
    with pytest.raises(InputError, match="another"):
        schedule(farm, 100)
    assert farm.closed


class Forgetful(Farm):
    """A farm whose cache loses what becomes of some clips, so many times."""

    def __init__(self, lost: dict[int, int]) -> None:
        super().__init__(2)
        self.left = lost

    def result(self, number: int, wanted: Wanted) -> Followed | Failure | None:
        if self.left.get(number):
            self.left[number] -= 1
            return None
        return super().result(number, wanted)


def test_tracks_that_the_cache_has_forgotten_are_made_again_but_not_for_ever() -> None:
    farm = Forgetful({2: 1, 5: 3})
    assert schedule(farm, 8) == ["0", "1", "2", "3", "4", "result-lost", "6", "7"]
    assert (farm.tried[2], farm.tried[5]) == (2, 3)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_dies_and_is_lost_every_clip_comes_once_and_in_order(seed: int) -> None:
    chance = Random(seed)

    class Wild(Farm):
        def open(self, clips: Sequence[Opened]) -> None:
            if chance.random() < 0.05:
                raise QueueDown("the broker does not answer")
            super().open(clips)
            if chance.random() < 0.05 and self.queue:
                self.queue.pop()
            if chance.random() < 0.1 and self.queue:
                self.queue.append(chance.choice(self.queue))
            if chance.random() < 0.005:
                self.forget()

    farm = Wild(
        5,
        seconds=lambda number: chance.expovariate(1),
        deadly=lambda number, attempt: attempt == 1 and chance.random() < 0.05,
    )
    assert schedule(farm, 400) == keys(400)
