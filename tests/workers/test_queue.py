import base64
import json
import socket
import subprocess
import sys
import time

import pytest

from tests.conftest import RedisServers
from workers.errors import QueueDown
from workers.queue import JobQueue, kombu_url, make_app
from workers.redis import connect
from workers.settings import Settings


def test_a_message_holds_the_job_s_id_and_nothing_else(redis_servers: RedisServers) -> None:
    settings = Settings(broker_url=redis_servers.broker_url)
    JobQueue(settings).submit("j" * 32)

    message = connect(redis_servers.broker_url).lindex(settings.queue, 0)
    assert message is not None
    envelope = json.loads(message)
    arguments, keywords, _ = json.loads(base64.b64decode(envelope["body"]))
    assert (arguments, keywords) == (["j" * 32], {})
    assert envelope["headers"]["task"] == "run"
    assert envelope["content-type"] == "application/json"


def test_a_broker_that_refuses_is_reported_within_two_seconds() -> None:
    queue = JobQueue(Settings(broker_url="unix:///nowhere/redis.sock?db=0"))
    started = time.monotonic()
    for _ in range(2):  # the second time through a connection that failed before
        with pytest.raises(QueueDown, match="try again"):
            queue.submit("j")
    assert time.monotonic() - started < 2


def test_a_broker_that_never_answers_is_reported_within_two_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        queue = JobQueue(Settings(broker_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        started = time.monotonic()
        with pytest.raises(QueueDown):
            queue.submit("j")
        assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("url", "kombu"),
    [
        ("redis://host:1234/5", "redis://host:1234/5"),
        ("rediss://:secret@host/1", "rediss://:secret@host/1?ssl_cert_reqs=required"),
        ("rediss://host/1?a=b", "rediss://host/1?a=b&ssl_cert_reqs=required"),
        ("rediss://host/1?ssl_cert_reqs=none", "rediss://host/1?ssl_cert_reqs=none"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("unix:///a?password=p/w&db=1", "redis+socket://:p%2Fw@/a?virtual_host=1"),
        ("unix://me:pw@/a?db=1", "redis+socket://me:pw@/a?virtual_host=1"),
    ],
)
def test_the_broker_s_url_is_put_in_kombu_s_words(url: str, kombu: str) -> None:
    assert kombu_url(url) == kombu


def test_messages_are_settled_late_and_never_held_in_advance() -> None:
    settings = Settings(broker_url="redis://host/0", visibility_timeout_s=500)
    conf = make_app(settings).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_disable_prefetch
    assert conf.accept_content == ["json"]
    assert conf.task_ignore_result
    assert (conf.task_soft_time_limit, conf.task_time_limit) == (90, 120)
    for place in (
        conf.broker_transport_options["visibility_timeout"],
        conf.result_backend_transport_options["visibility_timeout"],
        conf.visibility_timeout,
    ):
        assert place == 500


def test_an_app_without_a_broker_says_what_to_set() -> None:
    with pytest.raises(ValueError, match="POINTACTION_BROKER_URL"):
        make_app(Settings(broker_url=None))


def test_what_the_web_process_imports_brings_no_torch() -> None:
    modules = "queue, jobs, results, blobs, presence, stats, logs, embedded, redis, launch"
    program = f"import sys; from workers import {modules}; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert answer.stdout.strip() == b"False"
