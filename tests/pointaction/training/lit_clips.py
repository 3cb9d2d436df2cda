"""Clips that differ in how they move and in how light they are."""

from pathlib import Path

import numpy as np

from pointaction.video.encode import encode_mp4
from tests.pointaction.tracking.test_lucas_kanade import shifting

LABELS = {"dark to the left": (-3, 0.3), "light to the right": (3, 1.0)}


def write_clips(folder: Path) -> Path:
    """Four of each label, in `folder`/label."""
    for label, (step, light) in LABELS.items():
        (folder / label).mkdir()
        for number in range(4):
            frames = shifting((step, number), frames=8).frames
            lit = (frames * np.float32(light)).astype(np.uint8)
            encode_mp4(list(lit), fps=8, path=folder / label / f"{number}.mp4")
    return folder
