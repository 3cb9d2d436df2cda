"""What is judged before a byte of the body is parsed: API keys and the size of the body."""

import hashlib
import hmac
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import problems
from service.problems import Refused

OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/health/live", "/health/ready"})
_OPEN_FOLDERS = ("/web/", "/docs/assets/")
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class ApiKeys:
    """Let in who sends `Authorization: Bearer KEY` with one of the keys; everyone if none is set.

    Who it was is kept as `request.state.client`, a digest, so that one client's idempotency keys
    are not another's.
    """

    def __init__(self, app: ASGIApp, *, keys: tuple[str, ...]) -> None:
        self.app = app
        self.digests = [_digest(key) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.digests or _is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        given = _digest(key.strip())
        # Every key is compared, and as a digest, so that time tells nothing about any of them.
        matches = [hmac.compare_digest(given, digest) for digest in self.digests]
        if scheme.lower() == "bearer" and any(matches):
            scope.setdefault("state", {})["client"] = given.hex()
            await self.app(scope, receive, send)
            return
        detail = "send a valid key as: Authorization: Bearer KEY"
        await _refuse(scope, receive, send, "unauthorised", detail)


class BodyLimit:
    """Refuse bodies over `limit` bytes: by their Content-Length, else as soon as they get there."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "")
        # Cut to 20 digits: int() refuses thousands of them, and so many are too large anyway.
        size = int(stated[:20]) if stated.isdecimal() else 0
        if size > self.limit:
            detail, found = self._detail("has"), {"limit": self.limit, "value": size}
            await _refuse(scope, receive, send, "body-too-large", detail, **found)
            return
        await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:
                raise Refused(
                    "body-too-large", self._detail("goes over"), limit=self.limit, value=seen
                )
            return message

        return counted

    def _detail(self, verb: str) -> str:
        relation = "more than" if verb == "has" else "the limit of"
        return f"the body {verb} {relation} {self.limit} bytes; send a shorter or smaller clip"


class SafeHeaders:
    """Tell browsers on every answer not to guess media types and not to send referrers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SAFE.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_safely)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(_OPEN_FOLDERS)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


async def _refuse(
    scope: Scope, receive: Receive, send: Send, kind: str, detail: str, **found: Any
) -> None:
    request_id = scope.get("state", {}).get("request_id")
    document = problems.describe(kind, detail, request_id=request_id, **found)
    await problems.respond(document)(scope, receive, send)
