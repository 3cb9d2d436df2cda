"""A worker: in this process (`run_worker`), or in one of its own (`WorkerProcess`)."""

import os
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from celery import bootsteps, signals
from celery.exceptions import SecurityWarning
from celery.worker import state

from workers import logs, tasks, traces
from workers.following import OpenFollowing, open_following
from workers.library import open_library
from workers.parenthood import die_with_parent
from workers.process import Library, Process
from workers.queue import make_app, taken
from workers.settings import Settings
from workers.sweeper import Sweeper

OpenLibrary = Callable[[Settings], Library]


def run_worker(
    settings: Settings,
    *,
    open_library: OpenLibrary = open_library,
    open_following: OpenFollowing = open_following,
) -> int:
    """Work until SIGTERM or SIGINT; returns the exit code. To be called once, in a main thread.

    `open_library` is called in the pool process, on its first job, and `open_following` on the
    first clip of a data set.
    """
    logs.configure(settings)
    app = make_app(settings)

    @cache
    def process() -> Process:
        return Process(settings, open_library(settings), open_following=open_following)

    tasks.install(app, process)
    app.steps["worker"].update((PromptReplacement, LostSettlement))
    _listen(settings, Sweeper(settings))
    # It warns of pickle in a worker that runs as root, as in a container; ours reads JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = app.Worker(
        hostname=f"pointaction-{os.getpid()}@{socket.gethostname()}",
        queues=taken(settings),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


class PromptReplacement(bootsteps.StartStopStep):
    """Replaces a dead pool process within half a second.

    Celery looks as soon as the process's pipe closes, but the kernel closes it before the process
    can be waited for; when that race is lost, only its timer notices, which runs every 5 s.
    """

    requires = ("celery.worker.components:Pool",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(0.5, worker.pool.maintain_pool)


class LostSettlement(bootsteps.StartStopStep):
    """Connects anew when a message could not be settled.

    Celery logs that and goes on, while the transport goes on counting the message as one that is
    at work here: at one message at a time, this worker would never take another. A new connection
    counts anew. The message comes back, and is dropped when its job is claimed.
    """

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(0.5, self._look, worker.consumer)

    def _look(self, consumer: Any) -> None:
        if not state.reserved_requests and not consumer.task_consumer.channel.qos.can_consume():
            raise ConnectionError("a message was not settled")  # on which Celery connects anew


def _listen(settings: Settings, sweeper: Sweeper) -> None:
    """Have Celery tell us of the beginning and the end."""
    tie = die_with_parent()

    def in_pool_process(**_: Any) -> None:
        if tie:  # an orphan would hold its memory, and has nobody to enforce its time limits
            tie()
        traces.configure("pointaction-worker")

    def pool_process_ends(**_: Any) -> None:
        traces.end()

    def configure_logs(**_: Any) -> None:
        logs.configure(settings)

    def start(**_: Any) -> None:
        sweeper.start()

    def stop(**_: Any) -> None:
        sweeper.stop()

    signals.setup_logging.connect(configure_logs, weak=False)
    signals.worker_process_init.connect(in_pool_process, weak=False)
    signals.worker_process_shutdown.connect(pool_process_ends, weak=False)
    signals.worker_ready.connect(start, weak=False)
    signals.worker_shutdown.connect(stop, weak=False)


def environment(settings: Settings, reads: type[Settings] = Settings) -> dict[str, str]:
    """This process's environment, in which POINTACTION_* says what `settings` says.

    As far as the settings go that the other process reads: it is told no secrets of others.
    """
    known = settings.variables()
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in known}
    told = settings.as_environment()
    return inherited | {name: told[name] for name in reads.variables() if name in told}


class WorkerProcess:
    """A worker in a process of its own, which on Linux does not outlive this one.

    Or another `module` that works until SIGTERM, with the settings that it `reads`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        module: str = "workers.launch",
        reads: type[Settings] = Settings,
    ) -> None:
        self.settings = settings
        self.module = module
        self.reads = reads
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. Call from a thread that lasts: the worker ends with it."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            env=environment(self.settings, self.reads),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for `serve`, which stops the worker itself
            preexec_fn=die_with_parent(),
        )

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Let it finish its job for so long, then kill it; the job would be delivered again."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None


if __name__ == "__main__":
    sys.exit(run_worker(Settings()))
