"""The learning rate over a run."""

import math


def warmup_cosine(step: int, *, steps: int, warmup: float = 0.1) -> float:
    """Factor on the learning rate: linear for the share `warmup`, then half a cosine to 0."""
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
