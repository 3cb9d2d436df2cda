"""`pointaction pretrain STORE`: masked trajectories (TrAction, section 3) from stores of tracks."""

from collections.abc import Callable, Sequence

import torch
from torch.utils.data import Dataset

from pointaction.models.masked_pretraining import MaskedConfig, MaskedPretraining
from pointaction.models.traction import TrAction
from pointaction.trackstore.batches import StoreBatches
from pointaction.trackstore.part import Part
from pointaction.training.batch import Batch
from pointaction.training.checkpoints import load_encoder
from pointaction.training.loop import Report, Run, Waited, optimise, unheeded
from pointaction.training.middle import settle
from pointaction.training.objectives import masked


class Together(Dataset[Batch]):
    """`batches[number]`: of several stores by turns, of each as often as it has clips."""

    def __init__(self, parts: Sequence[Part], run: Run) -> None:
        self.clips = [len(part) for part in parts]
        self.batches = [StoreBatches.of_run(part, None, run) for part in parts]

    def __getitem__(self, number: int) -> Batch:
        which, own = whose_turn(number, self.clips)
        return self.batches[which][own]


def whose_turn(number: int, clips: Sequence[int]) -> tuple[int, int]:
    """Which of several stores batch `number` is of, and how many of its own came before."""
    for which, mine in enumerate(clips[:-1]):
        total = sum(clips[which:])
        before = number * mine // total
        if (number + 1) * mine // total > before:
            return which, before
        number -= before
    return len(clips) - 1, number


def pretrain_stores(
    run: Run,
    report: Report,
    *,
    parts: Sequence[Part],
    build: Callable[[int], TrAction],
    config: MaskedConfig,
    waited: Waited = unheeded,
) -> tuple[MaskedPretraining, int]:
    """Learn to tell where hidden tracks went; the model, and its steps so far."""
    torch.manual_seed(run.seed)  # initial weights
    model = MaskedPretraining(build(1).encoder, config)
    if run.start:
        load_encoder(model.encoder, run.start)
    batches = Together(parts, run)
    steps = optimise(run, model, masked(model, seed=run.seed), batches, report, waited=waited)
    settle(model.encoder, batches, first=run.recipe.batches)
    return model.eval(), steps
