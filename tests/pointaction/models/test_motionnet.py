from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate

from pointaction.errors import InputError
from pointaction.models.files import save_network
from pointaction.models.motionnet import (
    MotionNet,
    MotionNetConfig,
    charbonnier,
    likeness,
    load_motionnet,
    losses,
    motionnet,
    structural_similarity,
    unevenness,
)
from pointaction.training.schedule import warmup_cosine

WAYS = ((2, -1), (-2, 1), (0, 2), (-3, 0), (1, 3), (0, 0))  # (right, down) pixels per frame


def made(*, frames: int = 2, levels: int = 3) -> MotionNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MotionNet(MotionNetConfig(frames=frames, width=8, levels=levels))


def drawn(network: MotionNet) -> MotionNet:
    """Flows by chance instead of none."""
    for name, weight in network.named_parameters():
        if name.endswith("flow.weight"):
            torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(1))
    return network.eval()


def sliding(
    ways: Sequence[tuple[int, int]], generator: torch.Generator, *, frames: int = 2
) -> Tensor:
    """Clips (B, 3, T, 32, 32) of smooth noise; all of the one moves by (right, down) per frame."""
    noise = torch.rand(len(ways), 3, 24, 24, generator=generator)
    wide = interpolate(noise, scale_factor=2, mode="bilinear", align_corners=False)
    shown = [
        [
            each[:, 8 - down * t : 40 - down * t, 8 - right * t : 40 - right * t]
            for t in range(frames)
        ]
        for each, (right, down) in zip(wide, ways, strict=True)
    ]
    return torch.stack([torch.stack(clip, 1) for clip in shown])


@pytest.mark.timeout(400)  # a minute of a core that has nothing else to do
def test_it_learns_translations_without_being_told() -> None:
    """All at once, on textures that it has not seen, to less than half a pixel."""
    network, generator, steps = made(), torch.Generator().manual_seed(0), 120
    optimiser = torch.optim.Adam(network.parameters())
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.005 * warmup_cosine(step, steps=steps)
        stack = sliding(WAYS, generator)
        loss = losses(stack, network(stack)).together()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        found = network.eval().motion(sliding(WAYS, generator))[:, :2, 0]
    error = (found - torch.tensor(WAYS).view(-1, 2, 1, 1)).norm(dim=1)
    assert (error[:, 4:-4, 4:-4].mean((1, 2)) < 0.5).all()


def test_a_frame_is_most_like_the_next_one_where_it_has_gone() -> None:
    """Without a flow at its displacement, row by row; with the true flow in the middle."""
    right, down = 2, -1
    frames = sliding([(right, down)], torch.Generator().manual_seed(0)).transpose(1, 2)
    still, true = torch.zeros(2, 1, 1, 2, 32, 32)
    true[:, :, 0], true[:, :, 1] = right, down
    inner = (slice(4, -4),) * 2
    shares = likeness(frames, still)
    torch.testing.assert_close(shares.sum(2), torch.ones(1, 1, 32, 32))
    assert (shares[0, 0].argmax(0)[inner] == 5 * (2 + down) + 2 + right).all()
    assert (likeness(frames, true)[0, 0].argmax(0)[inner] == 12).all()
    darker = likeness(frames / 4, still)  # the contrast does not matter
    assert (darker - shares)[0, 0][:, *inner].abs().max() < 0.2


def test_where_all_is_alike_no_displacement_is_preferred() -> None:
    shares = likeness(torch.full((1, 3, 3, 4, 5), 0.3), torch.zeros(1, 2, 2, 4, 5))
    torch.testing.assert_close(shares, torch.full((1, 2, 25, 4, 5), 1 / 25))


def test_the_true_flow_explains_a_clip_better_than_none() -> None:
    stack = sliding([(2, -1)] * 2, torch.Generator().manual_seed(0), frames=3)
    truth = torch.tensor([2.0, -1.0]).view(1, 1, 2, 1, 1).expand(2, 2, 2, 32, 32)
    true, none = losses(stack, [truth]), losses(stack, [torch.zeros_like(truth)])
    assert true.photometric < 0.05 * none.photometric
    assert true.structure < 0.1 * none.structure
    torch.testing.assert_close(true.smoothness, none.smoothness)  # both are as smooth as can be


