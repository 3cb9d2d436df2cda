import pytest
import torch
from torch import Generator, Tensor

from pointaction.models.masked_pretraining import MaskedConfig, MaskedPretraining, choose_kept
from pointaction.models.traction import TrackEncoder, TrActionConfig


def generator() -> Generator:
    return Generator().manual_seed(0)


@pytest.fixture
def model() -> MaskedPretraining:
    torch.manual_seed(0)
    small = TrActionConfig(frames=8, width=48, layers=1, heads=2, dropout=0.0)
    return MaskedPretraining(TrackEncoder(small), MaskedConfig(width=48, heads=2))


@pytest.fixture
def clips() -> tuple[Tensor, Tensor, Tensor]:
    geometry = torch.rand(3, 20, 8, 3, generator=generator())
    return geometry, torch.ones(3, 20, 8).bool(), torch.ones(3, 20).bool()


def test_a_tenth_is_kept_and_nothing_twice() -> None:
    kept = choose_kept(torch.ones(4, 50).bool(), 0.1, generator=generator())
    assert kept.shape == (4, 5)
    assert all(len(set(row)) == 5 for row in kept.tolist())


def test_absent_tracks_are_kept_last_of_all() -> None:
    present = torch.zeros(1, 50).bool()
    present[0, [3, 17]] = True
    assert set(choose_kept(present, 0.04, generator=generator())[0].tolist()) == {3, 17}


def test_of_a_hidden_track_only_the_start_is_looked_at(
    model: MaskedPretraining, clips: tuple[Tensor, Tensor, Tensor]
) -> None:
    geometry, visible, present = clips
    kept = torch.tensor([[0, 5]]).expand(3, -1)
    told = model(geometry, visible, present, kept)
    elsewhere = geometry.clone()
    elsewhere[:, 9, 1:] += 0.3
    torch.testing.assert_close(model(elsewhere, visible, present, kept), told)
    elsewhere[:, 9, 0] += 0.3
    assert not torch.allclose(model(elsewhere, visible, present, kept), told)


def test_the_kept_tracks_are_looked_at(
    model: MaskedPretraining, clips: tuple[Tensor, Tensor, Tensor]
) -> None:
    geometry, visible, present = clips
    kept = torch.tensor([[0, 5]]).expand(3, -1)
    told = model(geometry, visible, present, kept)
    geometry[:, 5, 3] += 0.3
    assert not torch.allclose(model(geometry, visible, present, kept), told)


def test_the_loss_is_of_hidden_tracks_alone_in_units_of_the_picture(
    model: MaskedPretraining, clips: tuple[Tensor, Tensor, Tensor]
) -> None:
    """A decoder that says 0 everywhere errs by the mean coordinate, a half."""
    geometry, visible, present = clips
    last = model.predict[-1]
    assert isinstance(last, torch.nn.Linear)
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    loss = model.loss(geometry, visible, present, generator=generator())
    assert loss.item() == pytest.approx(0.5, abs=0.03)


def test_it_learns_to_tell_where_hidden_tracks_went() -> None:
    """Everything moves by one vector per clip: one track in ten says where the others go."""
    torch.manual_seed(0)
    small = TrActionConfig(frames=8, width=48, layers=1, heads=2, dropout=0.0)
    model = MaskedPretraining(TrackEncoder(small), MaskedConfig(width=48, heads=2))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    chance = generator()
    losses = []
    for _ in range(200):
        start = torch.rand(16, 20, 1, 3, generator=chance)
        way = torch.rand(16, 1, 1, 3, generator=chance) - 0.5
        geometry = start + way * torch.linspace(0, 1, 8)[:, None]
        visible, present = torch.ones(16, 20, 8).bool(), torch.ones(16, 20).bool()
        loss = model.loss(geometry, visible, present, generator=chance)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    still = 0.125  # the mean error of the guess that nothing moves
    assert sum(losses[-5:]) / 5 < 0.6 * still
