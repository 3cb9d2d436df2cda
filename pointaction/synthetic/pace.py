"""The pace of a performance: when it starts and ends, where it lingers and where it hurries.

Shapes:  n performances   S samples of a score   T frames
"""

import math

import torch
from torch import Tensor

from pointaction.synthetic.score import SAMPLES, Draw, Score, ramp
from pointaction.synthetic.variety import Variety


def at_pace(score: Score, frames: int, draw: Draw, variety: Variety) -> Score:
    """The score with T frames of a clip in place of S samples of the action."""
    position = _phase(score.steady, frames, draw, variety) * (SAMPLES - 1)  # (n, T)
    before = position.floor().clamp(0, SAMPLES - 2).long()
    share = position - before

    def resample(table: Tensor, axis: int) -> Tensor:
        table = table.movedim(axis, 1)  # (n, S, ...)
        rows = torch.arange(len(table))[:, None]
        weight = share.view(*share.shape, *(1,) * (table.ndim - 2))
        here, next_ = table[rows, before], table[rows, before + 1]
        return (here + (next_ - here) * weight).movedim(1, axis)

    return score.in_time(resample)


def _phase(steady: Tensor, frames: int, draw: Draw, variety: Variety) -> Tensor:
    """(n, T) how far the action is: 0 before its start, 1 after its end."""
    time = torch.linspace(0, 1, frames)[None]
    # Many clips are cut close to their action, at either end or both.
    start = draw.column(0, variety.start) * draw.chance(0.75)
    end = torch.where(draw.chance(0.75), draw.column(variety.end, 1.0), 1.0)
    phase = ((time - start) / (end - start)).clamp(0, 1)

    pause = draw.column(0.05, variety.pause) * draw.chance(0.3)
    moment = draw.column(0.2, 0.8) * (1 - pause)
    moving = 1 - pause
    stopped = torch.where(
        phase < moment, phase, torch.where(phase < moment + pause, moment, phase - pause)
    )
    warped = (stopped / moving).clamp(0, 1)
    for waves in (1, 2):
        amount = draw.column(-0.6, 0.6) / (2 * math.pi * waves * 1.5)
        warped = warped + amount * (2 * math.pi * waves * warped).sin()
    warped = warped.clamp(0, 1)
    warped = warped + draw.column(0, 1) * (ramp(warped) - warped)
    return torch.where(steady[:, None], phase, warped)
