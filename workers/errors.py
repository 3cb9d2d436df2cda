"""What the queue raises on purpose, next to `pointaction.errors`.

QueueDown        the broker does not answer; try again later
NoRoom           the queue, or an account's share of it, is full; says when to come back
EmbeddedFailure  redis-server or the worker cannot be started here; says why
"""

from pointaction.errors import PointActionError


class QueueDown(Exception):
    """The broker did not take the message; nothing was queued."""


class NoRoom(PointActionError):
    """As many jobs wait as may. `limit` is how many that is, `value` how many there are."""

    def __init__(
        self, kind: str, detail: str, *, limit: int, value: int, position: int, retry_after_s: int
    ) -> None:
        super().__init__(detail, kind=kind, limit=limit, value=value)
        self.position = position  # jobs ahead of the place that would have to become free
        self.retry_after_s = retry_after_s


class EmbeddedFailure(Exception):
    """The embedded stack cannot run here; the message says what to do."""
