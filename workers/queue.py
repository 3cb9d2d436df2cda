"""The Celery app, and how jobs and clips of data sets are queued. Never imports torch or the tasks.

A message holds the id of a job and which of its turns it is for, or a run, the number of a clip and
which attempt at it; everything else is in their records.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlsplit

import kombu.exceptions
import redis.exceptions
from celery import Celery

from workers import traces
from workers.errors import QueueDown
from workers.settings import Settings

TASK = "run"
CLIP = "clip"  # of a data set
# A web request that submits gives up soon; the caller is told when to come back.
_PUBLISHER = {
    "socket_connect_timeout": 0.7,
    "socket_timeout": 0.7,
    "max_retries": 0,
    "connect_retries_timeout": 0.7,
}


def make_app(settings: Settings) -> Celery:
    """The app of web processes (to submit) and of workers (to run); opens no connection."""
    transport = {
        "visibility_timeout": settings.visibility_timeout_s,
        "socket_connect_timeout": 5.0,
        "socket_timeout": 10.0,
        "socket_keepalive": True,
        "health_check_interval": 10,
        # Of two queues the first one until it is empty: jobs do not wait behind a data set.
        "queue_order_strategy": "priority",
    }
    app = Celery("pointaction", set_as_current=False)
    app.conf.update(
        broker_url=kombu_url(settings.require("broker_url")),
        broker_transport_options=transport,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker waits for its broker for ever
        broker_channel_error_retry=True,  # one that refuses to write, as its disk is full, too
        result_backend=None,
        result_backend_transport_options=transport,
        visibility_timeout=settings.visibility_timeout_s,
        **_TASKS,
        task_default_queue=settings.queue,
        task_soft_time_limit=settings.soft_time_limit_s,
        task_time_limit=settings.hard_time_limit_s,
        **_WORKER,
    )
    return app


_TASKS: dict[str, Any] = {
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_protocol": 2,
    "task_ignore_result": True,
    "task_store_errors_even_if_ignored": False,
    # A message is settled only when its job is; a killed pool process gives it back.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
}
_WORKER: dict[str, Any] = {
    "worker_pool": "prefork",  # only prefork enforces time limits
    "worker_concurrency": 1,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,  # a waiting job belongs to whichever worker is free first
    "worker_proc_alive_timeout": 60.0,  # a busy machine takes its time to start a process
    # On the second SIGINT, or SIGQUIT, a running job has so long to end by itself. An idle worker
    # holds nothing back: with ON_IDLE it would only be slow to stop.
    "worker_soft_shutdown_timeout": 10.0,
    "worker_enable_soft_shutdown_on_idle": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_enable_remote_control": False,  # one thing fewer that a broker can ask of a worker
    "worker_send_task_events": False,
}


def kombu_url(url: str) -> str:
    """The URL as kombu wants it: redis-py's unix:// is its redis+socket://, and certificates are
    looked at only if it is told so.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in query:
        return f"{url}{'&' if query else '?'}ssl_cert_reqs=required"
    if parts.scheme != "unix":
        return url
    login = parts.netloc.rpartition("@")[0]
    if not login and (password := query.get("password")):
        login = f":{quote(password[0], safe='')}"
    return (
        f"redis+socket://{login and login + '@'}{parts.path}?virtual_host={query.get('db', '0')[0]}"
    )


class Queue(Protocol):
    """Where jobs go."""

    def submit(self, job_id: str) -> None:
        """Raises QueueDown when the broker is away."""
        ...


class JobQueue:
    """Where jobs wait for a worker."""

    def __init__(self, settings: Settings) -> None:
        self.app = _publisher(settings)

    def submit(self, job_id: str, turn: int = 0) -> None:
        """Queue a job that has a record. QueueDown, within 2 s, when the broker is away."""
        args = [job_id, turn] if turn else [job_id]
        with _reached(), traces.span("publish", part="producer"):
            self.app.send_task(TASK, args=args, task_id=job_id, retry=False)


class ClipQueue:
    """Where clips of data sets wait, for workers that take them."""

    def __init__(self, settings: Settings) -> None:
        self.app = _publisher(settings)
        self.name = settings.extract_queue

    def submit(self, run: str, number: int, attempt: int) -> None:
        """Queue an attempt at a clip that the run has opened. QueueDown as for a job."""
        with _reached():
            self.app.send_task(
                CLIP,
                args=[run, number, attempt],
                task_id=f"{run}.{number}.{attempt}",
                queue=self.name,
                retry=False,
            )


def taken(settings: Settings) -> list[str]:
    """The queues that a worker of these settings takes from, the one that goes first before."""
    jobs, clips = [settings.queue], [settings.extract_queue]
    return {"jobs": jobs, "extract": clips, "both": jobs + clips}[settings.takes]


def _publisher(settings: Settings) -> Celery:
    app = make_app(settings)
    app.conf.broker_transport_options |= _PUBLISHER
    return app


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except (kombu.exceptions.KombuError, redis.exceptions.RedisError, OSError) as error:
        raise QueueDown("the queue does not answer; try again in a few seconds") from error
