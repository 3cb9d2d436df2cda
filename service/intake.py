"""How requests are taken in and answered, whatever they are about: the size of the body, what is
left of it, and what browsers are told.
"""

from collections.abc import Callable
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import problems
from service.problems import Refused

# What is left of a body is read so far and so long, so that who sends it finds the answer before
# the connection is cut.
_LINGER_BYTES = 16 * 1024
_LINGER_S = 1.0

# An answer may show what is here, and be shown nowhere else. The pages have policies of their own.
POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class BodyLimit:
    """Refuse bodies that are too large: by their Content-Length, else as soon as they get there.

    `limit` says how many bytes those of a method and path may have.
    """

    def __init__(self, app: ASGIApp, *, limit: Callable[[str, str], int]) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "")
        # Cut to 20 digits: int() refuses thousands of them, and so many are too large anyway.
        size = int(stated[:20]) if stated.isdecimal() else 0
        limit = self.limit(scope["method"], scope["path"])
        if size > limit:
            found: dict[str, Any] = {"limit": limit, "value": size}
            refusal = problems.refuse(scope, "body-too-large", _too_large("has", limit), **found)
            await refusal(scope, receive, send)
            return
        await self.app(scope, self._counted(receive, limit), send)

    def _counted(self, receive: Receive, limit: int) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                detail = _too_large("goes over", limit)
                raise Refused("body-too-large", detail, limit=limit, value=seen)
            return message

        return counted


def _too_large(verb: str, limit: int) -> str:
    relation = "more than" if verb == "has" else "the limit of"
    return f"the body {verb} {relation} {limit} bytes; send a shorter or smaller clip"


class HangUp:
    """Hang up after an answer that comes before its request's body has been read.

    The server would read all of the body otherwise, only to throw it away.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _has_body(Headers(scope=scope)):
            body = _Body(receive, send)
            await self.app(scope, body.receive, body.send)
        else:
            await self.app(scope, receive, send)


class _Body:
    """One request's, and whether all of it has been read."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._ended = False
        self._cut = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._ended = not message.get("more_body", False)  # also when the caller has hung up
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._cut = not self._ended
            if self._cut:
                MutableHeaders(scope=message)["Connection"] = "close"
        elif self._cut and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body"}
        await self._send(message)

    async def _linger(self) -> None:
        read = 0
        with anyio.move_on_after(_LINGER_S):
            while not self._ended and read < _LINGER_BYTES:
                read += len((await self.receive()).get("body", b""))


class SafeHeaders:
    """Tell browsers on every answer what they may do with it, which is little."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_safely)


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
