"""What operators may set for the web process, on top of `workers.settings`."""

import os
from typing import Any

from pydantic import Field, SecretStr

from service.addresses import is_loopback
from service.keys import Limits
from workers.jobs import Room
from workers.settings import WebhookSettings

_MAX_SMALL_BODY = 16 * 1024  # of what carries no file, and is read into memory


class ServiceSettings(WebhookSettings):
    """As `WebhookSettings`, plus where to listen, whom to let in and how much to take."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    web_processes: int = Field(default=1, ge=1)
    workers: int = Field(default=1, ge=1)  # that `serve` starts where there is no broker_url
    api_keys: SecretStr = SecretStr("")  # comma separated, besides those of `pointaction keys`
    open: bool = False  # let in who has no key, also from elsewhere
    metrics_open: bool = False  # ask nobody for a key at /metrics
    share_cache: bool = False  # let a key be answered from what others have sent
    max_upload_mb: float = Field(default=200, gt=0)
    max_timeline_mb: float = Field(default=4096, gt=0)  # of a video that is sent to POST /timelines
    default_wait_s: float = Field(default=20, ge=0)  # POST /classify without `Prefer: wait`
    max_wait_s: float = Field(default=60, ge=0)

    max_queued: int = Field(default=5000, ge=0)  # jobs that wait for a worker; 0: any number
    # What a key that says nothing else may do, and an address where the service is open; 0: all.
    submits_per_minute: int = Field(default=60, ge=0)
    reads_per_minute: int = Field(default=600, ge=0)
    submits_per_day: int = Field(default=0, ge=0)
    max_pending: int = Field(default=200, ge=0)  # jobs that have not ended

    @classmethod
    def given(cls, **options: Any) -> "ServiceSettings":
        """With the options of a command that were given."""
        return cls(**{name: value for name, value in options.items() if value is not None})

    @property
    def keys(self) -> tuple[str, ...]:
        keys = (key.strip() for key in self.api_keys.get_secret_value().split(","))
        return tuple(key for key in keys if key)

    @property
    def limits(self) -> Limits:
        """Of whom nothing else is said."""
        return Limits(
            submits_per_minute=self.submits_per_minute,
            reads_per_minute=self.reads_per_minute,
            submits_per_day=self.submits_per_day,
            pending=self.max_pending,
        )

    @property
    def reachable(self) -> bool:
        """Whether it listens where others than this machine can come."""
        return not is_loopback(self.host)

    def room(self, limits: Limits | None = None) -> Room:
        """For jobs of somebody with these limits."""
        return Room(queued=self.max_queued, pending=(limits and limits.pending) or 0)

    def body_limit(self, method: str, path: str) -> int:
        """Bytes that the body of a request may have."""
        if method not in ("POST", "PUT"):
            return _MAX_SMALL_BODY
        mb = self.max_timeline_mb if path == "/timelines" else self.max_upload_mb
        return int(mb * 1024 * 1024)

    def export(self) -> None:
        """Set the environment so that child processes read these settings."""
        for variable in self.variables():
            os.environ.pop(variable, None)
        os.environ.update(self.as_environment())
