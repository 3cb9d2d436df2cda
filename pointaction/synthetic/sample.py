"""One procedural clip as a video file, to try things with."""

from pathlib import Path

import torch
from torch import Generator

from pointaction.errors import InputError
from pointaction.synthetic.render import render
from pointaction.synthetic.stage import sample_scenes
from pointaction.synthetic.vocabulary import LABELS
from pointaction.video.encode import encode_mp4


def write_sample(
    motion: str, path: Path, *, seed: int, side: int = 320, seconds: float = 3.0, frames: int = 48
) -> None:
    """Render a performance of the class `motion` as an mp4 whose longer side has `side` pixels."""
    if motion not in LABELS:
        raise InputError(f"{motion!r} is no motion class; there are: {', '.join(LABELS)}")
    generator = Generator().manual_seed(seed)
    labels = torch.tensor([LABELS.index(motion)])
    scenes = sample_scenes(labels, frames=frames, generator=generator)
    pictures = render(scenes, 0, side=side, generator=generator)
    encode_mp4(pictures, fps=frames / seconds, path=path)
