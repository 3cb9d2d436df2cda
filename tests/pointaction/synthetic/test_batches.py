from dataclasses import replace

import torch

from pointaction.synthetic.batches import Mixture, ProceduralBatches
from pointaction.synthetic.vocabulary import LABELS

MIXTURE = Mixture(named=5, programs=3, performances=2, frames=8, tracks=(16, 24))


def test_a_batch_is_what_its_mixture_says() -> None:
    batch = ProceduralBatches(MIXTURE, seed=0)[0]
    assert batch.geometry.shape == (11, 16, 8, 3)
    assert batch.visible.shape == (11, 16, 8)
    assert batch.geometry.isfinite().all()
    assert (batch.label[:5] >= 0).all()
    assert (batch.label[5:] == -1).all()
    assert batch.group is not None
    assert torch.equal(batch.group[:5], batch.label[:5])
    assert (batch.group[5:] - len(LABELS)).tolist() == [0, 0, 1, 1, 2, 2]


def test_batches_take_turns_in_their_number_of_tracks() -> None:
    batches = ProceduralBatches(MIXTURE, seed=0)
    assert [batches[number].visible.shape[1] for number in range(3)] == [16, 24, 16]


def test_a_batchs_number_says_what_is_in_it() -> None:
    one, other = ProceduralBatches(MIXTURE, seed=4), ProceduralBatches(MIXTURE, seed=4)
    other[0]  # what was asked for before does not matter
    assert torch.equal(one[2].geometry, other[2].geometry)
    assert torch.equal(one[2].label, other[2].label)
    assert not torch.equal(one[2].geometry, one[4].geometry)
    assert not torch.equal(one[2].geometry, ProceduralBatches(MIXTURE, seed=5)[2].geometry)


def test_without_programs_or_without_names() -> None:
    named = ProceduralBatches(Mixture(named=3, frames=8, tracks=(8,)), seed=0)[0]
    assert (named.label >= 0).all()
    nameless = ProceduralBatches(Mixture(named=0, programs=2, frames=8, tracks=(8,)), seed=0)[0]
    assert (nameless.label == -1).all()
    assert len(nameless.label) == 6


def test_flawless_clips_have_the_very_tracks_of_their_scene() -> None:
    """A tracker loses most of what is hidden for good; exact tracks come back."""
    clear = replace(MIXTURE, named=24, frames=16, tracks=(64,), flawless=1.0)
    noisy = replace(clear, flawless=0.0)

    def come_back(mixture: Mixture) -> int:
        shown = ProceduralBatches(mixture, seed=0)[0].visible
        appears = ~shown[:, :, :-1] & shown[:, :, 1:]
        return int((appears.sum(-1) > 1).sum())

    assert come_back(clear) > 0
    assert come_back(noisy) < come_back(clear)
