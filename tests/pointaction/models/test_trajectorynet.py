from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from pointaction.errors import InputError
from pointaction.models.files import save_network
from pointaction.models.trajectorynet import (
    TrajectoryNet,
    TrajectoryNetConfig,
    load_trajectorynet,
    trajectorynet,
    trajectorynet_small,
)

BASELINE: tuple[int, ...] = ()
SIZE = 1, 3, 4, 24, 20


def made(*, follow: tuple[int, ...] = (1, 2), motion_features: bool = False) -> TrajectoryNet:
    config = TrajectoryNetConfig(
        classes=2, width=4, blocks=(1, 1), follow=follow, motion_features=motion_features
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TrajectoryNet(config).eval()


def clips(*size: int) -> Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(0))


def sideways(pixels: float, *, frames: int = 4) -> Tensor:
    """Motion of clips, on maps as small as a pixel."""
    return torch.tensor([pixels, 0.0, -pixels, 0.0]).view(1, 4, 1, 1, 1).repeat(1, 1, frames, 1, 1)


def test_where_nothing_moves_trajectories_make_no_difference() -> None:
    network, clip = made(motion_features=True), clips(*SIZE)
    with torch.no_grad():
        torch.testing.assert_close(network(clip, sideways(0)).logits, network(clip).logits)


def test_the_baseline_has_the_same_weights_and_is_told_nothing() -> None:
    baseline, network, clip = made(follow=BASELINE), made(), clips(*SIZE)
    network.load_state_dict(baseline.state_dict(), strict=True)
    with torch.no_grad():
        still = baseline(clip).logits
        assert baseline(clip, sideways(6)).logits.equal(still)
        torch.testing.assert_close(network(clip).logits, still)
        assert (network(clip, sideways(6)).logits - still).abs().max() > 1e-3


def test_it_learns_from_motion_alone_where_there_is_nothing_to_see() -> None:
    network = made(motion_features=True).train()
    grey = torch.full((2, 3, 4, 16, 16), 0.5)
    motion = torch.cat([sideways(4), sideways(-4)])
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(15):
        loss = cross_entropy(network(grey, motion).logits, torch.tensor([0, 1]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1


def test_its_error_reaches_the_motion_that_it_was_given() -> None:
    motion = torch.full((1, 4, 4, 6, 5), 1.3, requires_grad=True)
    made()(clips(*SIZE), motion).logits[0, 0].backward()
    assert motion.grad is not None
    assert motion.grad.abs().sum() > 0


def test_heat_maps_show_what_spoke_for_the_answer() -> None:
    """Cells that all say the same have equal parts; none that spoke against it has any."""
    network = made()
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([[1.0] * 8, [-1.0] * 8]))
        network.head.bias.zero_()
        # The last maps are at least 0, so all that is there speaks for the first class.
        answer = network(clips(*SIZE))
        features = network.features(clips(*SIZE)).sum(1, keepdim=True)
    assert answer.maps.shape == (1, 1, 4, 3, 3)
    torch.testing.assert_close(answer.maps, features / features.sum())
    with torch.no_grad():
        network.head.weight.neg_()
        network.head.bias.copy_(torch.tensor([1e6, 0]))  # the first wins, though all speaks against
        even = network(clips(*SIZE)).maps
    torch.testing.assert_close(even, torch.full_like(even, 1 / 36))


def test_sizes() -> None:
    with torch.device("meta"):
        whole, small = trajectorynet(174), trajectorynet_small(174)
    assert sum(weight.numel() for weight in whole.parameters()) == pytest.approx(15.2e6, rel=0.02)
    assert sum(2 * weight.numel() for weight in small.parameters()) < 8e6


def test_what_is_loaded_answers_as_what_was_saved(tmp_path: Path) -> None:
    network, clip = made(motion_features=True), clips(*SIZE)
    save_network(network, tmp_path / "net.safetensors", half=False)
    with torch.no_grad():
        found = load_trajectorynet(tmp_path / "net.safetensors")(clip, sideways(3)).logits
        assert found.equal(network(clip, sideways(3)).logits)


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"kernel": 1}, {"follow": (5,)}, {"blocks": ()}, {"dropout": 1.0}]
)
def test_a_configuration_that_cannot_be_built_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError):
        TrajectoryNetConfig(**wrong)  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    colour=st.sampled_from([0.0, 0.5, 1.0, None]),
    far=st.sampled_from([0.4, 30.0, 1e30]),
)
def test_any_clip_has_an_answer(size: tuple[int, ...], colour: float | None, far: float) -> None:
    """Short, tiny, of one colour, or with everything leaving the picture."""
    clip = clips(2, 3, *size) if colour is None else torch.full((2, 3, *size), colour)
    motion = far * torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits, maps = made(motion_features=True)(clip, motion)
    assert logits.isfinite().all()
    assert maps.shape[:3] == (2, 1, size[0])
    assert maps.min() >= 0
    torch.testing.assert_close(maps.sum((2, 3, 4)), torch.ones(2, 1))
