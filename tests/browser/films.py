"""Longer videos, joined of the page's own sample clips."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pointaction.video.encode import encode_mp4

SAMPLES = Path(__file__).resolve().parents[2] / "service" / "web" / "samples"
_FPS = 16  # of all of them


def join(names: list[str], path: Path) -> Path:
    """The sample clips of these names, one after the other."""
    encode_mp4(_frames(names), fps=_FPS, path=path)
    return path


def _frames(names: list[str]) -> Iterator[NDArray[np.uint8]]:
    for name in names:
        with av.open(str(SAMPLES / f"{name}.mp4")) as clip:
            for frame in clip.decode(video=0):
                yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
