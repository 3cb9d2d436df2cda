import time

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker
from tests.service.requests import send
from workers import jobs, presence, runs, scripts
from workers.jobs import ClassifyParams, Job
from workers.runs import RunKeys
from workers.stats import Counter, Tally


def samples(client: TestClient) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of their names) -> value."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_by_route(client: TestClient) -> None:
    for path in ("/jobs/a", "/jobs/b", "/nowhere"):
        client.get(path)
    client.request("BREW", "/coffee")
    found = samples(client)
    assert found["pointaction_http_requests_total", "GET", "/jobs/{job_id}", "404"] == 2
    assert found["pointaction_http_requests_total", "GET", "unmatched", "404"] == 1
    assert found["pointaction_http_requests_total", "other", "unmatched", "404"] == 1
    assert found["pointaction_http_request_seconds_count", "GET", "/jobs/{job_id}"] == 2


def test_the_queue_is_counted(client: TestClient, worker: PlayedWorker) -> None:
    send(client)
    worker.gate.clear()
    send(client, clip=CLIP + b"x", headers={"Prefer": "wait=0"})
    presence.beat(worker.store.redis, "w", ttl_s=10)
    presence.beat(worker.store.redis, "of data sets", takes="extract", ttl_s=10)
    found = samples(client)
    assert found["pointaction_broker_up",] == 1
    assert found["pointaction_queue_depth",] == 1
    assert found["pointaction_jobs_running",] == 0
    assert found["pointaction_workers_alive",] == 1
    assert found["pointaction_jobs_total", "queued"] == 2
    assert found["pointaction_jobs_total", "succeeded"] == 1


def test_stages_are_histograms(client: TestClient, worker: PlayedWorker) -> None:
    tally = Tally()
    tally.took("track", 0.3, model="tiny")
    tally.took("track", 0.02, model="tiny")
    tally.write(worker.store.redis)
    found = samples(client)
    assert found["pointaction_stage_seconds_bucket", "0.25", "tiny", "track"] == 1
    assert found["pointaction_stage_seconds_bucket", "+Inf", "tiny", "track"] == 2
    assert abs(found["pointaction_stage_seconds_sum", "tiny", "track"] - 0.32) < 1e-9


def test_clips_of_data_sets_are_told_of(client: TestClient, worker: PlayedWorker) -> None:
    redis = worker.store.redis
    presence.beat(redis, "w", takes="extract", ttl_s=10)
    for run, ttl_s in (("a", 60), ("b", 60), ("over", -1)):
        runs.tell(redis, run, ttl_s=ttl_s)
        redis.hset(RunKeys(run).clips, mapping={"0": "1 {}", "1": "1 {}", "2": "1 {}"})
    redis.zadd(RunKeys("b").leases, {"1": 0})
    tally = Tally()
    for seconds in (0.3, 0.02):
        tally.followed(seconds, tracker="lucas-kanade")
    tally.count(Counter.CLIPS, "unsupported-clip")
    tally.write(redis)
    found = samples(client)
    assert found["pointaction_extractions",] == 2
    assert found["pointaction_clips_waiting",] == 5
    assert found["pointaction_clips_running",] == 1
    assert found["pointaction_clip_workers_alive",] == 1
    assert found["pointaction_workers_alive",] == 0
    assert found["pointaction_clips_total", "followed"] == 2
    assert found["pointaction_clips_total", "unsupported-clip"] == 1
    assert found["pointaction_clip_seconds_bucket", "0.25", "lucas-kanade"] == 1
    assert found["pointaction_clip_seconds_count", "lucas-kanade"] == 2


def test_without_a_data_set_none_of_it_waits(client: TestClient) -> None:
    found = samples(client)
    names = ("extractions", "clips_waiting", "clips_running", "clip_workers_alive")
    assert [found[f"pointaction_{name}",] for name in names] == [0] * 4


