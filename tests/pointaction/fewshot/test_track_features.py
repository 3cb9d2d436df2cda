import numpy as np
import torch

from pointaction.fewshot.features import stacked
from pointaction.fewshot.matchers import MATCHERS, open_matcher
from pointaction.fewshot.support_set import SupportSet
from pointaction.fewshot.track_features import (
    MOMENTS,
    PATCH_WIDTH,
    describe,
    describe_by_trokens,
    embed_moments,
    motion_patches,
)
from pointaction.models.traction import TrackEncoder, TrActionConfig
from pointaction.models.trokens import Trokens, TrokensConfig
from pointaction.pipeline import inputs
from pointaction.tracks import Tracks


def encoder() -> TrackEncoder:
    config = TrActionConfig(
        frames=16, width=12, layers=1, heads=2, dropout=0.0, positions=False, motion=True
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TrackEncoder(config).eval().requires_grad_(False)


def tracks(seed: int, *, moving: slice = slice(0, 0)) -> Tracks:
    """Twenty points on a frame of 64 x 128; the first five move right in the frames `moving`."""
    xy = np.random.default_rng(seed).uniform((2, 2), (90, 60), (20, 1, 2)).repeat(16, 1)
    step = np.zeros(16)
    step[moving] = 2
    xy[:5, :, 0] += step.cumsum()
    return Tracks(
        xy=xy.astype(np.float32),
        visible=np.ones((20, 16), bool),
        confidence=np.ones((20, 16), np.float32),
        depth=np.ones((20, 16), np.float32),
        query=np.concatenate([np.zeros((20, 1)), xy[:, 0]], 1).astype(np.float32),
        size=(64, 128),
        times=np.arange(16) / 16,
    )


def test_a_clip_is_told_in_every_part_and_every_matcher_can_use_it() -> None:
    model = encoder()
    clips = tuple(describe(model, tracks(seed, moving=slice(4, 12))) for seed in range(4))
    assert stacked(clips, "clip").shape == (4, 12)
    assert stacked(clips, "frames").shape == (4, MOMENTS, 12)
    assert stacked(clips, "points").shape == (4, 20, 12)
    assert stacked(clips, "patches").shape == (4, MOMENTS, 16, PATCH_WIDTH)
    support = SupportSet(clips[:2], torch.tensor([0, 1]))
    for name in MATCHERS:
        fitted = open_matcher(name).fit(support)
        assert fitted.scores(clips[:2]).argmax(-1).tolist() == [0, 1]
        assert fitted.matches(clips[2], 0) is not None


def test_only_what_is_asked_for_is_told() -> None:
    one = describe(encoder(), tracks(0), parts=["patches"])
    assert one.patches is not None
    assert one.clip is not None  # always, since neighbours are told by it
    assert one.frames is one.points is None


def test_trokens_tells_the_same_parts() -> None:
    config = TrokensConfig(appearance=None, anchors=4, width=16, heads=2, classes=3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Trokens(config).eval()
    clips = tuple(describe_by_trokens(model, tracks(seed, moving=slice(4, 12))) for seed in (0, 1))
    for name in MATCHERS:
        fitted = open_matcher(name).fit(SupportSet(clips, torch.tensor([0, 1])))
        assert fitted.scores(clips).argmax(-1).tolist() == [0, 1]


def test_a_clip_is_told_as_its_encoder_embeds_it() -> None:
    model = encoder()
    one = tracks(0, moving=slice(4, 12))
    told = describe(model, one).clip
    assert told is not None
    torch.testing.assert_close(told, model.embed(*inputs(one, 16))[0])


def test_moments_see_what_happens_around_them() -> None:
    model = encoder()
    still, early = (
        embed_moments(model, *inputs(each, 16))[0]
        for each in (tracks(0), tracks(0, moving=slice(0, 5)))
    )
    far = (early - still).norm(dim=-1)
    assert far[0] > 0.1
    assert far[-1] < 0.3 * far[0]


def test_windows_of_the_whole_clip_are_the_clip() -> None:
    model = encoder()
    geometry, visible = inputs(tracks(0, moving=slice(4, 12)), 16)
    moments = embed_moments(model, geometry, visible, moments=3, share=1.0)
    torch.testing.assert_close(moments, model.embed(geometry, visible).expand(1, 3, 12))


def test_hidden_tracks_and_where_the_picture_lies_make_no_difference() -> None:
    geometry, visible = inputs(tracks(0, moving=slice(8, 16)), 16)
    before = motion_patches(geometry, visible)
    visible[:, 19] = False
    lost = geometry.clone()
    lost[:, 19, :, :2] = 7
    moved = lost + torch.tensor([0.25, 0.5, 0])
    torch.testing.assert_close(motion_patches(moved, visible), motion_patches(lost, visible))
    assert not motion_patches(lost, visible).equal(before)
    assert motion_patches(lost, torch.zeros_like(visible)).isfinite().all()


def test_a_cell_tells_which_way_its_tracks_go() -> None:
    geometry, visible = inputs(tracks(0, moving=slice(8, 16)), 16)
    maps = motion_patches(geometry, visible)[0]  # (M, 16, 38)
    assert maps.shape == (8, 16, PATCH_WIDTH)
    right = maps[..., 16]
    assert not right[:4].any()
    assert right[4:].amax(-1).min() > 0.1
    strong, direction = maps[..., :32].max(-1)
    assert set(direction[strong > 0.1].tolist()) == {16}
    # The share of all tracks; its mean over cells is 1.
    torch.testing.assert_close(maps[..., -1].mean(-1), torch.ones(8))
