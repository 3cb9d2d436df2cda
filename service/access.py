"""Who may come in, judged before a byte of the body is read: keys, rates and quotas."""

import hmac
import math
from dataclasses import dataclass

from redis.exceptions import RedisError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from service import problems
from service.addresses import is_local, network
from service.admission import Admission, Budget, How, Verdict
from service.keys import digest
from service.settings import ServiceSettings
from workers.jobs import Room

OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/health/live", "/health/ready"})
_OPEN_FOLDERS = ("/web/", "/docs/assets/")
_HEADER = "X-API-Key"
_MAKE_ONE = "`pointaction keys create NAME` on the server makes one"
_NO_KEY = {
    "needed": f"send a key as Authorization: Bearer KEY, or as {_HEADER}: KEY; {_MAKE_ONE}",
    "unknown": f"this is no key of this server; {_MAKE_ONE}",
    "revoked": "this key was revoked; ask the operator for another",
    "expired": "this key has expired; ask the operator for another",
}
_BUDGETS: dict[Budget, str] = {"submits_per_minute": "submit", "reads_per_minute": "read"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Whose a request is. Nobody's, without a key: what it makes belongs to all who have none."""

    client: str = ""  # id of the key
    account: str = ""  # under which jobs are counted; empty: they are not
    namespace: str = ""  # whose cached results are to be had
    room: Room = Room()


class Access:
    """Let in who has a key; who has none, where the service is open, and from this machine as long
    as there is no key and nobody else can come.

    Keys are looked up by their digest, so how long that takes tells nothing of them; those that the
    operator has set are compared in constant time. What comes in is charged to its key's budget, or
    its address's, of which POST has one and everything else another. The routes find whose it is
    in `request.state.visitor`.
    """

    def __init__(self, app: ASGIApp, *, settings: ServiceSettings, admission: Admission) -> None:
        self.app = app
        self.settings = settings
        self.admission = admission
        self.set_keys = [digest(key) for key in settings.keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        budget: Budget = "submits_per_minute" if scope["method"] == "POST" else "reads_per_minute"
        try:
            verdict, visitor = await self._judge(scope, budget)
        except RedisError:
            await problems.queue_down(scope)(scope, receive, send)
            return
        if verdict.word != "in":
            await _refusal(scope, verdict, budget)(scope, receive, send)
            return
        scope.setdefault("state", {})["visitor"] = visitor
        if visitor.client:
            bind_contextvars(key=visitor.client)
        await self.app(scope, receive, _counting(send, verdict, budget))

    async def _judge(self, scope: Scope, budget: Budget) -> tuple[Verdict, Visitor]:
        settings, token = self.settings, _token(Headers(scope=scope))
        if token is None and not settings.open:
            return await self._judge_stranger(scope, budget)
        caller = digest(f"address {network(scope)}" if token is None else token)
        # All are compared, so that time does not tell which of them it is.
        matches = [hmac.compare_digest(caller, known) for known in self.set_keys]
        how: How = "known" if token is None or any(matches) else "key"
        verdict = await self.admission.judge(how, caller, budget)
        key = verdict.key
        client = "" if token is None else key.id if key else caller
        limits = key.limits.over(settings.limits) if key else settings.limits
        return verdict, Visitor(
            client=client,
            account=client or caller,
            namespace="" if settings.share_cache else client,
            room=settings.room(limits),
        )

    async def _judge_stranger(self, scope: Scope, budget: Budget) -> tuple[Verdict, Visitor]:
        visitor = Visitor(room=self.settings.room())
        if self.set_keys or self.settings.reachable or not is_local(scope):
            return Verdict(word="needed", key=None, limit=0, left=0, wait_s=0), visitor
        return await self.admission.judge("unknown", "", budget), visitor

    def _is_open(self, path: str) -> bool:
        if path == "/metrics":
            return self.settings.metrics_open
        return path in OPEN_PATHS or path.startswith(_OPEN_FOLDERS)


def _token(headers: Headers) -> str | None:
    """The key that came, if one did. Other schemes are not for us, but for a proxy before us."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get(_HEADER)


def _refusal(scope: Scope, verdict: Verdict, budget: Budget) -> Response:
    if verdict.word in ("rate", "quota"):
        return _too_many(scope, verdict, budget)
    headers = {"WWW-Authenticate": problems.CHALLENGE}
    if verdict.word != "needed":
        headers["WWW-Authenticate"] += ', error="invalid_token"'
    detail = _NO_KEY[verdict.word]
    return problems.refuse(scope, "unauthorised", detail, headers=headers)


def _too_many(scope: Scope, verdict: Verdict, budget: Budget) -> Response:
    wait_s = max(math.ceil(verdict.wait_s), 1)
    headers = {"Retry-After": str(wait_s)}
    if verdict.word == "quota":
        return problems.refuse(
            scope,
            "quota-used-up",
            f"{verdict.limit} submissions a day may be made, and they are used up; the day ends in "
            f"{wait_s} s",
            limit=verdict.limit,
            headers=headers,
        )
    return problems.refuse(
        scope,
        "too-many-requests",
        f"{verdict.limit} requests a minute may be made to {_BUDGETS[budget]}, and they are used "
        f"up; come back in {wait_s} s",
        limit=verdict.limit,
        headers=headers | _told(verdict, budget),
    )


def _counting(send: Send, verdict: Verdict, budget: Budget) -> Send:
    """`send`, with what is left of the budget told in the answer."""
    if not verdict.limit:
        return send

    async def counting(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_told(verdict, budget))
        await send(message)

    return counting


def _told(verdict: Verdict, budget: Budget) -> dict[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers has it."""
    name = _BUDGETS[budget]
    return {
        "RateLimit-Policy": f'"{name}";q={verdict.limit};w=60',
        "RateLimit": f'"{name}";r={verdict.left};t={math.ceil(verdict.wait_s)}',
    }
