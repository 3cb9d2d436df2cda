"""A trace through the API, the queue and a real worker process, as a collector sees it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import ServiceSettings
from tests.collector import collecting
from tests.conftest import RedisServers
from tests.service.requests import send
from tests.workers.conftest import settings_at, start_worker, wait_until
from workers import traces
from workers.launch import WorkerProcess
from workers.settings import Settings

__all__ = ["start_worker"]  # a fixture

TRACE, ELSEWHERE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_one_trace_leads_from_the_caller_to_the_stages_in_the_worker(
    tmp_path: Path,
    redis_servers: RedisServers,
    start_worker: Callable[[Settings], WorkerProcess],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_at(tmp_path, redis_servers)
    told = settings.model_dump(exclude_none=True)
    served = ServiceSettings.given(**told, open=True)
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")  # ms
        start_worker(settings)
        traces.configure("pointaction-api")
        with TestClient(create_app(served)) as client:  # which ends tracing when it stops
            client.get("/health/live")
            traceparent = f"00-{TRACE}-{ELSEWHERE}-01"
            answer = send(client, headers={"traceparent": traceparent, "X-Request-ID": "r1"})
        assert answer.status_code == 200, answer.text
        wait_until(lambda: collector.has("classify job"))

    asked, published = collector.named("POST /classify"), collector.named("publish")
    worked, tracked = collector.named("classify job"), collector.named("track")
    assert {sent.trace for sent in collector.spans} == {TRACE}  # none of the health check
    assert asked.span.parent_span_id.hex() == ELSEWHERE
    assert published.span.parent_span_id == asked.span.span_id
    assert worked.span.parent_span_id == asked.span.span_id
    assert tracked.span.parent_span_id == worked.span.span_id
    assert (asked.service, worked.service) == ("pointaction-api", "pointaction-worker")
    assert asked.span.kind == Span.SPAN_KIND_SERVER
    assert asked.about == {
        "pointaction.request": "r1",
        "http.request.method": "POST",
        "http.route": "/classify",
        "http.response.status_code": 200,
    }
    assert worked.about["pointaction.job"] == answer.json()["job"]