def test_what_workers_count_is_told(client: TestClient, worker: PlayedWorker) -> None:
    tally = Tally()
    tally.count(Counter.FINISHED, "classify", "tiny", "poison")
    tally.count(Counter.RETRIES, "classify")
    tally.count(Counter.LOADS, "tiny")
    tally.looked_up("tracks", found=True)
    tally.write(worker.store.redis)
    found = samples(client)
    assert found["pointaction_jobs_finished_total", "classify", "tiny", "poison"] == 1
    assert found["pointaction_retries_total", "classify"] == 1
    assert found["pointaction_loads_total", "tiny"] == 1
    assert found["pointaction_cache_lookups_total", "hit", "tracks"] == 1


def test_the_age_of_the_queue_is_that_of_the_job_that_has_waited_longest(
    client: TestClient, worker: PlayedWorker
) -> None:
    assert samples(client)["pointaction_queue_age_seconds",] == 0
    worker.gate.clear()
    for age_s, content in ((30, "a"), (90, "b")):  # first come, first served: the first counts
        job = Job.new(content=content * 64, media="clip", params=ClassifyParams(model="tiny"))
        job.created_at = time.time() - age_s
        worker.store.create(job)
    assert 30 <= samples(client)["pointaction_queue_age_seconds",] < 60


def test_a_waiting_job_without_a_record_is_as_old_as_records_become(
    client: TestClient, worker: PlayedWorker
) -> None:
    worker.store.redis.zadd(jobs.QUEUED, {"gone": 1})
    assert samples(client)["pointaction_queue_age_seconds",] == worker.store.ttl_s


def test_questions_are_answered_from_the_cache_or_queued(client: TestClient) -> None:
    for _ in range(3):
        send(client)
    send(client, headers={"Idempotency-Key": "k"})
    send(client, headers={"Idempotency-Key": "k"})  # no new question
    found = samples(client)
    assert found["pointaction_questions_total", "classify", "tiny", "queued"] == 1
    assert found["pointaction_questions_total", "classify", "tiny", "cached"] == 3


def test_the_bytes_of_uploads_are_counted(client: TestClient) -> None:
    send(client, clip=CLIP + bytes(5000))
    send(client, clip=CLIP + bytes(300_000))  # refused before it comes to a route
    found = samples(client)
    received = found["pointaction_http_received_bytes_total", "POST", "/classify"]
    assert 5000 + len(CLIP) < received < 6000
    assert ("pointaction_http_received_bytes_total", "GET", "/metrics") not in found


def test_both_servers_and_the_disk_are_watched(client: TestClient) -> None:
    found = samples(client)
    for server in ("broker", "cache"):
        assert found["pointaction_redis_up", server] == 1
        assert found["pointaction_redis_memory_bytes", server] > 0
        assert found["pointaction_redis_evicted_keys_total", server] == 0
    assert found["pointaction_redis_memory_limit_bytes", "cache"] == 512 * 1024 * 1024
    assert 0 < found["pointaction_disk_free_bytes",] <= found["pointaction_disk_bytes",]


def test_webhooks_are_counted(client: TestClient, worker: PlayedWorker) -> None:
    redis = worker.store.redis
    redis.zadd(scripts.WEBHOOKS, {"j": 1})
    redis.hincrby(scripts.WEBHOOK_COUNTS, "delivered", 4)
    found = samples(client)
    assert found["pointaction_webhooks_waiting",] == 1
    assert found["pointaction_webhooks_total", "delivered"] == 4


def test_gpus_are_told_of_where_there_are_any(client: TestClient, worker: PlayedWorker) -> None:
    assert not [sample for sample in samples(client) if sample[0] == "pointaction_gpu_memory_bytes"]
    redis = worker.store.redis
    presence.beat(redis, "w", ttl_s=10)
    presence.tell_gpu(redis, "w", memory={"cuda:0": {"reserved": 7}}, ttl_s=10)
    assert samples(client)["pointaction_gpu_memory_bytes", "cuda:0", "reserved", "w"] == 7


def test_without_a_broker_the_metrics_say_so(settings: ServiceSettings) -> None:
    nowhere = settings.model_copy(update={"broker_url": f"unix://{settings.data_dir}/nobody.sock"})
    with TestClient(create_app(nowhere)) as client:
        found = samples(client)
    assert found["pointaction_broker_up",] == 0
    assert found["pointaction_redis_up", "broker"] == 0
    assert found["pointaction_redis_up", "cache"] == 1