def test_the_backward_motion_is_that_of_the_clip_played_backwards() -> None:
    network, clip = drawn(made(frames=3)), torch.rand(1, 3, 6, 16, 20)
    with torch.no_grad():
        ahead, behind = network.motion(clip).chunk(2, 1)
        other, _ = network.motion(clip.flip(2)).chunk(2, 1)
    assert behind.equal(other.flip(2))
    assert not ahead[:, :, -1].any()  # there is no next frame
    assert not behind[:, :, 0].any()
    assert ahead[:, :, :-1].abs().amin((0, 1, 3, 4)).gt(0).all()


def test_a_clip_longer_than_a_stack_is_seen_stack_by_stack() -> None:
    """Frames 0 to 2, 2 to 4, and, since nothing comes after 5, 3 to 5 for the last step."""
    network, clip = drawn(made(frames=3)), torch.rand(1, 3, 6, 16, 20)
    with torch.no_grad():
        whole = network.motion(clip)[:, :2]
        for first, steps in ((0, (0, 1)), (2, (2, 3)), (3, (4,))):
            part = network.motion(clip[:, :, first : first + 3])[:, :2]
            for step in steps:
                torch.testing.assert_close(whole[:, :, step], part[:, :, step - first])


def test_flows_halve_from_level_to_level() -> None:
    stack = torch.rand(2, 3, 4, 21, 30)
    shapes = [tuple(flow.shape) for flow in made(frames=4)(stack)]
    assert shapes == [(2, 3, 2, 11, 15), (2, 3, 2, 6, 8), (2, 3, 2, 3, 4)]


def test_likeness_is_one_of_equals_and_less_of_others() -> None:
    a, b = torch.rand(2, 1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert (structural_similarity(a, a) - 1).abs().max() < 1e-5
    assert structural_similarity(a, b).mean() < 0.5
    assert structural_similarity(a, 0.9 * a).min() > 0.5  # a little darker: the same structure


def test_a_flow_may_change_at_an_edge() -> None:
    """The same step costs less where the picture has one too."""
    flow, picture = torch.zeros(1, 2, 4, 6), torch.zeros(1, 3, 4, 6)
    flow[..., 3:], picture[..., 3:] = 2, 1
    smooth = unevenness(torch.zeros_like(flow), picture)
    assert unevenness(flow, picture) - smooth < 1e-3 < 0.1 < unevenness(flow, 0 * picture) - smooth


def test_charbonniers_norm_has_a_slope_everywhere() -> None:
    at_zero = torch.zeros(1, requires_grad=True)
    charbonnier(at_zero).backward()
    assert at_zero.grad == 0
    assert charbonnier(torch.tensor(1.0)).item() == pytest.approx(1, abs=1e-5)


def test_what_is_loaded_answers_as_what_was_saved(tmp_path: Path) -> None:
    network, clip = drawn(made()), torch.rand(1, 3, 3, 16, 16)
    save_network(network, tmp_path / "motion.safetensors", half=False)
    with torch.no_grad():
        found = load_motionnet(tmp_path / "motion.safetensors").motion(clip)
        assert found.equal(network.motion(clip))
    assert sum(weight.numel() for weight in motionnet().parameters()) < 2e6


def test_a_stack_has_at_least_two_frames() -> None:
    with pytest.raises(InputError, match="frames must be 2"):
        MotionNetConfig(frames=1)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)),
    colour=st.sampled_from([0.0, 1.0, None]),
)
def test_any_clip_has_a_motion(size: tuple[int, int, int], colour: float | None) -> None:
    network = drawn(made(frames=3))
    chance = torch.Generator().manual_seed(0)
    shape = 1, 3, *size
    clip = torch.rand(shape, generator=chance) if colour is None else torch.full(shape, colour)
    motion = network.motion(clip)
    assert motion.shape == (1, 4, *size)
    assert motion.isfinite().all()
    if size[0] >= 3:
        loss = losses(clip[:, :, :3], network(clip[:, :, :3])).together()
        loss.backward()
        assert loss.isfinite()
        for weight in network.parameters():
            assert weight.grad is None or weight.grad.isfinite().all()
