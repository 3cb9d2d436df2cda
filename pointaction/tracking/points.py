"""Which ways there are to choose the points to follow. The registry is a dict, as for trackers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointaction.appearance.installed import best_installed
from pointaction.clip import Clip
from pointaction.methods import Method, Running, Used

Choose = Callable[[Clip, int], NDArray[np.float32]]
"""Queries (N, 3) of (frame, x, y) for a clip and a number of points, which it may miss by a few."""

DEFAULT_POINTS = "random"


@dataclass(frozen=True, kw_only=True)
class SemanticPoints(Method[Choose]):
    """Runs on DINOv2 where it is installed, else on colour and texture."""

    def runs_on(self, store: Path) -> str | None:
        found = best_installed(store)
        return found[0].name if found else None

    def used(self, store: Path, running: Running) -> Used:
        known, network = super().used(store, running), self.runs_on(store)
        return replace(known, version=f"{known.version}+{network}") if network else known


def _random(store: Path, running: Running) -> Choose:
    from pointaction.tracking.queries import random_queries

    return random_queries


def _grid(store: Path, running: Running) -> Choose:
    from pointaction.tracking.queries import even_queries

    return even_queries


def _semantic(store: Path, running: Running) -> Choose:
    from pointaction.appearance.patches import open_patches
    from pointaction.tracking.semantic import semantic_queries

    patches = open_patches(store, device=running.device)
    return lambda clip, count: semantic_queries(clip, count, patches)


_ALL = (
    Method(
        name="random",
        says="anywhere in space and time",
        version="1",
        open=_random,
    ),
    Method(
        name="grid",
        says="a regular grid in the middle frame",
        version="1",
        open=_grid,
    ),
    SemanticPoints(
        name="semantic",
        says="as many on a small thing as on a large one (Trokens), told apart by DINOv2 where it "
        "is installed, else by colour and texture",
        version="1",
        open=_semantic,
    ),
)
POINTS: dict[str, Method[Choose]] = {method.name: method for method in _ALL}
