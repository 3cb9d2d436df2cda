"""Progress bars of the commands, on standard error, so that answers can be piped."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pointaction.count import Count


def bars(*, quiet: bool = False) -> Progress:
    """Bars that vanish when they are done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=quiet,
    )


@contextmanager
def counting(name: str) -> Iterator[Count]:
    """A bar for work that says how many of how many are done."""
    with bars() as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
