"""Which backend answers best for a model on this machine: how fast it is, and what it costs.

Shapes:  n clips   B clips of a chunk   N tracks   T frames
"""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from pointaction.count import Count
from pointaction.errors import MissingExtra
from pointaction.evaluation.metrics import Estimate, hits
from pointaction.evaluation.performances import Programme, Sight, own_labels, watch
from pointaction.evaluation.procedural import every_label
from pointaction.evaluation.report import circumstances
from pointaction.models.backends import BACKENDS, Choice
from pointaction.models.catalog import TORCH, Entry
from pointaction.models.symmetry import Symmetry
from pointaction.models.traction import TrAction
from pointaction.models.views import Asked, answer

ALLOWED = 0.2  # points of accuracy that a rounding backend may lose
_WORTH = 0.95  # of torch's time: what is not clearly faster is not worth another way


def choose(
    model: TrAction,
    entry: Entry,
    data: Path,
    *,
    tracks: int,
    per_class: int,
    seed: int,
    progress: Count,
) -> Choice:
    """The fastest backend that keeps the accuracy, for one clip of so many tracks at a time.

    Accuracy is compared on `per_class` performances of each motion, where a backend that rounds is
    fast enough to be worth it. Backends that are not installed are left out.
    """
    asked = open_backends(model, entry, data)
    programme = every_label(entry.labels, per_class=per_class, seed=seed)
    sight = Sight(points=tracks)
    first = next(watch(programme, sight, clock=model.encoder.config.frames))
    clip = first.geometry[:1], first.visible[:1]
    spent = milliseconds({name: asking(each, clip, entry.symmetry) for name, each in asked.items()})
    worth = {name for name in asked if spent[name] < _WORTH * spent[TORCH]}
    rounding = {name: asked[name] for name in worth if BACKENDS[name].rounds}
    gained: Mapping[str, Estimate] = {}
    if rounding:
        gained = points_gained(model, rounding, entry, programme, sight, progress=progress)
    kept = [name for name in worth if name not in gained or gained[name].value >= -ALLOWED]
    return Choice(
        backend=min([TORCH, *kept], key=lambda name: spent[name]),
        model=entry.pinned,
        circumstances=circumstances(),
        figures={
            name: {"ms": spent[name], "points": gained[name].value if name in gained else None}
            for name in asked
        },
    )


def open_backends(model: TrAction, entry: Entry, data: Path) -> dict[str, Asked]:
    """Every backend that is installed here, torch first; graphs are made in the data folder."""
    opened: dict[str, Asked] = {}
    for name, backend in BACKENDS.items():
        try:
            opened[name] = backend.open(model, entry, data)
        except MissingExtra:
            continue
    return opened


def milliseconds(
    ways: Mapping[str, Callable[[], object]], *, budget_s: float = 5.0
) -> dict[str, float]:
    """The median of each, over three rounds or as many more as the budget has time for.

    They take turns, so that what else runs here slows all of them.
    """
    for work in ways.values():
        work()  # the first time is slower
    spent: dict[str, list[float]] = {name: [] for name in ways}
    begun = time.perf_counter()
    while len(spent[TORCH]) < 3 or time.perf_counter() - begun < budget_s:
        for name, work in ways.items():
            start = time.perf_counter()
            work()
            spent[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(times) for name, times in spent.items()}


def points_gained(
    model: TrAction,
    others: Mapping[str, Asked],
    entry: Entry,
    programme: Programme,
    sight: Sight,
    *,
    progress: Count,
) -> dict[str, Estimate]:
    """Top-1 accuracy of each of `others` less that of `model` on the same clips, in points.

    With its 95 % interval; no interval says that they agreed on every clip.
    """
    labels = own_labels(entry.labels)[programme.labels]
    ways: dict[str, Asked] = {TORCH: model, **others}
    right: dict[str, list[Tensor]] = {name: [] for name in ways}
    done = 0
    for seen in watch(programme, sight, clock=model.encoder.config.frames):
        true = labels[done : done + len(seen.geometry)]
        for name, way in ways.items():
            with torch.inference_mode():
                logits = answer(way, seen.geometry, seen.visible, entry.symmetry).logits
            right[name].append(hits(logits, true))
        done += len(true)
        progress(done, len(labels))
    each = {name: torch.cat(parts).double() for name, parts in right.items()}
    return {name: _paired(each[name] - each[TORCH]) for name in others}


def asking(
    asked: Asked, clips: tuple[Tensor, Tensor], symmetry: Symmetry | None
) -> Callable[[], object]:
    """The work of one question, as `views.answer` is asked it."""

    def ask() -> object:
        with torch.inference_mode():
            return answer(asked, *clips, symmetry)

    return ask


def _paired(difference: Tensor) -> Estimate:
    """Of differences (n,) of -1, 0 and 1, in points."""
    mean = float(difference.mean()) * 100
    half = 1.96 * float(difference.std()) / len(difference) ** 0.5 * 100
    return Estimate(value=mean, low=mean - half, high=mean + half)
