"""What computes a model's answers: torch and ONNX Runtime, in several arithmetics, side by side.

    python -m benchmarks.backends [--models traction] [--tracks 512 2500] [--clips 1 8]

Times are of one run: all ways take turns on the same clips, random walks of nine tracks in ten
visible. "torch, every token" is how it was done before the last layer was asked about CLS alone,
and all views at once. Each peak of memory is of a process of its own, beyond what torch takes when
it is imported; the model itself is in it, as a worker holds it for few-shot episodes whatever
answers. Accuracy is compared on the same held-out performances, four ways where a model can be.
Prints tables and files them under `results/`.
"""

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from rich.console import Console
from rich.markdown import Markdown
from torch import Generator, Tensor

from benchmarks.machine import RESULTS
from pointaction.evaluation.backends import asking, milliseconds, open_backends, points_gained
from pointaction.evaluation.metrics import Estimate
from pointaction.evaluation.performances import Sight
from pointaction.evaluation.procedural import every_label
from pointaction.evaluation.report import Report, Table
from pointaction.models.backends import BACKENDS
from pointaction.models.catalog import DEFAULT_STORE, TORCH, Entry, find
from pointaction.models.store import load_model
from pointaction.models.traction import TrAction
from pointaction.models.views import Asked
from pointaction.progress import counting

BEFORE = "torch, every token"


