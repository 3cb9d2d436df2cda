"""Every error as RFC 9457 problem details, and the one table that says which status it gets.

docs/problems.md is the same table with advice for the caller; a test compares the two.
"""

import errno
import json
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from redis import exceptions as redis_errors
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Scope

from pointaction.errors import PointActionError
from workers import jobs
from workers.errors import NoRoom, QueueDown

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
CHALLENGE = 'Bearer realm="pointaction"'
_URN = "urn:pointaction:problem:"


@dataclass(frozen=True, slots=True)
class Kind:
    status: int
    title: str


KINDS: dict[str, Kind] = {
    # the request
    "invalid-request": Kind(422, "A parameter of the request cannot be used"),
    "malformed-multipart": Kind(400, "The body is not well-formed multipart/form-data"),
    "unauthorised": Kind(401, "No valid API key"),
    "too-many-requests": Kind(429, "Too many requests in too short a time"),
    "quota-used-up": Kind(429, "The day's submissions are used up"),
    "not-found": Kind(404, "There is no such thing here"),
    "method-not-allowed": Kind(405, "This path does not take this method"),
    "not-acceptable": Kind(406, "None of the accepted media types can be made"),
    "body-too-large": Kind(413, "The request body is larger than this server takes"),
    "unsupported-media-type": Kind(415, "The body has another media type than this path takes"),
    "range-not-satisfiable": Kind(416, "The range lies outside the file"),
    "http-error": Kind(400, "The request cannot be answered"),
    # the fields of the form
    "one-file": Kind(422, "The form needs exactly one file"),
    "empty-file": Kind(422, "The file is empty"),
    "unknown-field": Kind(422, "The form has a field that is not known"),
    "invalid-field": Kind(422, "A field of the form has a value that cannot be used"),
    "unknown-model": Kind(422, "There is no model of this name"),
    "pixels-missing": Kind(422, "The model has to see the clip itself"),
    "not-comparable": Kind(422, "Episodes cannot compare clips by this model"),
    "webhooks-off": Kind(422, "The server calls nobody back"),
    "callback-refused": Kind(422, "The server does not call this URL"),
    "idempotency-mismatch": Kind(422, "The idempotency key was used with another payload"),
    "quarantined": Kind(422, "This content has killed workers before"),
    # the episode
    "labels-mismatch": Kind(422, "There are not as many labels as examples"),
    "no-examples": Kind(422, "The form has no example"),
    "too-many-parts": Kind(422, "The form has too many parts"),
    "too-few-classes": Kind(422, "The examples are of too few classes"),
    "too-many-classes": Kind(422, "The examples are of too many classes"),
    "too-many-examples": Kind(422, "A class has too many examples"),
    "conflicting-labels": Kind(409, "The same clip is an example of two classes"),
    "episode-not-ready": Kind(409, "Some examples of the episode are not described yet"),
    "episode-gone": Kind(410, "The episode was deleted"),
    "example-gone": Kind(410, "The example was taken out of its episode"),
    # the clip
    "unsupported-clip": Kind(415, "The file is not a video that is read here"),
    "no-video-stream": Kind(415, "The file has no video stream"),
    "unsupported-codec": Kind(415, "The video is coded in a way that is not read here"),
    "undecodable": Kind(415, "The video cannot be decoded"),
    "file-too-large": Kind(413, "The file is too large to be decoded"),
    "truncated-clip": Kind(422, "The video ends before its end"),
    "too-few-frames": Kind(422, "The video has too few frames"),
    "clip-too-long": Kind(422, "The video lasts too long"),
    "too-many-windows": Kind(422, "The timeline would have too many windows"),
    "frame-too-large": Kind(422, "The frames have too many pixels"),
    "frame-rate-too-high": Kind(422, "The video has too many frames per second"),
    "forged-duration": Kind(422, "The video lasts longer than its header says"),
    "resolution-changed": Kind(422, "The frames change their size midway"),
    "decoding-too-slow": Kind(422, "Decoding the video takes too long"),
    "decoding-needs-too-much-memory": Kind(422, "Decoding the video takes too much memory"),
    "decoder-crashed": Kind(422, "The decoder crashed on this video"),
    "decoder-failed": Kind(422, "The decoder failed on this video"),
    "decoder-failure": Kind(422, "The decoder came to no end with this video"),
    "no-such-file": Kind(422, "There is no file of this name"),
    "limit-exceeded": Kind(422, "A limit was exceeded"),
    "unusable-input": Kind(422, "The input cannot be used"),
    # the tracks file
    "unsupported-tracks": Kind(415, "The file is not a tracks file"),
    "invalid-tracks": Kind(422, "The tracks file does not hold what it must"),
    "tracks-version": Kind(422, "The tracks file has a version that is not read here"),
    "tracks-not-finite": Kind(422, "The tracks hold NaN or infinite values"),
    "too-many-tracks": Kind(422, "The tracks file holds too many tracks or frames"),
    # the queue
    "queue-full": Kind(429, "As many jobs wait as may"),
    "too-many-pending": Kind(429, "As many jobs of yours have not ended as may"),
    # the job
    "not-finished": Kind(409, "The job has not finished yet"),
    "no-result": Kind(409, "The job finished without a result"),
    "cancelled": Kind(409, "The job was cancelled"),
    "no-tracks": Kind(404, "The job followed no points"),
    "no-clip": Kind(404, "The job has no clip"),
    "no-timeline": Kind(404, "The job is no timeline"),
    "expired": Kind(410, "The data has expired"),
    "content-gone": Kind(410, "The uploaded file was gone when the job began"),
    "job-gone": Kind(410, "The job whose overlay was to be drawn is gone"),
    "unknown-head": Kind(422, "The model has no attention head of this number"),
    "unknown-format": Kind(422, "An overlay is an mp4 or a png"),
    "poison": Kind(422, "The job killed its worker too often"),
    "time-limit": Kind(504, "The job took longer than jobs may"),
    # this side
    "internal": Kind(500, "Something went wrong on this side"),
    "damaged-weights": Kind(500, "The model's weights are not what the catalogue describes"),
    "not-installed": Kind(422, "The server has not installed what was asked for"),
    "missing-extra": Kind(501, "The server lacks an optional part"),
    "queue-down": Kind(503, "The queue does not answer"),
    "not-ready": Kind(503, "Some part of the server is not ready"),
}
_BY_STATUS = {
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "body-too-large",
    415: "unsupported-media-type",
    500: "internal",
}


