import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.workers.conftest import Bench
from tests.workers.scripted import ScriptedLibrary
from workers import traces
from workers.jobs import Job
from workers.process import Process
from workers.tasks import run_job

TRACE, ELSEWHERE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    traces.begin(SimpleSpanProcessor(kept), service="test")
    yield kept
    traces.end()


def run(bench: Bench, words: str) -> Job:
    with traces.span("request", parent=f"00-{TRACE}-{ELSEWHERE}-01"):
        job = bench.clip(words)
    bench.jobs.create(job)
    run_job(Process(bench.settings, ScriptedLibrary(bench.settings)), job.id)
    return bench.job(job.id)


def test_a_job_belongs_to_the_trace_of_its_request(
    bench: Bench, exporter: InMemorySpanExporter
) -> None:
    job = run(bench, "fine")
    assert job.trace.startswith(f"00-{TRACE}-")
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {f"{span.context.trace_id:032x}" for span in spans.values() if span.context} == {TRACE}
    request, work = spans.pop("request"), spans.pop("classify job")
    assert request.context
    assert work.context
    assert f"{request.parent.span_id:016x}" == ELSEWHERE if request.parent else False
    assert work.parent
    assert work.parent.span_id == request.context.span_id
    assert work.kind is SpanKind.CONSUMER
    assert work.attributes == {"pointaction.job": job.id, "pointaction.attempt": 1}
    assert list(spans) == ["queue", "decode", "load", "track", "classify"]
    assert {span.parent and span.parent.span_id for span in spans.values()} == {
        work.context.span_id
    }


def test_stages_follow_each_other_in_time(bench: Bench, exporter: InMemorySpanExporter) -> None:
    run(bench, "fine")
    stages = [span for span in exporter.get_finished_spans() if span.name in ("decode", "load")]
    first, second = stages[:2]
    assert (first.name, second.name) == ("decode", "load")
    assert first.start_time
    assert first.end_time
    assert second.start_time
    assert first.start_time <= first.end_time
    assert abs(second.start_time - first.end_time) < 50_000_000  # 50 ms: told by two clocks


def test_a_failure_is_told_by_its_kind_and_not_by_its_words(
    bench: Bench, exporter: InMemorySpanExporter
) -> None:
    for words in ("refuse", "break"):
        run(bench, words)
    refused, broken = (
        span for span in exporter.get_finished_spans() if span.name == "classify job"
    )
    for span, kind in ((refused, "unusable-input"), (broken, "internal")):
        assert span.attributes
        assert span.attributes["pointaction.problem"] == kind
        assert span.status.status_code is StatusCode.ERROR
    told = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert "frames too few" not in told
    assert "secret" not in told


def test_something_past_has_the_length_it_had(exporter: InMemorySpanExporter) -> None:
    before = time.time_ns()
    traces.past("nap", 2.5)
    (span,) = exporter.get_finished_spans()
    assert span.start_time
    assert span.end_time
    assert span.end_time - span.start_time == 2_500_000_000
    assert before <= span.end_time <= time.time_ns()


@pytest.mark.parametrize("parent", ["", "nonsense", f"00-{'0' * 32}-{ELSEWHERE}-01"])
def test_what_cannot_be_read_begins_a_trace(exporter: InMemorySpanExporter, parent: str) -> None:
    with traces.span("outer"), traces.span("a", parent=parent):
        assert traces.named()["trace"] == traces.carried().split("-")[1]
    inner, outer = exporter.get_finished_spans()
    assert inner.parent is None
    assert inner.context
    assert outer.context
    assert inner.context.trace_id != outer.context.trace_id


def test_when_it_is_off_nothing_happens_and_nothing_is_imported() -> None:
    program = """
import sys
from service import app
from workers import launch, traces
traces.configure("x")
with traces.span("a", parent="", about={"b": 1}):
    traces.past("c", 1.0)
    traces.note({"d": 2}, failed=True)
    assert traces.carried() == "" and traces.named() == {}
traces.end()
print(*(sys.modules.keys() & {"opentelemetry.sdk.trace", "opentelemetry.exporter"}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={}, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_environment_turns_it_on(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert traces.wanted() is wanted


def test_without_the_extra_a_warning_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from structlog.testing import capture_logs

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with capture_logs() as lines:
        traces.configure("x")
    assert traces.carried() == ""
    assert "pointaction[telemetry]" in lines[0]["event"]
