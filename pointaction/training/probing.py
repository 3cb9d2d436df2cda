"""The two stages of late fusion: a probe on a backbone's tokens, then one linear layer.

"TrAction: Action Recognition with Sparse Trajectories", appendix D. Both branches are trained each
by itself and stay as they are; a linear layer is trained on what they find, side by side, with a
schedule of its own.

Shapes:  n clips   B of them   S tokens   C, D widths of appearance and motion   L labels
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from pointaction.models.fusion import LateFusion
from pointaction.models.probe import AttentiveProbe, ProbeConfig
from pointaction.models.traction import TrAction
from pointaction.training.schedule import warmup_cosine

_HEADS = 12  # of the probe, the paper's; fewer where they do not divide its width
_TOGETHER = 16  # clips that are read at once

Told = Callable[[Tensor], Tensor]
"""The tokens (B, S, C) of some rows (B,) of clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """AdamW with a warm-up and half a cosine."""

    steps: int
    learning_rate: float
    weight_decay: float
    batch: int = 64


PROBE = Schedule(steps=400, learning_rate=1e-3, weight_decay=0.05)
LINEAR = Schedule(steps=800, learning_rate=1e-2, weight_decay=0.5)


def train_probe(
    tokens: Told,
    time: Tensor,
    labels: Tensor,
    *,
    width: int,
    classes: int,
    told_time: bool,
    generator: Generator,
    schedule: Schedule = PROBE,
) -> AttentiveProbe:
    """A probe that reads tokens of the width C, of the steps in time (S,), as labels (n,).

    told_time: for a backbone that sees each frame by itself. `generator` is the chance of the
    initial weights and of the order.
    """
    config = ProbeConfig(width=width, classes=classes, heads=heads_of(width), told_time=told_time)
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        probe = AttentiveProbe(config)

    def wrong(rows: Tensor) -> Tensor:
        return cross_entropy(probe(tokens(rows), time), labels[rows])

    descend(probe.parameters(), wrong, len(labels), schedule, generator)
    return probe.eval()


def heads_of(width: int) -> int:
    """How many a probe of that width has: the paper's 12, or as many as divide it."""
    return max(count for count in range(1, _HEADS + 1) if width % count == 0)


def train_fusion(
    motion: TrAction,
    probe: AttentiveProbe,
    moved: Tensor,
    looked: Tensor,
    labels: Tensor,
    *,
    generator: Generator,
    schedule: Schedule = LINEAR,
) -> LateFusion:
    """Both branches and a layer above them.

    moved (n, D) are the CLS of some clips, looked (n, C) what the probe makes of them. Clips that
    the branches have not learned from are best: of the few that it has seen, a probe knows every
    label by heart, and the layer would believe it in all.
    """
    model = LateFusion(motion, probe)
    fit_linear(model.head, torch.cat([looked, moved], 1), labels, schedule, generator)
    return model.eval()


def embed_clips(probe: AttentiveProbe, tokens: Told, time: Tensor, rows: Tensor) -> Tensor:
    """What the probe makes of some clips, (B, C), a few at a time."""
    with torch.no_grad():
        return torch.cat([probe.embed(tokens(few), time) for few in rows.split(_TOGETHER)])


def descend(
    parameters: Iterable[nn.Parameter],
    loss: Callable[[Tensor], Tensor],
    count: int,
    schedule: Schedule,
    generator: Generator,
) -> None:
    """Minimise the `loss` of some of `count` rows, a few at a time by chance."""
    optimiser = torch.optim.AdamW(
        parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    for step in range(schedule.steps):
        rows = torch.randint(count, (schedule.batch,), generator=generator)
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * warmup_cosine(step, steps=schedule.steps)
        optimiser.zero_grad(set_to_none=True)
        loss(rows).backward()
        optimiser.step()


def fit_linear(
    layer: nn.Linear, facts: Tensor, labels: Tensor, schedule: Schedule, generator: Generator
) -> None:
    """Train a layer on facts (n, in) as if each had mean 0 and deviation 1."""
    middle, spread = facts.mean(0), facts.std(0).clamp(min=1e-4)
    even = (facts - middle) / spread
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)

    def wrong(rows: Tensor) -> Tensor:
        return cross_entropy(layer(even[rows]), labels[rows])

    descend(layer.parameters(), wrong, len(even), schedule, generator)
    with torch.no_grad():
        layer.weight /= spread
        layer.bias.sub_(layer.weight @ middle)
