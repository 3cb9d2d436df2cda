"""What a client raises beside InputError for what it can see to be wrong before it is sent.

PointActionError
├── Problem          the server refused, or the job failed; its problem document (RFC 9457)
├── Unreachable      no server is there, or it went away and did not come back
└── OutOfPatience    the job has not finished yet; it goes on, and can be waited for again
"""

from collections.abc import Mapping
from typing import Any

from pointaction.errors import PointActionError

_URN = "urn:pointaction:problem:"


class Problem(PointActionError):
    """What the server had to say. docs/problems.md lists the kinds with what to do.

    `kind` is the stable word for programs, and `limit` and `value` are what is allowed and what
    came. `retry_after_s` is when the server wants to be asked again, None where it does not say.
    """

    def __init__(
        self, document: Mapping[str, Any], *, status: int, retry_after_s: float | None = None
    ) -> None:
        self.document = dict(document)
        self.status = status
        self.title = str(document.get("title", f"status {status}"))
        self.detail = str(document.get("detail", self.title))
        self.job = document.get("job")
        self.request_id = document.get("request_id")
        self.retry_after_s = retry_after_s
        super().__init__(
            self.detail + self._advice(),
            kind=str(document.get("type", "http-error")).removeprefix(_URN),
            limit=document.get("limit"),
            value=document.get("value"),
        )

    @classmethod
    def of_job(cls, document: Mapping[str, Any]) -> "Problem":
        """Of a job that failed."""
        return cls(document, status=int(document["status"]))

    @classmethod
    def cancelled(cls, job: str) -> "Problem":
        """Of a job that somebody cancelled: it has no problem of its own."""
        document = {
            "type": f"{_URN}cancelled",
            "title": "The job was cancelled",
            "detail": f"job {job} was cancelled; send the clip again",
            "job": job,
        }
        return cls(document, status=409)

    def _advice(self) -> str:
        """What to do, where `detail`, which is the same for everybody, cannot know."""
        if self.status == 401:
            return "; give the client a key: Client(url, key=...)"
        if self.retry_after_s is not None:
            return f"; come back in {self.retry_after_s:.0f} s"
        if self.status >= 500 and self.request_id:
            return f"; tell the operator of the server the request id {self.request_id}"
        return ""


class Unreachable(PointActionError):
    """Nobody answered."""

    default_kind = "unreachable"


class OutOfPatience(PointActionError):
    """What was waited for has not come in the time that was given to it; `job` goes on."""

    default_kind = "out-of-patience"

    def __init__(self, detail: str, *, job: str | None = None) -> None:
        super().__init__(detail)
        self.job = job
