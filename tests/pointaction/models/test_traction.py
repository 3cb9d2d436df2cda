from typing import cast

import pytest
import torch
from torch import Generator, Tensor

from pointaction.models.traction import (
    Block,
    FrequencyBands,
    TrackEncoder,
    TrAction,
    TrActionConfig,
    relative_motion,
    traction,
    traction_tiny,
)


def parameters(model: TrAction) -> int:
    return sum(part.numel() for part in model.parameters())


@pytest.fixture(scope="module")
def model() -> TrAction:
    torch.manual_seed(0)
    return traction_tiny(5).eval()


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(0)
    return torch.rand(2, 7, 32, 3, generator=generator), torch.ones(2, 7, 32).bool()


def test_sizes_are_those_of_the_paper() -> None:
    assert 6_500_000 < parameters(traction(174)) < 8_000_000
    assert 1_300_000 < parameters(traction_tiny(33)) < 2_200_000


def test_bands_are_sines_and_cosines_from_half_a_period() -> None:
    bands = FrequencyBands(2, octaves=1)(torch.tensor([0.0, 0.5]))
    torch.testing.assert_close(bands[0], torch.tensor([0.0, 0.0, 1.0, 1.0]))
    torch.testing.assert_close(bands[1], torch.tensor([1.0, 0.0, 0.0, -1.0]), rtol=0, atol=1e-6)


def test_the_order_of_tracks_does_not_matter(
    model: TrAction, inputs: tuple[Tensor, Tensor]
) -> None:
    geometry, visible = inputs
    shuffle = torch.tensor([3, 0, 6, 5, 1, 4, 2])
    logits, attention = model(geometry, visible)
    shuffled_logits, shuffled_attention = model(geometry[:, shuffle], visible[:, shuffle])
    torch.testing.assert_close(shuffled_logits, logits)
    torch.testing.assert_close(shuffled_attention, attention[..., shuffle])


def test_attention_is_a_share_per_head(model: TrAction, inputs: tuple[Tensor, Tensor]) -> None:
    _, attention = model(*inputs)
    assert attention.shape == (2, 4, 7)
    assert (attention >= 0).all()
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 4))


def test_attention_is_the_one_that_the_last_layer_uses(
    model: TrAction, inputs: tuple[Tensor, Tensor]
) -> None:
    """Recompute the last layer's softmax by hand, CLS and registers included."""
    seen: list[Tensor] = []
    last = cast(Block, model.encoder.blocks[-1])
    hook = last.norm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    _, attention = model(*inputs)
    hook.remove()
    q, k, _ = last.split_heads(seen[0])
    full = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)[:, :, 0, 5:]
    torch.testing.assert_close(attention, full / full.sum(-1, keepdim=True))


def test_absent_tracks_change_nothing(model: TrAction, inputs: tuple[Tensor, Tensor]) -> None:
    geometry, visible = inputs
    present = torch.ones(2, 7).bool()
    present[:, 4:] = False
    logits, attention = model(geometry, visible, present)
    alone, _ = model(geometry[:, :4], visible[:, :4])
    torch.testing.assert_close(logits, alone)
    assert (attention[..., 4:] == 0).all()


def test_a_clip_is_read_as_with_all_its_tracks(
    model: TrAction, inputs: tuple[Tensor, Tensor]
) -> None:
    present = torch.tensor([True, True, False, True, True, False, True]).expand(2, -1)
    for given in (inputs, (*inputs, present)):
        whole, read = model.encoder(*given), model.encoder.read(*given)
        torch.testing.assert_close(read.cls, whole.cls)
        torch.testing.assert_close(read.attention, whole.attention)


def test_visibility_is_read(model: TrAction, inputs: tuple[Tensor, Tensor]) -> None:
    geometry, visible = inputs
    assert not torch.allclose(model(geometry, visible)[0], model(geometry, ~visible)[0])


def test_without_bands_a_token_is_of_plain_coordinates() -> None:
    model = TrAction(TrackEncoder(TrActionConfig(width=24, layers=1, bands=0)), classes=2)
    assert model.encoder.tokens.mlp[0].in_features == 32 * (3 + 1)


def test_without_its_place_a_token_of_motion_does_not_tell_where_it_is() -> None:
    config = TrActionConfig(width=24, layers=1, positions=False, motion=True, place=False)
    encoder = TrackEncoder(config).eval()
    still = torch.rand(1, 5, 1, 3, generator=Generator().manual_seed(0)).expand(-1, -1, 32, -1)
    seen = torch.ones(1, 5, 32).bool()
    torch.testing.assert_close(encoder(still, seen).cls, encoder(still + 0.1, seen).cls)


def moving(*ways: tuple[float, float]) -> Tensor:
    """Tracks (1, N, 5, 2), each at its own constant step per frame."""
    time = torch.arange(5.0)[:, None]
    return torch.stack(
        [0.1 * number + torch.tensor(way) * time for number, way in enumerate(ways)]
    )[None]


def test_what_most_points_do_is_the_motion_of_the_picture() -> None:
    xy = moving((0.01, 0.0), (0.01, 0.0), (0.01, 0.0), (0.01, 0.02))
    motion = relative_motion(xy, torch.ones(1, 4, 5).bool())
    torch.testing.assert_close(motion.tracks[0, :3, :, :2], torch.zeros(3, 5, 2), rtol=0, atol=5e-2)
    # The one that moves against it does so with the clip's own strength: by about 1 per frame.
    own = motion.tracks[0, 3, 1:, :2]
    torch.testing.assert_close(own, torch.tensor([0.0, 1.0]).expand(4, 2), rtol=0, atol=0.15)


def test_an_action_looks_alike_from_near_and_from_afar() -> None:
    shown = torch.ones(1, 3, 5).bool()
    near = relative_motion(moving((0.0, 0.0), (0.0, 0.0), (0.04, 0.02)), shown)
    far = relative_motion(moving((0.0, 0.0), (0.0, 0.0), (0.02, 0.01)), shown)
    torch.testing.assert_close(near.tracks, far.tracks, rtol=0, atol=0.1)
    # How strong it was is told apart: twice as strong is log 2 more.
    difference = near.picture[0, -1] - far.picture[0, -1]
    torch.testing.assert_close(difference, torch.tensor(2.0).log(), rtol=0, atol=0.05)


def test_steps_to_where_a_track_is_not_shown_do_not_count() -> None:
    xy = moving((0.0, 0.0), (0.0, 0.0), (0.01, 0.0))
    xy[0, 2, 3:] = 0.9  # a jump, but nobody saw it
    shown = torch.ones(1, 3, 5).bool()
    shown[0, 2, 3:] = False
    motion = relative_motion(xy, shown)
    assert motion.tracks[0, 2, 3:, :2].eq(0).all()
    assert motion.tracks[0, 2, 1:3, 0].gt(0.5).all()


def test_a_picture_at_rest_is_at_rest() -> None:
    xy = moving((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    motion = relative_motion(xy, torch.ones(1, 3, 5).bool())
    assert motion.tracks.eq(0).all()
    assert motion.picture.eq(0).all()
