"""Where tracks start.

Shapes:  N queries of (frame, x, y); x and y in pixels, pixel centres at integers
"""

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip


def random_queries(clip: Clip, count: int) -> NDArray[np.float32]:
    """`count` queries (N, 3), uniform in space **and** time (TrAction, section 3).

    Points chosen in one frame only would miss whatever enters later. The clip's own hash is the
    seed, so that a clip is always asked the same questions.
    """
    generator = np.random.default_rng(int(clip.sha256[:16], 16))
    frames = len(clip.frames)
    height, width = clip.size
    when = generator.integers(frames, size=count)
    x = generator.uniform(-0.5, width - 0.5, count).clip(0, width - 1)
    y = generator.uniform(-0.5, height - 0.5, count).clip(0, height - 1)
    return np.stack([when, x, y], -1).astype(np.float32)


def grid_queries(clip: Clip, *, rows: int, columns: int, frame: int) -> NDArray[np.float32]:
    """A regular grid (rows * columns, 3) in one frame, half a cell from the border."""
    height, width = clip.size
    x = (np.arange(columns) + 0.5) * width / columns - 0.5
    y = (np.arange(rows) + 0.5) * height / rows - 0.5
    grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
    when = np.full(grid_x.size, frame)
    return np.stack([when, grid_x.ravel(), grid_y.ravel()], -1).astype(np.float32)


def even_queries(clip: Clip, count: int) -> NDArray[np.float32]:
    """About `count` queries on a grid of squares in the middle frame, as TATs has them."""
    height, width = clip.size
    rows = max(1, round((count * height / width) ** 0.5))
    columns = max(1, round(count / rows))
    return grid_queries(clip, rows=rows, columns=columns, frame=len(clip.frames) // 2)
