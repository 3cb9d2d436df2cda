"""Structured logs: one line per event, with the request and job it belongs to.

Whatever is bound with `structlog.contextvars.bound_contextvars(job=..., request=...)` is in every
line, Celery's and the libraries' own included.
"""

import logging
import sys

import structlog
from structlog.typing import Processor

from workers.settings import Settings

_QUIET = (
    "celery.worker.strategy",
    "celery.app.trace",
    "kombu",
    "urllib3",
    "fsspec",
    "s3fs",
    "aiobotocore",
    "botocore",
)


def configure(settings: Settings) -> None:
    """Send all logs of this process to stderr, in the form that the settings ask for."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(settings.log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _QUIET:  # they tell of every message; our own lines tell of every job
        logging.getLogger(name).setLevel(logging.WARNING)


def _rendering(log_format: str) -> list[Processor]:
    if log_format == "json":
        # Without the local variables, which may hold what an upload or a setting holds.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines carry what is bound to the context."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound
