"""What a person sees of a run: progress bars, and in the end where the weights are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from pointaction.count import Count
from pointaction.training.checkpoints import export_weights
from pointaction.training.finetune import Watcher
from pointaction.training.loop import Report, Run
from pointaction.training.processes import is_first


@dataclass(frozen=True, kw_only=True)
class Outcome:
    weights: Path
    sha256: str
    steps: int  # done so far; fewer than the recipe's when the time was over


def carry_out(
    learn: Callable[[Run, Report], tuple[nn.Module, int]], run: Run, console: Console
) -> Outcome | None:
    """`procedural.train` or `pretrain` with a progress bar; its weights are in the run's folder.

    None in the processes that torchrun has started to help the first one.
    """
    if not is_first():
        learn(run, lambda step, measures: None)
        return None
    with _bars(console) as bars:
        model, steps = learn(run, _counting(run, bars))
    path = run.folder / "weights.safetensors"
    return Outcome(weights=path, sha256=export_weights(model, path), steps=steps)


@contextmanager
def watching(console: Console) -> Iterator[Watcher]:
    """Bars for the tracking of clips, looking at them and training; failures are told between."""
    with _bars(console) as bars:

        def counting(what: str) -> Count:
            bar = bars.add_task(what, total=None, visible=False, state="")
            return lambda done, total: bars.update(bar, completed=done, total=total, visible=True)

        yield Watcher(
            following=counting("track"),
            looking=counting("look"),
            failed=lambda path, error: console.print(
                f"[red]{escape(str(path))}[/] is left out: {escape(str(error))}", soft_wrap=True
            ),
            training=lambda run: _counting(run, bars),
        )


def _counting(run: Run, bars: Progress) -> Report:
    """A bar of the run's steps with running means over some twenty of them."""
    bar = bars.add_task(run.folder.name, total=run.recipe.steps, state="")
    means: dict[str, float] = {}

    def report(step: int, measures: dict[str, float]) -> None:
        for name, value in measures.items():
            means[name] = means.get(name, value) + 0.05 * (value - means.get(name, value))
        state = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        bars.update(bar, completed=step, state=state)

    return report


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
        console=console,
    )
