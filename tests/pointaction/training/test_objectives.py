import math

import pytest
import torch
from torch import Generator, Tensor

from pointaction.models.traction import TrackEncoder, TrAction, TrActionConfig
from pointaction.training.batch import Batch
from pointaction.training.objectives import recognise, supervised_contrast

GROUP = torch.tensor([0, 0, 1, 1])


def test_clips_in_opposite_corners_are_well_apart() -> None:
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    loss, found = supervised_contrast(features, GROUP)
    assert found == 1
    assert loss < 1e-6


def test_motions_that_look_alike_cost_as_much_as_guessing() -> None:
    """Six clips, three of each motion, at the corners of two triangles that lie on each other."""
    angle = torch.arange(3) * 2 * torch.pi / 3
    corners = torch.stack([angle.cos(), angle.sin()], -1)
    loss, found = supervised_contrast(
        torch.cat([corners, corners]), torch.tensor([0, 0, 0, 1, 1, 1])
    )
    assert found == 0  # each one's twin shows the other motion
    assert loss > math.log(5)


def test_a_clip_that_is_alone_is_only_an_other() -> None:
    features = torch.tensor([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.0]], requires_grad=True)
    loss, found = supervised_contrast(features, torch.tensor([0, 0, 1]))
    assert found == 1
    loss.backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_the_common_part_of_all_clips_does_not_matter() -> None:
    generator = Generator().manual_seed(0)
    features = torch.randn(4, 6, generator=generator)
    here, _ = supervised_contrast(features, GROUP)
    there, _ = supervised_contrast(features + 100, GROUP)
    torch.testing.assert_close(here, there, rtol=0, atol=1e-3)


@pytest.fixture
def model() -> TrAction:
    torch.manual_seed(0)
    config = TrActionConfig(frames=8, width=24, layers=1, heads=2, motion=True, positions=False)
    return TrAction(TrackEncoder(config), classes=3).eval()  # without dropout


def batch(label: Tensor) -> Batch:
    generator = Generator().manual_seed(0)
    return Batch(
        geometry=torch.rand(4, 5, 8, 3, generator=generator),
        visible=torch.ones(4, 5, 8).bool(),
        present=torch.ones(4, 5).bool(),
        label=label,
        group=GROUP,
    )


def test_motions_without_a_name_are_only_told_apart(model: TrAction) -> None:
    ask = recognise(model, label_smoothing=0.0, contrast=1.0)
    measures = ask(batch(torch.full((4,), -1)), 0)
    assert "right" not in measures
    torch.testing.assert_close(measures["loss"], measures["apart"])


def test_both_losses_add_up(model: TrAction) -> None:
    clips = batch(torch.tensor([0, 0, -1, -1]))
    name_only = recognise(model, label_smoothing=0.0, contrast=0.0)(clips, 0)
    both = recognise(model, label_smoothing=0.0, contrast=0.5)(clips, 0)
    torch.testing.assert_close(both["loss"], name_only["loss"] + 0.5 * both["apart"])
    assert "apart" not in name_only
