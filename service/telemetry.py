"""Every request has an id, a line in the log and a place in the metrics."""

import re
import time
import uuid
from contextlib import AbstractContextManager, nullcontext

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import problems
from service.metrics import HttpMetrics
from workers import traces
from workers.logs import logger

_SANE_ID = re.compile(r"[A-Za-z0-9._~:-]{1,64}")
_HUNG_UP = 499  # nginx's word for a client that left before the answer
# Callers may make up methods, and every one would be a new time series.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OFTEN_ASKED = ("/health/", "/metrics")
log = logger("service")


class RequestTrail:
    """The outermost layer. It gives each request its id and turns what nobody caught into a 500.

    The id is the caller's `X-Request-ID` if it is a plain word of up to 64 letters, else a new
    one; it is in the answer, in every log line and in the records of jobs.
    """

    def __init__(self, app: ASGIApp, *, metrics: HttpMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        answer, body = _Answer(request_id, send), _Body(receive)
        started = time.perf_counter()
        # Bound where a key comes in, and by the route that makes a job; neither must be left to the
        # next request.
        structlog.contextvars.unbind_contextvars("key", "job")
        with (
            self._span(scope, request_id, headers.get("traceparent", "")),
            structlog.contextvars.bound_contextvars(request=request_id, **traces.named()),
        ):
            try:
                await self.app(scope, body.receive, answer.send)
            except ClientDisconnect:
                answer.status = answer.status or _HUNG_UP
            except Exception:
                log.exception("request failed", method=scope["method"], path=scope["path"])
                if not answer.status:
                    await _apologise(request_id, scope, receive, answer.send)
            finally:
                self._file(scope, answer.status, time.perf_counter() - started, body.size)

    def _span(
        self, scope: Scope, request_id: str, traceparent: str
    ) -> AbstractContextManager[object]:
        if scope["path"].startswith(_OFTEN_ASKED):
            return nullcontext()
        about: traces.Attributes = {"pointaction.request": request_id}
        return traces.span("request", part="server", parent=traceparent, about=about)

    def _file(self, scope: Scope, status: int, seconds: float, received: int) -> None:
        method, path = scope["method"], scope["path"]
        route = getattr(scope.get("route"), "path", "unmatched")
        if method not in _METHODS:
            method = "other"
        self.metrics.observe(
            method=method, route=route, status=status, seconds=seconds, received=received
        )
        traces.note(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            },
            name=f"{method} {route}",
            failed=status >= 500,
        )
        write = log.debug if path.startswith(_OFTEN_ASKED) else log.info
        write("request", method=method, path=path, status=status, ms=round(1000 * seconds, 1))


class _Answer:
    """Passes an answer on, with its id, and remembers its status."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.status = 0
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.request_id
        await self._send(message)


class _Body:
    """Passes a request's body on, and counts its bytes."""

    def __init__(self, receive: Receive) -> None:
        self.size = 0
        self._receive = receive

    async def receive(self) -> Message:
        message = await self._receive()
        self.size += len(message.get("body", b""))
        return message


async def _apologise(request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
    detail = f"this is a fault of the server; its log tells more under request {request_id}"
    document = problems.describe("internal", detail, request_id=request_id)
    await problems.respond(document)(scope, receive, send)
