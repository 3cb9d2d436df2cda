"""The health check of a worker's container."""

import socket
from pathlib import Path

import pytest

from workers import presence, probe
from workers.redis import connect
from workers.settings import Settings


def test_only_a_worker_of_this_machine_counts(settings: Settings) -> None:
    here = socket.gethostname()
    redis = connect(settings.require("broker_url"))
    presence.beat(redis, f"{here}-2:7", ttl_s=60)
    assert probe.fault(redis, ready=False) == f"no worker of {here} has been heard of lately"
    presence.beat(redis, f"{here}:7", ttl_s=60)
    assert probe.fault(redis, ready=True) is None


@pytest.mark.parametrize(("ready", "said"), [(False, None), (True, "the broker does not answer")])
def test_while_redis_is_away_a_worker_is_alive_but_not_ready(
    tmp_path: Path, ready: bool, said: str | None
) -> None:
    redis = connect(f"unix://{tmp_path}/nobody.sock")
    assert probe.fault(redis, ready=ready) == said
