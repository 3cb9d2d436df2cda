"""What the queue raises on purpose, next to `pointaction.errors`.

QueueDown        the broker does not answer; try again later
EmbeddedFailure  redis-server or the worker cannot be started here; says why
"""


class QueueDown(Exception):
    """The broker did not take the message; nothing was queued."""


class EmbeddedFailure(Exception):
    """The embedded stack cannot run here; the message says what to do."""
