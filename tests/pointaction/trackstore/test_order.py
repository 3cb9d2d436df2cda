from collections import Counter

import numpy as np
import pytest

from pointaction.errors import InputError
from pointaction.trackstore.order import Order, Window, shuffled

CLIPS = (4, 4, 1, 3)  # of each shard


def seen(order: Order, lane: int, turns: range) -> list[tuple[int, int]]:
    """Shard and row of each turn."""
    found = []
    for turn in turns:
        window, place = order.turn(lane, turn)
        shards, rows = order.places(window)
        found.append((int(shards[place]), int(rows[place])))
    return found


EVERY = [(shard, row) for shard, count in enumerate(CLIPS) for row in range(count)]


@pytest.mark.parametrize("lanes", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("window", [1, 3, 100])
def test_in_an_epoch_every_clip_has_one_turn_in_one_lane(lanes: int, window: int) -> None:
    order = Order(clips=CLIPS, seed=1, lanes=lanes, window=window)
    for epoch in range(3):
        found = [
            clip
            for lane in range(lanes)
            for clip in seen(
                order, lane, range(epoch * order.length(lane), (epoch + 1) * order.length(lane))
            )
        ]
        assert sorted(found) == EVERY


def test_lanes_are_as_long_as_each_other_but_for_one_clip() -> None:
    order = Order(clips=CLIPS, seed=1, lanes=5)
    assert sorted(order.length(lane) for lane in range(5)) == [2, 2, 2, 3, 3]


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    order, other = (Order(clips=CLIPS, seed=seed) for seed in (1, 2))
    orders = [seen(order, 0, range(12)), seen(order, 0, range(12, 24)), seen(other, 0, range(12))]
    assert len({tuple(each) for each in orders}) == 3
    assert seen(order, 0, range(12)) == seen(Order(clips=CLIPS, seed=1), 0, range(12))


def test_a_window_takes_shards_one_after_another() -> None:
    """So that few are open at once: of 100 shards of 10 clips, 50 clips lie in six at most."""
    order = Order(clips=(10,) * 100, seed=1, lanes=2, window=50)
    for number in range(10):
        shards, rows = order.places(Window(0, 1, number))
        assert len(set(shards.tolist())) <= 6
        assert rows.tolist() != sorted(rows.tolist())


def test_every_order_is_about_as_frequent() -> None:
    """Of three things there are six; 600 draws give each 100 times, within five deviations."""
    orders = Counter(tuple(shuffled(3, (seed,)).tolist()) for seed in range(600))
    assert len(orders) == 6
    assert all(abs(count - 100) < 5 * np.sqrt(600 * 5 / 36) for count in orders.values())


def test_an_order_is_what_it_was_in_the_first_release() -> None:
    """A run goes on in the order in which it was begun, whatever numpy is installed by then."""
    assert shuffled(8, (1, 2, 3)).tolist() == [1, 2, 4, 6, 5, 0, 7, 3]


def test_more_readers_than_clips_are_refused() -> None:
    with pytest.raises(InputError, match="a store of 12 clips cannot be shared by 13 readers"):
        Order(clips=CLIPS, seed=1, lanes=13)
    with pytest.raises(InputError, match="a store of 0 clips"):
        Order(clips=(), seed=1)
    with pytest.raises(InputError, match="one clip or more"):
        Order(clips=CLIPS, seed=1, window=0)
