"""A collector of traces, as OpenTelemetry's protocol has it, that remembers what it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Sent:
    """A span, and the service it came from."""

    service: str
    span: Span

    @property
    def trace(self) -> str:
        return self.span.trace_id.hex()

    @property
    def about(self) -> dict[str, str | int]:
        return {
            pair.key: pair.value.string_value or pair.value.int_value
            for pair in self.span.attributes
        }


class Collector:
    """Where it listens, and what has come."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Sent] = []

    def take(self, body: bytes) -> None:
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {pair.key: pair.value.string_value for pair in sent.resource.attributes}
            for scope in sent.scope_spans:
                self.spans += [Sent(told["service.name"], span) for span in scope.spans]

    def named(self, name: str) -> Sent:
        """The one span called so."""
        (found,) = (sent for sent in self.spans if sent.span.name == name)
        return found

    def has(self, name: str) -> bool:
        return any(sent.span.name == name for sent in list(self.spans))


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
