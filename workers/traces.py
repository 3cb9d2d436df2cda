"""Traces by OpenTelemetry, from the request through the queue to the stages of its job.

Off unless an operator sets OTEL_EXPORTER_OTLP_ENDPOINT, or the one for traces alone: then nothing
of OpenTelemetry is imported here, and what is below does nothing. A trace goes from one process to
the next as a W3C `traceparent`, which a job's record carries. Attributes are ids, and names of
routes and of problems, never what a user has sent or what it is called.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from workers.logs import logger

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Tracer

_WHERE_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PATIENCE_S = 2.0  # a collector that is away must not keep a process from ending
_EXTRA = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
_HEADER = "traceparent"

Part = Literal["server", "producer", "consumer", "internal"]  # what a span is to the one before it
Attributes = Mapping[str, str | int]

_provider: TracerProvider | None = None  # of this process; None: it does not trace
_tracer: Tracer | None = None
log = logger(__name__)


def wanted() -> bool:
    """Whether the environment says where to send traces."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(os.environ.get(name) for name in _WHERE_TO)


def installed() -> bool:
    """Whether there is what sends them: the extra `telemetry`."""
    try:
        return all(map(find_spec, _EXTRA))
    except ModuleNotFoundError:  # of the package around it
        return False


def configure(service: str) -> None:
    """Trace in this process, if that is wanted. Not before a fork: a thread sends the spans."""
    if _tracer is not None or not wanted():
        return
    if not installed():  # whoever watches must not keep the watched from working
        log.warning("no traces: OpenTelemetry is missing; pip install 'pointaction[telemetry]'")
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(timeout=_PATIENCE_S)
    begin(BatchSpanProcessor(exporter), service=service)


def begin(processor: SpanProcessor, *, service: str) -> None:
    """Hand the spans of this process to `processor`, as those of a service called so."""
    global _provider, _tracer
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    name = os.environ.get("OTEL_SERVICE_NAME", service)
    _provider = TracerProvider(resource=Resource.create({"service.name": name}))
    _provider.add_span_processor(processor)
    _tracer = _provider.get_tracer("pointaction")


def end() -> None:
    """Send what has not been sent, and trace no more."""
    global _provider, _tracer
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None


def span(
    name: str,
    *,
    part: Part = "internal",
    parent: str | None = None,
    about: Attributes | None = None,
) -> AbstractContextManager[object]:
    """A span that lasts as long as the context, within the one that lasts already.

    `parent` is a traceparent from elsewhere in the place of that; an empty one, or one that cannot
    be read, begins a trace of its own.
    """
    if _tracer is None:
        return nullcontext()
    return _lasting(_tracer, name, part, parent, about or {})


@contextmanager
def _lasting(
    tracer: Tracer, name: str, part: Part, parent: str | None, about: Attributes
) -> Iterator[None]:
    from opentelemetry.trace import SpanKind

    with tracer.start_as_current_span(
        name,
        context=None if parent is None else _context(parent),
        kind=SpanKind[part.upper()],
        attributes=dict(about),
        # The words of an exception may be a user's; `note` says what went wrong.
        record_exception=False,
        set_status_on_exception=False,
    ):
        yield


def _context(traceparent: str) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({_HEADER: traceparent}, context=Context())


def past(name: str, seconds: float) -> None:
    """A span, within the one that lasts, of something that took so long and has just ended."""
    if _tracer is None:
        return
    ended = time.time_ns()
    _tracer.start_span(name, start_time=ended - round(seconds * 1e9)).end(ended)


def note(about: Attributes, *, name: str | None = None, failed: bool = False) -> None:
    """Say more of the span that lasts, or give it a better name."""
    if _tracer is None:
        return
    from opentelemetry.trace import StatusCode, get_current_span

    current = get_current_span()
    current.set_attributes(dict(about))
    if name:
        current.update_name(name)
    if failed:
        current.set_status(StatusCode.ERROR)


def carried() -> str:
    """The traceparent by which another process goes on with this trace; empty: there is none."""
    if _tracer is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(_HEADER, "")


def named() -> dict[str, str]:
    """What log lines say of the trace: its id, or nothing."""
    traceparent = carried()
    return {"trace": traceparent.split("-")[1]} if traceparent else {}
