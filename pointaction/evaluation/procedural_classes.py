"""Motions that nobody was taught as classes for episodes: one program, performed several times.

Shapes:  n programs   B performances of one
"""

from collections.abc import Iterator

import torch
from torch import Generator

from pointaction.evaluation.performances import (
    FRAMES,
    HELD_OUT_SEED,
    Inputs,
    Sight,
    look_at_tracks,
)
from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.stage import perform
from pointaction.synthetic.variety import TRAINING, WIDE

_SEED = HELD_OUT_SEED + 1_000_000_000  # away from other held-out performances


def watch_programs(
    count: int, sight: Sight, *, performances: int, seed: int = 0, wide: bool = True, clock: int
) -> Iterator[Inputs]:
    """Program by program its performances (B, N, `clock`, ...), as tracks.

    Each program has a chance of its own: more programs leave the first ones as they are performed.
    """
    score = sample_programs(count, Generator().manual_seed(_SEED + seed * 1_000_003))
    for number in range(count):
        generator = Generator().manual_seed(_SEED + seed * 1_000_003 + 1 + number)
        scenes = perform(
            score.rows(torch.full((performances,), number)),
            frames=FRAMES,
            variety=WIDE if wide else TRAINING,
            generator=generator,
        )
        with torch.inference_mode():
            yield look_at_tracks(scenes, sight, clock=clock, generator=generator)