@dataclass(frozen=True, kw_only=True)
class Setting:
    model: str
    tracks: int
    clips: int
    views: bool  # asked as a service asks, four ways

    def __str__(self) -> str:
        clips = "1 clip" if self.clips == 1 else f"{self.clips} clips"
        views = ", four views" if self.views else ""
        return f"{self.model}, {self.tracks} tracks, {clips}{views}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", default=["traction-tiny", "traction"])
    parser.add_argument("--tracks", nargs="+", type=int, default=[512, 2500])
    parser.add_argument("--clips", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--budget", type=float, default=10.0, help="seconds for each row")
    parser.add_argument("--per-class", type=int, default=4, help="clips for accuracy; 0: none")
    parser.add_argument("--points", type=int, default=512, help="of these clips")
    parser.add_argument("--data", type=Path, help="data folder whose graphs are taken; else anew")
    wish = parser.parse_args()
    settings = [
        Setting(model=model, tracks=tracks, clips=clips, views=views)
        for model, tracks, clips in product(wish.models, wish.tracks, wish.clips)
        for views in ((False, True) if clips == 1 else (False,))
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = wish.data or Path(folder)
        opened = {name: _open(name, data) for name in wish.models}
        with counting("settings") as progress:
            spent = dict(_timed(settings, opened, wish.budget, progress))
            peaks = dict(_peaks(settings, opened, data, progress))
        gained = _gained(opened, wish.per_class, wish.points) if wish.per_class else {}
    report = Report(
        title="What computes a model's answers",
        conditions={
            "threads": torch.get_num_threads(),
            "load average": f"{os.getloadavg()[0]:.1f}",
            "accuracy on": f"{wish.per_class} clips of each motion, {wish.points} exact tracks",
        },
        tables={
            "Milliseconds, median": _table(spent, [BEFORE, *BACKENDS], lambda ms, _: f"{ms:.1f}"),
            "Times torch's": _table(
                spent, [BEFORE, *BACKENDS], lambda ms, row: f"{ms / row[TORCH]:.2f}"
            ),
            "Peak memory, MiB": _table(peaks, list(BACKENDS), lambda mib, _: f"{mib:.0f}"),
        },
    )
    if gained:
        others = tuple(name for name in BACKENDS if name != TORCH)
        report.tables["Top-1 accuracy less that of torch, in points"] = Table(
            corner="model",
            columns=others,
            rows={model: tuple(map(points.get, others)) for model, points in gained.items()},
        )
    console = Console()
    console.print(Markdown(report.markdown()))
    console.print(f"written to {report.write(RESULTS, 'backends').name}")


@dataclass(frozen=True, kw_only=True)
class Opened:
    entry: Entry
    model: TrAction
    asked: dict[str, Asked]


def _open(name: str, data: Path) -> Opened:
    entry = find(DEFAULT_STORE, name)
    model = load_model(DEFAULT_STORE, entry)
    return Opened(entry=entry, model=model, asked=open_backends(model, entry, data))


def _timed(
    settings: list[Setting],
    opened: dict[str, Opened],
    budget_s: float,
    progress: Callable[[int, int], None],
) -> Iterator[tuple[Setting, dict[str, float]]]:
    for done, setting in enumerate(settings):
        progress(done, len(settings))
        one = opened[setting.model]
        clips = _random_walks(setting)
        symmetry = one.entry.symmetry if setting.views else None
        ways = {name: asking(asked, clips, symmetry) for name, asked in one.asked.items()}
        ways[BEFORE] = _every_token(one.model, clips, views=4 if setting.views else 1)
        yield setting, milliseconds(ways, budget_s=budget_s)


def _peaks(
    settings: list[Setting],
    opened: dict[str, Opened],
    data: Path,
    progress: Callable[[int, int], None],
) -> Iterator[tuple[Setting, dict[str, float]]]:
    """Each of a process that is new: what one has taken it does not give back."""
    context = multiprocessing.get_context("spawn")
    for done, setting in enumerate(settings):
        progress(done, len(settings))
        row = {}
        for backend in opened[setting.model].asked:
            with ProcessPoolExecutor(1, mp_context=context) as process:
                entry = opened[setting.model].entry
                row[backend] = process.submit(_peak, setting, entry, backend, data).result()
        yield setting, row


def _peak(setting: Setting, entry: Entry, backend: str, data: Path) -> float:
    """MiB beyond what was taken before, of the process that this runs in."""
    clips = _random_walks(setting)
    before = _peak_so_far()
    asked = BACKENDS[backend].open(load_model(DEFAULT_STORE, entry), entry, data)
    ask = asking(asked, clips, entry.symmetry if setting.views else None)
    ask()
    ask()
    return _peak_so_far() - before


def _peak_so_far() -> float:
    """MiB; the kernel's other figure, of getrusage, counts the parent's before it."""
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def _random_walks(setting: Setting) -> tuple[Tensor, Tensor]:
    """Geometry (B, N, T, 3) and visibility (B, N, T)."""
    generator = Generator().manual_seed(0)
    shape = (setting.clips, setting.tracks, 32)
    steps = torch.randn(*shape, 3, generator=generator) / 32
    return 0.5 + steps.cumsum(2), torch.rand(shape, generator=generator) < 0.9


def _every_token(
    model: TrAction, clips: tuple[Tensor, Tensor], *, views: int
) -> Callable[[], object]:
    geometry, visible = (each.repeat(views, *[1] * (each.ndim - 1)) for each in clips)

    def ask() -> object:
        with torch.inference_mode():
            return model.head(model.encoder(geometry, visible).cls)

    return ask


def _gained(
    opened: dict[str, Opened], per_class: int, points: int
) -> dict[str, dict[str, Estimate]]:
    """By model and backend."""
    found = {}
    for name, one in opened.items():
        programme = every_label(one.entry.labels, per_class=per_class, seed=0)
        others = {backend: asked for backend, asked in one.asked.items() if backend != TORCH}
        with counting(name) as progress:
            found[name] = points_gained(
                one.model, others, one.entry, programme, Sight(points=points), progress=progress
            )
    return found


def _table(
    rows: dict[Setting, dict[str, float]],
    columns: list[str],
    text: Callable[[float, dict[str, float]], str],
) -> Table:
    return Table(
        corner="what is asked",
        columns=tuple(columns),
        rows={
            str(setting): tuple(text(row[name], row) if name in row else None for name in columns)
            for setting, row in rows.items()
        },
    )


if __name__ == "__main__":
    main()
