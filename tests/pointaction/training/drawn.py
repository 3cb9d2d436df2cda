"""Clips of a square that goes left or right, small enough to be checked in one's head."""

import torch

from pointaction.training.reels import Reels

LABELS = ("moving left", "moving right", "waving to friends")
SIDE, CELLS, FRAMES = 16, 8, 6


def sliding(clips: int) -> Reels:
    """Clip i has label i % 2, on a grey of its own. The square goes a pixel per frame.

    Both begin in the middle, so that first frames are alike.
    """
    label = torch.arange(clips) % 2
    frames = torch.zeros(clips, FRAMES, SIDE, SIDE, 3, dtype=torch.uint8)
    motion = torch.zeros(clips, 4, FRAMES, CELLS, CELLS, dtype=torch.float16)
    for clip, way in enumerate((2 * label - 1).tolist()):
        frames[clip] = 10 * (clip % 8)
        for time in range(FRAMES):
            column = 6 + way * time
            frames[clip, time, 6:10, column : column + 4] = 200
        motion[clip, 0, :-1] = way
        motion[clip, 2, 1:] = -way
    return Reels(frames=frames, motion=motion, label=label, labels=LABELS, name="sliding")