class Refused(PointActionError):
    """The web process says no; `kind` is in KINDS. `job` is the id of the job it is about."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        limit: Any = None,
        value: Any = None,
        job: str | None = None,
        more: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail, kind=kind, limit=limit, value=value)
        self.job = job
        self.more = more or {}  # further members of the document
        self.headers = headers or {}


def describe(
    kind: str,
    detail: str,
    *,
    limit: Any = None,
    value: Any = None,
    job: str | None = None,
    request_id: str | None = None,
) -> dict[str, Any]:
    """The problem document; members without a value are left out."""
    known = KINDS.get(kind, KINDS["internal"])
    document = {
        "type": _URN + kind,
        "title": known.title,
        "status": known.status,
        "detail": detail,
        "limit": limit,
        "value": value,
        "job": job,
        "request_id": request_id,
    }
    return {name: member for name, member in document.items() if member is not None}


def respond(
    document: dict[str, Any], *, status: int | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """The answer for a problem document, with the headers that its status asks for."""
    status = status or int(document["status"])
    headers = dict(headers or {})
    if status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    if status == 401:
        headers.setdefault("WWW-Authenticate", CHALLENGE)
    return JSONResponse(document, status, headers, MEDIA_TYPE)


def refuse(
    scope: Scope, kind: str, detail: str, *, headers: dict[str, str] | None = None, **found: Any
) -> JSONResponse:
    """The answer of a middleware that lets a request go no further."""
    document = describe(kind, detail, request_id=scope.get("state", {}).get("request_id"), **found)
    return respond(document, headers=headers)


def queue_down(scope: Scope) -> JSONResponse:
    """The answer while Redis is away."""
    return refuse(scope, "queue-down", f"the queue does not answer; try again in {RETRY_AFTER_S} s")


def of_job(job: jobs.Job) -> dict[str, Any] | None:
    """Why the job failed, as a problem document; None while there is no reason."""
    if job.problem is None:
        return None
    return describe(**job.problem.model_dump(), job=job.id, request_id=job.request_id or None)


def install(app: FastAPI) -> None:
    """Make every error that a route lets pass a problem."""
    app.add_exception_handler(PointActionError, _pointaction_error)
    app.add_exception_handler(NoRoom, _no_room)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(OSError, _disk_full)
    app.add_exception_handler(redis_errors.ResponseError, _redis_refuses)
    for away in (
        QueueDown,
        redis_errors.ConnectionError,
        redis_errors.TimeoutError,
        redis_errors.OutOfMemoryError,
        redis_errors.ReadOnlyError,
    ):
        app.add_exception_handler(away, _queue_down)


def request_id(request: Request) -> str | None:
    return getattr(request.state, "request_id", None)


def _pointaction_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PointActionError)
    document = describe(
        error.kind,
        str(error),
        limit=error.limit,
        value=error.value,
        job=error.job if isinstance(error, Refused) else None,
        request_id=request_id(request),
    )
    if isinstance(error, Refused):
        return respond(document | error.more, headers=error.headers)
    return respond(document)


def _no_room(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NoRoom)
    document = describe(
        error.kind,
        str(error),
        limit=error.limit,
        value=error.value,
        request_id=request_id(request),
    )
    headers = {"Retry-After": str(error.retry_after_s)}
    return respond(document | {"position": error.position}, headers=headers)


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"where": ".".join(str(part) for part in fault["loc"]), "what": fault["msg"]}
        for fault in error.errors()
    ]
    first = error.errors()[0]
    document = describe(
        "invalid-request",
        "; ".join(f"{fault['where']}: {fault['what']}" for fault in faults),
        value=_sendable(first.get("input")),
        request_id=request_id(request),
    )
    return respond(document | {"errors": faults})


def _sendable(value: Any) -> Any:
    """The value as it came, or in words where JSON cannot say it: half a character, NaN."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError):
        return ascii(value)[:200]
    return value


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code, "http-error")
    detail = f"{request.method} {request.url.path}: {error.detail}"
    document = describe(kind, detail, request_id=request_id(request))
    document["status"] = error.status_code
    return respond(document, headers=dict(error.headers or {}))


def _disk_full(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    checks = {"blobs": "has no room left"}
    detail = f"the server has no room left for files; try again in {RETRY_AFTER_S} s"
    document = describe("not-ready", detail, value=[*checks], request_id=request_id(request))
    return respond(document | {"checks": checks})


def _redis_refuses(request: Request, error: Exception) -> JSONResponse:
    if "MISCONF" not in str(error):  # it cannot write its file, for which redis-py has no class
        raise error
    return queue_down(request.scope)


def _queue_down(request: Request, error: Exception) -> JSONResponse:
    return queue_down(request.scope)
