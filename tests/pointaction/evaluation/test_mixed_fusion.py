"""Two motions, left and right, by two identities, one dark and one light."""

import pytest
import torch
from torch import Generator, nn

from pointaction.appearance.dinov2 import OWN_INPUT, dinov2_backbone
from pointaction.appearance.frozen import FrozenBackbone
from pointaction.errors import InputError
from pointaction.evaluation.mixed import Mixed, Watched
from pointaction.evaluation.mixed_fusion import count_right, measure_gain
from pointaction.models.dinov2 import DINOv2, DINOv2Config, begin
from pointaction.models.traction import TrackEncoder, TrActionConfig
from pointaction.training.probing import Schedule, fit_linear

FRAMES = 8
SET = Mixed(motions=("moving left", "moving right"), identities=2, taught=6, fused=6, tested=6)
QUICK = Schedule(steps=40, learning_rate=1e-2, weight_decay=0.01, batch=16)


def watched() -> Watched:
    generator = Generator().manual_seed(0)
    count = len(SET.labels)
    way = torch.linspace(0, 1, FRAMES) * (2 * SET.motion[:, None] - 1)  # (n, T)
    geometry = torch.rand(count, 6, 1, 3, generator=generator).repeat(1, 1, FRAMES, 1)
    geometry[..., 0] += way[:, None]
    noise = torch.randint(60, (count, 2, 20, 30, 3), generator=generator)
    pictures = (noise + 150 * SET.identity.view(-1, 1, 1, 1, 1)).byte()
    return Watched(
        geometry=geometry,
        visible=torch.ones(count, 6, FRAMES).bool(),
        pictures=tuple(each.numpy() for each in pictures),
    )


def encoder(frames: int = FRAMES) -> TrackEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = TrActionConfig(
            frames=frames, positions=False, motion=True, width=24, layers=1, heads=2, registers=1
        )
        return TrackEncoder(config)


def backbone() -> FrozenBackbone:
    network = DINOv2(DINOv2Config(width=24, layers=1, heads=2))
    begin(network, Generator().manual_seed(0))
    return dinov2_backbone(network, sha256="a" * 64, native=OWN_INPUT, frames=2)


def test_each_branch_knows_half_and_both_together_know_all() -> None:
    model, gain = measure_gain(
        SET,
        watched(),
        encoder(),
        backbone(),
        generator=Generator().manual_seed(0),
        probe=QUICK,
        linear=QUICK,
    )
    assert gain.motion.motion.share == gain.appearance.identity.share == 1
    assert gain.fused.label.share == 1
    # What a branch cannot tell it guesses, and of two it guesses half.
    assert gain.motion.label.share < 0.8
    assert gain.appearance.label.share < 0.8
    assert gain.fused.label.total == SET.classes * 6
    assert model.head.out_features == 4
    assert list(gain.table().rows) == ["motion alone", "appearance alone", "fused"]


def test_an_answer_is_right_in_halves() -> None:
    """Always the second motion by the first identity: each half is right every other time."""
    answers = torch.full((SET.classes * SET.tested,), 2)
    right = count_right(SET, answers)
    assert (right.label.share, right.motion.share, right.identity.share) == (0.25, 0.5, 0.5)


def test_a_layer_is_fitted_to_facts_of_any_size_and_place() -> None:
    """The one that tells is tiny and far from zero; the loud one tells nothing."""
    generator = Generator().manual_seed(0)
    labels = torch.arange(2).repeat(50)
    tells = 7 + 1e-3 * (labels + 0.1 * torch.randn(100, generator=generator))
    facts = torch.stack([tells, 1e3 * torch.randn(100, generator=generator)], 1)
    layer = nn.Linear(2, 2).double()
    fit_linear(layer, facts.double(), labels, QUICK, generator)
    assert (layer(facts.double()).argmax(1) == labels).float().mean() > 0.95


def test_a_model_on_another_clock_is_refused() -> None:
    with pytest.raises(InputError, match="clock of 8 frames"):
        measure_gain(SET, watched(), encoder(16), backbone(), generator=Generator())
