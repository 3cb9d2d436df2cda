"""Clips in which everything moves one way: enough to follow points through."""

from pathlib import Path

import numpy as np

from pointaction.video.encode import encode_mp4

_FRAMES = 12


def write_slide(path: Path, *, right: int, seed: int) -> Path:
    """A blotchy picture, 128 x 96, that moves `right` pixels a frame; returns the path."""
    rng = np.random.default_rng(seed)
    blotches = np.kron(rng.integers(0, 255, (16, 40, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    start = 56 + right * _FRAMES // 2
    frames = [blotches[:, start - right * t :][:, :128] for t in range(_FRAMES)]
    path.parent.mkdir(parents=True, exist_ok=True)
    encode_mp4(frames, fps=10, path=path)
    return path
