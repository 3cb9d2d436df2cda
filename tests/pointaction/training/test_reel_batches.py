import torch

from pointaction.models.symmetry import UNNAMED
from pointaction.training.reel_batches import (
    Cutting,
    ReelBatches,
    cut,
    in_a_mirror,
    in_reverse,
    symmetry_of,
    whole,
)
from tests.pointaction.training.drawn import LABELS, sliding

STILL = Cutting(cells=8, exposure=0)


def test_labels_of_the_vocabulary_have_opposites_and_others_have_none() -> None:
    symmetry = symmetry_of(LABELS)
    assert symmetry.reverse == symmetry.mirror == (1, 0, UNNAMED)


def test_what_goes_left_goes_right_backwards_and_in_a_mirror() -> None:
    """Clip 0 goes left by a pixel each frame; clip 1 goes right."""
    shots = whole(sliding(2), slice(0, 2))
    clip, motion = in_reverse(shots.clip[0], shots.motion[0])
    assert torch.equal(motion, shots.motion[1])
    assert torch.equal(clip[:, 0], shots.clip[0, :, -1])
    clip, motion = in_a_mirror(shots.clip[0], shots.motion[0])
    assert torch.equal(motion, shots.motion[1])
    assert torch.equal(clip[:, 0, :, 0], shots.clip[0, :, 0, :, -1])


def test_turned_round_or_not_a_label_says_where_things_go() -> None:
    batches = ReelBatches(sliding(8), STILL, batch=8, seed=1)
    ways = set()
    for number in range(4):
        batch = batches[number]
        way = batch.motion[:, 0, 0, 0, 0]
        assert way.equal(2.0 * batch.label - 1)
        lit = (batch.clip[:, 0] > 0.7).float()  # (B, T, H, W)
        place = (lit * torch.arange(16.0)).sum((2, 3)) / lit.sum((2, 3))
        assert torch.equal(place.diff(dim=1), way[:, None].expand(-1, 5))
        ways |= set(place[:, 0].tolist())
    # Where a clip began in the middle (columns 6 to 9), and where it ended, in a mirror or not.
    assert ways == {7.5, 2.5, 12.5}


def test_a_clip_without_opposites_stays_as_it_is() -> None:
    reels = sliding(2)
    reels.label.fill_(2)
    batch = ReelBatches(reels, STILL, batch=2, seed=1)[0]
    assert batch.label.tolist() == [2, 2]
    assert set(batch.motion[:, 0, 0, 0, 0].tolist()) == {-1, 1}


def test_pixels_and_motion_are_cut_out_together() -> None:
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    clip = torch.stack([rows, columns])[:, None]
    motion = clip[:, :, ::2, ::2].repeat(2, 1, 1, 1)
    seen, moved = cut(clip, motion, 6, (0.99, 0.4))
    assert seen.shape == (2, 1, 12, 12)
    assert seen[:, 0, 0, 0].tolist() == [4, 2]  # of 0, 2, 4: the last and the middle
    assert torch.equal(moved[:2], seen[:, :, ::2, ::2])
    assert cut(clip, motion, 99, (0.5, 0.5))[0].shape == clip.shape


def test_light_varies_and_colours_stay_within_bounds() -> None:
    batch = ReelBatches(sliding(8), Cutting(cells=8, exposure=0.5), batch=8, seed=1)[0]
    brightest = batch.clip.amax((1, 2, 3, 4))
    assert brightest.unique().numel() > 3
    assert brightest.max() <= 1


def test_a_batch_is_always_the_same_and_no_other() -> None:
    batches = ReelBatches(sliding(8), Cutting(cells=6), batch=4, seed=1)
    assert torch.equal(batches[3].clip, batches[3].clip)
    assert not torch.equal(batches[3].clip, batches[4].clip)
