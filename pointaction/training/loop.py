"""The training loop, written out: no trainer class, no hooks. Two objectives share it."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from pointaction.models.masked_pretraining import MaskedConfig, MaskedPretraining
from pointaction.models.store import BUILDERS
from pointaction.models.traction import TrAction
from pointaction.synthetic.batches import Batch, ProceduralBatches
from pointaction.synthetic.motions import LABELS
from pointaction.training.checkpoints import load_checkpoint, load_encoder, save_checkpoint
from pointaction.training.recipes import Recipe
from pointaction.training.schedule import warmup_cosine

Report = Callable[[int, float, float | None], None]
"""Told the step, the loss, and the share of right answers where there are answers."""

Objective = Callable[[Batch, int], tuple[Tensor, float | None]]  # batch, step -> loss, share right


def train(
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    checkpoint: Path,
    report: Report,
    start: Path | None = None,
    save_every: int = 100,
    workers: int = 1,
) -> TrAction:
    """Learn the named motions; goes on from `checkpoint` where that file exists.

    `start` are weights whose encoder to begin with, of a pretraining or of another model. The
    same recipe, seed and start see the same batches in the same order, interrupted or not.
    """
    torch.manual_seed(seed)  # initial weights and dropout
    model = BUILDERS[recipe.builder](len(LABELS))
    if start:
        load_encoder(model.encoder, start)
    model = model.to(device)

    def name_the_motion(batch: Batch, step: int) -> tuple[Tensor, float]:
        logits, _ = model(batch.geometry, batch.visible, batch.present)
        loss = cross_entropy(logits, batch.label, label_smoothing=recipe.label_smoothing)
        return loss, (logits.argmax(-1) == batch.label).float().mean().item()

    _optimise(model, name_the_motion, recipe, seed, device, checkpoint, report, save_every, workers)
    return model.eval()


def pretrain(
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    checkpoint: Path,
    report: Report,
    save_every: int = 100,
    workers: int = 1,
) -> MaskedPretraining:
    """Learn to tell where hidden tracks went (TrAction, section 3); resumable as `train`."""
    torch.manual_seed(seed)
    encoder = BUILDERS[recipe.builder](len(LABELS)).encoder
    model = MaskedPretraining(encoder, MaskedConfig()).to(device)

    def find_the_hidden(batch: Batch, step: int) -> tuple[Tensor, None]:
        chance = Generator().manual_seed(seed * 1_000_003 + step)
        return model.loss(batch.geometry, batch.visible, batch.present, generator=chance), None

    _optimise(model, find_the_hidden, recipe, seed, device, checkpoint, report, save_every, workers)
    return model.eval()


def _optimise(
    model: nn.Module,
    objective: Objective,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    checkpoint: Path,
    report: Report,
    save_every: int,
    workers: int,
) -> None:
    model.train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    start = load_checkpoint(checkpoint, model, optimiser, recipe, seed)
    batches = ProceduralBatches(
        batch=recipe.batch, frames=recipe.frames, tracks=recipe.tracks, seed=seed
    )
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=range(start, recipe.steps),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    for step, batch in enumerate(loader, start):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * warmup_cosine(step, steps=recipe.steps)
        loss, right = objective(batch.to(device), step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimiser.step()
        report(step + 1, loss.item(), right)
        if (step + 1) % save_every == 0 or step + 1 == recipe.steps:
            save_checkpoint(checkpoint, model, optimiser, recipe, seed, step=step + 1)
