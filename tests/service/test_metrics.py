from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.service.conftest import CLIP
from tests.service.doubles import PlayedWorker
from tests.service.requests import send
from workers import presence, stats


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
    found = samples(client)
    assert found["pointaction_broker_up",] == 1
    assert found["pointaction_queue_depth",] == 1
    assert found["pointaction_jobs_running",] == 0
    assert found["pointaction_workers_alive",] == 1
    assert found["pointaction_jobs_total", "queued"] == 2
    assert found["pointaction_jobs_total", "succeeded"] == 1


def test_stages_are_histograms(client: TestClient, worker: PlayedWorker) -> None:
    stats.observe(worker.store.redis, {"track": 0.3})
    stats.observe(worker.store.redis, {"track": 0.02})
    found = samples(client)
    assert found["pointaction_stage_seconds_bucket", "0.25", "track"] == 1
    assert found["pointaction_stage_seconds_bucket", "+Inf", "track"] == 2
    assert abs(found["pointaction_stage_seconds_sum", "track"] - 0.32) < 1e-9


def test_without_a_broker_the_metrics_say_so(settings: ServiceSettings) -> None:
    nowhere = settings.model_copy(update={"broker_url": f"unix://{settings.data_dir}/nobody.sock"})
    with TestClient(create_app(nowhere)) as client:
        found = samples(client)
    assert found["pointaction_broker_up",] == 0
