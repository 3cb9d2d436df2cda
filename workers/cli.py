"""Commands that `pointaction` gets from the workers: `worker`, `webhooks`, `dead` and `release`."""

import sys
from datetime import datetime
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from pointaction.terminal import out
from workers.jobs import JobStore
from workers.settings import Settings, Takes

AnySettings = TypeVar("AnySettings", bound=Settings)


def worker(
    takes: Annotated[
        Takes | None,
        typer.Option(
            help="jobs of the service; clips that `pointaction extract --queue` hands out; or "
            "these where no job waits. Else as POINTACTION_TAKES says."
        ),
    ] = None,
) -> None:
    """Work on the queues of POINTACTION_BROKER_URL, until SIGTERM."""
    from workers.launch import run_worker

    settings = _settings(Settings)
    sys.exit(run_worker(settings.model_copy(update={"takes": takes}) if takes else settings))


def webhooks() -> None:
    """Tell of ended jobs whoever asked to be told, until SIGTERM."""
    from workers.deliverer import run_deliverer
    from workers.settings import WebhookSettings

    sys.exit(run_deliverer(_settings(WebhookSettings)))


def dead() -> None:
    """List the jobs that killed their workers, and the content in quarantine for it."""
    jobs = _jobs()
    table = Table("attempts", "failed", box=None)
    for name in ("job", "content"):
        table.add_column(name, overflow="fold")  # to be copied, so never shortened
    for job in jobs.dead():
        when = datetime.fromtimestamp(job.finished_at or 0).isoformat(" ", "seconds")
        table.add_row(str(job.attempts), when, job.id, job.content)
    out.print(table if table.row_count else "no dead jobs")
    for content, job_id in jobs.quarantine().items():
        out.print(f"in quarantine: {content} (job {job_id})")


def release(
    content: Annotated[str, typer.Argument(help="SHA-256 of the quarantined clip.")],
) -> None:
    """Let a quarantined clip be sent again."""
    if not _jobs().release(content):
        out.print(f"{content} is not in quarantine", style="red")
        raise typer.Exit(1)
    out.print(f"{content} may be sent again")


def _settings(kind: type[AnySettings]) -> AnySettings:
    settings = kind()
    if not settings.broker_url:
        raise typer.BadParameter(
            "set POINTACTION_BROKER_URL (and POINTACTION_CACHE_URL) to the Redis of the service; "
            "`pointaction serve` without them starts its own worker"
        )
    return settings


def _jobs() -> JobStore:
    return JobStore.open(_settings(Settings))
