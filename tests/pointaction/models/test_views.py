import pytest
import torch
from torch import Generator, Tensor

from pointaction.models.symmetry import UNNAMED, Symmetry
from pointaction.models.traction import TrackEncoder, TrAction, TrActionConfig
from pointaction.models.views import answer, mirrored

# Three labels: left, right, and one that is its own mirror image and has no name backwards.
SYMMETRY = Symmetry(reverse=(1, 0, UNNAMED), mirror=(1, 0, 2))


@pytest.fixture(scope="module")
def model() -> TrAction:
    torch.manual_seed(0)
    config = TrActionConfig(frames=8, width=24, layers=2, heads=2, motion=True, positions=False)
    return TrAction(TrackEncoder(config), classes=3).eval()


@pytest.fixture
def clip() -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(0)
    geometry = torch.rand(2, 6, 8, 3, generator=generator)
    return geometry, torch.rand(2, 6, 8, generator=generator) > 0.2


def test_backwards_left_is_right(model: TrAction, clip: tuple[Tensor, Tensor]) -> None:
    geometry, visible = clip
    forwards = answer(model, geometry, visible, SYMMETRY).logits
    backwards = answer(model, geometry.flip(2), visible.flip(2), SYMMETRY).logits
    torch.testing.assert_close(backwards[:, [1, 0]], forwards[:, :2])


def test_in_a_mirror_left_is_right(model: TrAction, clip: tuple[Tensor, Tensor]) -> None:
    geometry, visible = clip
    here = answer(model, geometry, visible, SYMMETRY)
    there = answer(model, mirrored(geometry, visible), visible, SYMMETRY)
    torch.testing.assert_close(there.logits[:, [1, 0, 2]], here.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(there.attention, here.attention, rtol=0, atol=1e-5)


def test_without_a_vocabulary_a_clip_is_seen_as_it_is(
    model: TrAction, clip: tuple[Tensor, Tensor]
) -> None:
    logits, attention = model(*clip)
    plain = answer(model, *clip, None)
    torch.testing.assert_close(plain.logits, logits)
    torch.testing.assert_close(plain.attention, attention)
    torch.testing.assert_close(plain.embedded, model.encoder.embed(*clip))


def test_a_label_without_a_name_backwards_is_asked_twice_only(
    model: TrAction, clip: tuple[Tensor, Tensor]
) -> None:
    geometry, visible = clip
    as_it_is, _ = model(geometry, visible)
    in_a_mirror, _ = model(mirrored(geometry, visible), visible)
    told = answer(model, geometry, visible, SYMMETRY).logits
    torch.testing.assert_close(told[:, 2], (as_it_is[:, 2] + in_a_mirror[:, 2]) / 2)


def test_a_mirror_exchanges_the_ends_of_what_is_seen() -> None:
    geometry = torch.zeros(1, 2, 3, 3)
    geometry[0, :, :, 0] = torch.tensor([[0.2, 0.3, 9.0], [0.4, 0.5, 0.6]])
    visible = torch.tensor([[[True, True, False], [True, True, True]]])
    turned = mirrored(geometry, visible)[0, :, :, 0]
    torch.testing.assert_close(turned[1], torch.tensor([0.4, 0.3, 0.2]))
    torch.testing.assert_close(turned[0, :2], torch.tensor([0.6, 0.5]))


def test_a_clip_of_which_nothing_is_seen_gets_an_answer(model: TrAction) -> None:
    told = answer(model, torch.rand(1, 4, 8, 3), torch.zeros(1, 4, 8).bool(), SYMMETRY)
    assert told.logits.isfinite().all()


def test_many_clips_are_answered_as_each_alone(
    model: TrAction, clip: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are asked about a few at a time: here one."""
    together = answer(model, *clip, SYMMETRY)
    monkeypatch.setattr("pointaction.models.views._TRACKS", 6)
    for one, all_at_once in zip(answer(model, *clip, SYMMETRY), together, strict=True):
        torch.testing.assert_close(one, all_at_once)
