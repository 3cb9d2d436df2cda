"""One caller's connection: how much of it is read ahead, and how long it is waited for.

Nobody's key has been looked at yet when the first bytes are read, so few are: uvicorn by itself
takes a quarter of a megabyte at once, headers without end, and has all the time in the world for
them. Of a body that the application has begun to take in, much is read at once.
"""

import asyncio
import json
import uuid
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service import problems
from service.intake import SAFE
from workers.logs import logger

HEAD_BYTES = 32 * 1024  # of a request line and its headers, or of anything else that is no body
READ_BYTES = 16 * 1024  # at once
AHEAD_BYTES = 32 * 1024  # of a body, before somebody asks for them
WANTED_BYTES = 256 * 1024  # at once, of a body that somebody has asked for
HEAD_S = 20.0
# A body that is wanted has to come at a kilobyte a second at least, seen over this long.
BODY_S = 30.0
_LEAST_BYTES = int(BODY_S) * 1024

log = logger(__name__)


class Connection(asyncio.BufferedProtocol):
    """What uvicorn calls for every connection (its `http`): hands on to its own what has come in.

    A request whose head is too long is answered 431 and one that is no HTTP 400, both as problems.
    Who dawdles is hung up on.
    """

    def __init__(self, **of_uvicorn: Any) -> None:
        self.http = _Http(**of_uvicorn)
        self._buffer = bytearray(READ_BYTES)

    def get_buffer(self, sizehint: int) -> bytearray:
        size = WANTED_BYTES if self.http.wanted else READ_BYTES
        if len(self._buffer) != size:
            self._buffer = bytearray(size)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.http.data_received(bytes(self._buffer[:nbytes]))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.http.connection_made(cast(asyncio.Transport, transport))

    def connection_lost(self, exc: Exception | None) -> None:
        self.http.connection_lost(exc)

    def eof_received(self) -> None:
        self.http.eof_received()

    def pause_writing(self) -> None:
        self.http.pause_writing()

    def resume_writing(self) -> None:
        self.http.resume_writing()


class _Http(HttpToolsProtocol):
    """uvicorn's protocol, with limits on what is no body and on time."""

    def __init__(self, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._since_body = 0  # bytes
        self._body = 0  # bytes of this request's, since the clock was set
        self._came = 0  # bytes of this request's body
        self._clock: asyncio.TimerHandle | None = None

    @property
    def wanted(self) -> bool:
        """Whether the application takes in the body that is on its way, not having answered."""
        begun = self._came > 0 and len(self.cycle.body) < self._came
        return begun and not self.cycle.response_started

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_clock(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._since_body += len(data)
        super().data_received(data)
        if self._since_body > HEAD_BYTES and not self.transport.is_closing():
            detail = f"there are more than {HEAD_BYTES} bytes that are no body; send fewer headers"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._set_clock(HEAD_S)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._set_clock(BODY_S)

    def on_body(self, body: bytes) -> None:
        self._since_body = 0
        self._body += len(body)
        self._came += len(body)
        super().on_body(body)
        if len(self.cycle.body) >= AHEAD_BYTES:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        self._since_body = 0
        self._came = 0
        self._stop_clock()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, "this is no request of HTTP/1.1; send one")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer and hang up, without the application."""
        request_id = uuid.uuid4().hex
        log.info("request refused", request=request_id, status=int(status))
        under_way = self.cycle is not None and not self.cycle.response_complete
        if not under_way or not self.cycle.response_started:
            document = problems.describe("http-error", detail, request_id=request_id)
            body = json.dumps({**document, "status": status}).encode()
            headers = SAFE | {
                "Content-Type": problems.MEDIA_TYPE,
                "Content-Length": str(len(body)),
                "X-Request-ID": request_id,
                "Connection": "close",
            }
            lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        if under_way:  # for the application the caller is gone
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _set_clock(self, seconds: float) -> None:
        self._stop_clock()
        self._body = 0
        self._clock = self.loop.call_later(seconds, self._look)

    def _stop_clock(self) -> None:
        if self._clock:
            self._clock.cancel()
            self._clock = None

    def _look(self) -> None:
        """Whether enough has come; a body that is kept waiting by this side has all the time."""
        if self._body >= _LEAST_BYTES or self.flow.read_paused:
            self._set_clock(BODY_S)
            return
        log.info("nothing came for too long", bytes=self._body)
        self.transport.abort()
