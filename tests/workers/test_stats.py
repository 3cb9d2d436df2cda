import pytest
from redis import Redis
from redis.exceptions import ConnectionError

from tests.conftest import RedisServers
from workers import stats
from workers.redis import connect
from workers.stats import Counter, Tally


@pytest.fixture
def redis(redis_servers: RedisServers) -> Redis:
    return connect(redis_servers.broker_url)


def took(redis: Redis, **seconds: float) -> None:
    tally = Tally()
    for stage, spent in seconds.items():
        tally.took(stage, spent, model="m")
    tally.write(redis)


def test_stages_add_up_over_all_processes(redis_servers: RedisServers, redis: Redis) -> None:
    assert stats.read_stages(redis) == {}
    for _ in range(2):  # two connections, as of two workers
        took(connect(redis_servers.broker_url), track=0.3, classify=0.004)
    took(redis, track=100.0)

    stages = stats.read_stages(redis)

    assert list(stages) == [("classify", "m"), ("track", "m")]
    track = stages["track", "m"]
    assert track.count == 3
    assert track.sum_s == pytest.approx(100.6)
    assert track.buckets[0.25] == 0
    assert track.buckets[0.5] == 2
    assert track.buckets[60.0] == 2  # the slowest is beyond all bounds
    assert stages["classify", "m"].buckets[0.005] == 2


def test_a_duration_on_a_bound_is_within_it(redis: Redis) -> None:
    took(redis, lift=0.25)
    assert stats.read_stages(redis)["lift", "m"].buckets[0.25] == 1


def test_clips_of_data_sets_have_seconds_of_their_own(redis: Redis) -> None:
    for seconds in (0.3, 0.4, 100.0):
        tally = Tally()
        tally.took("track", 1.0, model="m")
        tally.followed(seconds, tracker="lucas-kanade")
        tally.write(redis)
    (labels, clips), *others = stats.read_clips(redis).items()
    assert (labels, others) == (("lucas-kanade",), [])
    assert (clips.count, clips.buckets[0.25], clips.buckets[0.5]) == (3, 0, 2)
    assert clips.sum_s == pytest.approx(100.7)
    assert stats.read_stages(redis)["track", "m"].count == 3
    assert stats.read_counter(redis, Counter.CLIPS) == {("followed",): 3}


def test_counts_add_up_by_their_labels(redis: Redis) -> None:
    for _ in range(2):
        tally = Tally()
        tally.count(Counter.FINISHED, "classify", "a|b", "succeeded")
        tally.looked_up("tracks", found=True)
        tally.looked_up("tracks", found=False)
        tally.write(redis)
    assert stats.read_counter(redis, Counter.FINISHED) == {("classify", "a|b", "succeeded"): 2}
    assert stats.read_counter(redis, Counter.LOOKUPS) == {
        ("tracks", "hit"): 2,
        ("tracks", "miss"): 2,
    }
    assert stats.read_counter(redis, Counter.LOADS) == {}


def test_what_was_written_is_not_written_again(redis: Redis) -> None:
    tally = Tally()
    tally.count(Counter.LOADS, "m")
    tally.took("load", 1.0, model="m")
    tally.write(redis)
    tally.write(redis)
    assert stats.read_counter(redis, Counter.LOADS) == {("m",): 1}
    assert stats.read_stages(redis)["load", "m"].count == 1


def test_what_redis_did_not_take_is_written_later(redis: Redis) -> None:
    tally = Tally()
    tally.count(Counter.LOADS, "m")
    with pytest.raises(ConnectionError):
        tally.write(connect("unix:///nowhere.sock"))
    tally.write(redis)
    assert stats.read_counter(redis, Counter.LOADS) == {("m",): 1}
