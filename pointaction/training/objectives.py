"""What a run minimises: from a batch to named losses and measures."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy, normalize

from pointaction.models.masked_pretraining import MaskedPretraining
from pointaction.models.traction import TrAction
from pointaction.training.batch import Batch

Objective = Callable[[Batch, int], dict[str, Tensor]]
"""From a batch and its number to scalars by name, of which "loss" is minimised."""

TEMPERATURE = 0.1


def recognise(model: TrAction, *, label_smoothing: float, contrast: float) -> Objective:
    """Name the motions that have a name, and tell all of them apart.

    Both parts read the CLS token itself: what they shape is what few-shot classifiers compare.
    Measures: "right", the share of named clips that got their name, and "found", the share of
    clips whose nearest other clip shows the same motion.
    """

    def objective(batch: Batch, number: int) -> dict[str, Tensor]:
        cls = model.encoder.read(batch.geometry, batch.visible, batch.present).cls
        measures = {}
        loss = cls.new_zeros(())
        named = batch.label >= 0
        if named.any():
            logits = model.head(cls[named])
            truth = batch.label[named]
            loss = loss + cross_entropy(logits, truth, label_smoothing=label_smoothing)
            measures["right"] = (logits.argmax(-1) == truth).float().mean()
        if batch.group is not None and contrast > 0:
            apart, found = supervised_contrast(cls, batch.group)
            loss = loss + contrast * apart
            measures |= {"apart": apart, "found": found}
        return {"loss": loss} | measures

    return objective


def supervised_contrast(features: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    """Clips (B, D) of the same group (B,) are to be alike, and unlike all others.

    P. Khosla et al., "Supervised contrastive learning" (2020), equation 2. Also returns the share
    of clips whose nearest other clip is of their group. Clips that are alone in their group only
    serve as others.
    """
    # Without its mean over the batch: at the start all clips look nearly the same to a model.
    features = normalize(features.float() - features.float().mean(0), dim=-1)
    itself = torch.eye(len(group), dtype=torch.bool, device=group.device)
    alike = (group[:, None] == group) & ~itself
    likeness = (features @ features.T).masked_fill(itself, -torch.inf)
    log = (likeness / TEMPERATURE).log_softmax(-1).masked_fill(itself, 0.0)
    has = alike.any(1)
    mean = (log * alike).sum(1) / alike.sum(1).clamp(min=1)
    nearest = alike.gather(1, likeness.argmax(1, keepdim=True))[:, 0]
    count = has.sum().clamp(min=1)
    return -(mean * has).sum() / count, (nearest & has).sum() / count


def masked(model: MaskedPretraining, *, seed: int) -> Objective:
    """Tell where hidden tracks went (TrAction, section 3)."""

    def objective(batch: Batch, number: int) -> dict[str, Tensor]:
        chance = Generator().manual_seed(seed * 1_000_003 + number)
        return {"loss": model.loss(batch.geometry, batch.visible, batch.present, generator=chance)}

    return objective
