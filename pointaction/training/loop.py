"""The training loop, written out: no trainer class, no hooks."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from pointaction.models.store import BUILDERS
from pointaction.models.traction import TrAction
from pointaction.synthetic.batches import ProceduralBatches
from pointaction.synthetic.motions import LABELS
from pointaction.training.checkpoints import load_checkpoint, save_checkpoint
from pointaction.training.recipes import Recipe
from pointaction.training.schedule import warmup_cosine

Progress = Callable[[int, float, float], None]  # step, loss, accuracy on the batch


def train(
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    checkpoint: Path,
    report: Progress,
    save_every: int = 100,
    workers: int = 1,
) -> TrAction:
    """Train on procedural motion; goes on from `checkpoint` where that file exists.

    The same recipe and seed see the same batches in the same order, interrupted or not.
    """
    torch.manual_seed(seed)  # initial weights and dropout
    model = BUILDERS[recipe.builder](len(LABELS)).to(device).train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    start = load_checkpoint(checkpoint, model, optimiser, recipe, seed)
    batches = ProceduralBatches(batch=recipe.batch, frames=recipe.frames, seed=seed)
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
        label = batch.label.to(device)
        logits, _ = model(
            batch.geometry.to(device), batch.visible.to(device), batch.present.to(device)
        )
        loss = cross_entropy(logits, label, label_smoothing=recipe.label_smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimiser.step()
        report(step + 1, loss.item(), (logits.argmax(-1) == label).float().mean().item())
        if (step + 1) % save_every == 0 or step + 1 == recipe.steps:
            save_checkpoint(checkpoint, model, optimiser, recipe, seed, step=step + 1)
    return model.eval()
