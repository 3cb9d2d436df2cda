import pytest

from tests.conftest import RedisServers
from workers import stats
from workers.redis import connect


def test_stages_add_up_over_all_processes(redis_servers: RedisServers) -> None:
    assert stats.read_stages(connect(redis_servers.broker_url)) == {}
    for _ in range(2):  # two connections, as of two workers
        redis = connect(redis_servers.broker_url)
        stats.observe(redis, {"track": 0.3, "classify": 0.004})
    stats.observe(redis, {"track": 100.0})

    stages = stats.read_stages(redis)

    assert set(stages) == {"track", "classify"}
    track = stages["track"]
    assert track.count == 3
    assert track.sum_s == pytest.approx(100.6)
    assert track.buckets[0.25] == 0
    assert track.buckets[0.5] == 2
    assert track.buckets[60.0] == 2  # the slowest is beyond all bounds
    assert stages["classify"].buckets[0.005] == 2


def test_a_duration_on_a_bound_is_within_it(redis_servers: RedisServers) -> None:
    redis = connect(redis_servers.broker_url)
    stats.observe(redis, {"lift": 0.25})
    assert stats.read_stages(redis)["lift"].buckets[0.25] == 1
