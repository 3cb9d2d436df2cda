"""A progress bar that says how fast it goes."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from pointaction.count import Count


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} clips/s" if task.speed else "")


@contextmanager
def rating(name: str) -> Iterator[Count]:
    """A bar on standard error with the clips a second of the last while, and the time left."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, speed_estimate_period=120) as progress:
        task = progress.add_task(name, total=None)
        begun = None

        def count(done: int, total: int) -> None:
            nonlocal begun
            if begun is None:  # what was there before was not done now
                begun = done - 1
                progress.update(task, total=total - begun)
            progress.update(task, completed=done - begun)

        yield count
