"""Training and pretraining on the procedural world."""

from dataclasses import replace

import torch
from torch import nn

from pointaction.models.masked_pretraining import MaskedConfig, MaskedPretraining
from pointaction.models.store import BUILDERS
from pointaction.models.traction import TrAction
from pointaction.synthetic.batches import Mixture, ProceduralBatches
from pointaction.synthetic.vocabulary import LABELS
from pointaction.training.checkpoints import load_encoder, load_head
from pointaction.training.films import Films
from pointaction.training.loop import Report, Run, optimise
from pointaction.training.middle import settle
from pointaction.training.objectives import masked, recognise


def train(run: Run, report: Report, *, films: Films | None = None) -> tuple[TrAction, int]:
    """Learn named motions, motions without a name, or both; the model, and its steps so far.

    With films, a part of the named ones is what the tracker saw of them.
    """
    if films:
        run = replace(run, data=f"{run.data}, {films.name}")
    recipe = run.recipe
    torch.manual_seed(run.seed)  # initial weights
    model = _build(recipe.builder)
    if run.start:
        load_encoder(model.encoder, run.start)
        load_head(model.head, run.start)
    objective = recognise(model, label_smoothing=recipe.label_smoothing, contrast=recipe.contrast)
    batches = procedural(run, films)
    steps = optimise(run, model, objective, batches, report)
    settle(model.encoder, batches, first=run.recipe.batches)
    return model.eval(), steps


def pretrain(run: Run, report: Report) -> tuple[MaskedPretraining, int]:
    """Learn to tell where hidden tracks went (TrAction, section 3); otherwise as `train`."""
    torch.manual_seed(run.seed)
    encoder = _build(run.recipe.builder).encoder
    model = MaskedPretraining(encoder, MaskedConfig())
    if run.start:
        load_encoder(model.encoder, run.start)
    batches = procedural(run)
    steps = optimise(run, model, masked(model, seed=run.seed), batches, report)
    settle(model.encoder, batches, first=run.recipe.batches)
    return model.eval(), steps


def _build(builder: str) -> TrAction:
    """A model of the vocabulary without dropout: no clip is seen twice."""
    model = BUILDERS[builder](len(LABELS))
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return model


def procedural(run: Run, films: Films | None = None) -> ProceduralBatches:
    recipe = run.recipe
    mixture = Mixture(
        named=recipe.batch,
        programs=recipe.programs,
        performances=recipe.performances,
        frames=recipe.frames,
        tracks=recipe.tracks,
    )
    return ProceduralBatches(mixture, seed=run.seed, films=films)
