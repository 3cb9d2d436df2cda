import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pointaction.errors import InputError
from pointaction.models.trokens import (
    Encoded,
    Trokens,
    TrokensConfig,
    episode_logits,
    episode_loss,
    frame_vectors,
    on_clock,
    released_episode_logits,
    trokens_tiny,
)
from tests.formulas import fill, unit
from tests.goldens import SHARED, Arrays, needs_shared, recorded, reference

RELEASED = TrokensConfig(points=16, appearance=384, width=384, as_released=True)
TINY = TrokensConfig(points=6, appearance=None, width=16, heads=2, classes=3, grid=4)


@cache
def released() -> Trokens:
    """The model that the reference outputs were made with, by the formulas beside them."""
    model = Trokens(RELEASED)
    fill(model, scale)
    return model.eval().requires_grad_(False)


def scale(name: str, shape: torch.Size) -> tuple[float, float]:
    """Offset and scale of a parameter's values."""
    if "pos_embed" in name or "cls_token" in name:
        return 0.0, 0.5
    kind = f".{name}".split(".")[-2]
    if name.endswith("weight") and ("norm" in kind or kind == "ln2"):
        return 1.0, 0.1
    return 0.0, 0.1 if len(shape) == 1 else float(np.sqrt(3 / np.prod(shape[1:])))


@cache
def encoded_as_released() -> Encoded:
    theirs = recorded("trokens")
    features = 1.7 * unit(2 * 8 * 16 * 16 * 384, 5000)
    xy, visible, readable = (
        torch.from_numpy(theirs[name]).transpose(1, 2)
        for name in ("tracks", "visibility", "query_mask")
    )
    patches = torch.from_numpy(features.astype(np.float32)).view(2, 8, 16, 16, 384)
    return released()(xy, visible, patches, readable=readable)


def close(ours: Tensor, theirs: Any) -> None:
    torch.testing.assert_close(ours, torch.as_tensor(theirs), rtol=0, atol=1e-4)


def test_as_released_it_answers_as_the_released_model() -> None:
    theirs = recorded("trokens")
    close(encoded_as_released().logits, theirs["class_logits"])
    close(encoded_as_released().points.transpose(1, 2)[..., ::32], theirs["patch_tokens_every_32"])


@needs_shared
def test_as_released_every_part_is_that_of_the_released_model() -> None:
    theirs = reference("trokens_pointformer")
    model = released()
    names = [name for name, _ in sorted(model.named_parameters())]
    assert names == theirs["param_names"].tolist()
    close(encoded_as_released().points.transpose(1, 2), theirs["patch_tokens"])
    told = model.hod_motion_module(torch.from_numpy(theirs["hod_feat"]))
    close(told[0].transpose(0, 1)[..., ::8], theirs["hod_module_out_b0"])


@needs_shared
def test_official_checkpoints_fit() -> None:
    with torch.device("meta"):
        state = Trokens(TrokensConfig(as_released=True)).state_dict()
    official = json.loads((SHARED / "facts" / "trokens_keys.json").read_text())
    assert {name: list(tensor.shape) for name, tensor in state.items()} == official["keys"]
    count = sum(tensor.numel() for tensor in state.values())
    assert count == official["n_parameters_without_backbone"]


def released_head_answers_as(theirs: Arrays) -> None:
    points = torch.from_numpy(theirs["tokens"]).transpose(1, 2)  # (videos, points, frames, width)
    support = torch.from_numpy(theirs["is_support"])
    labels = torch.from_numpy(theirs["episode_label"])
    logits = released_episode_logits(points[support], labels[support], points[~support])
    torch.testing.assert_close(
        logits, torch.from_numpy(theirs["logits_spatial_none"]), rtol=0, atol=1e-5
    )


def test_as_released_the_head_answers_as_the_released_head() -> None:
    released_head_answers_as(recorded("trokens_head"))


@needs_shared
def test_the_recorded_head_is_the_reference() -> None:
    released_head_answers_as(reference("trokens_head"))


def filled(config: TrokensConfig) -> Trokens:
    """Random weights, none of them near 0."""
    model = Trokens(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return model.eval().requires_grad_(False)


def tracks(count: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    xy = (0.1 * torch.randn(2, count, 8, 2, generator=generator)).cumsum(2).clamp(-1, 1)
    return xy, torch.ones(2, count, 8).bool()


@pytest.mark.parametrize("anchors", [None, 3])
def test_the_order_of_tracks_does_not_matter(anchors: int | None) -> None:
    model, (xy, visible) = filled(replace(TINY, anchors=anchors)), tracks()
    visible[0, 2, 3:] = False
    shuffle = torch.tensor([3, 0, 5, 1, 4, 2])
    before, after = model(xy, visible), model(xy[:, shuffle], visible[:, shuffle])
    torch.testing.assert_close(after.logits, before.logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after.points, before.points[:, shuffle], rtol=1e-4, atol=1e-5)


def test_what_is_hidden_is_not_read() -> None:
    xy, visible = tracks()
    visible[:, 2, 5] = False
    moved = xy.clone()
    moved[:, 2, 5] += 0.01
    model = filled(replace(TINY, hod=False, relative=False))
    before, after = model(xy, visible), model(moved, visible)
    assert not after.points[:, 2, 5].equal(before.points[:, 2, 5])
    torch.testing.assert_close(after.cls, before.cls)
    torch.testing.assert_close(frame_vectors(after), frame_vectors(before))


def test_a_clip_that_hides_everything_is_still_answered() -> None:
    xy, visible = tracks()
    encoded = filled(TINY)(xy, ~visible)
    assert encoded.logits.isfinite().all()
    assert encoded.points.isfinite().all()


def test_attention_is_one_share_per_track() -> None:
    xy, visible = tracks()
    visible[:, 4] = False
    attention = filled(TINY)(xy, visible).attention
    assert attention is not None
    assert attention.shape == (2, 2, 6)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 2))
    assert not attention[..., 4].any()


def test_with_anchors_it_takes_any_number_of_tracks_and_without_its_own() -> None:
    assert filled(replace(TINY, anchors=3))(*tracks(9)).points.shape == (2, 9, 8, 16)
    with pytest.raises(InputError, match="compares 6 tracks with each other, got 9"):
        filled(TINY)(*tracks(9))
    xy, visible = tracks()
    with pytest.raises(InputError, match="looks at 8 frames, got 4"):
        filled(TINY)(xy[:, :, :4], visible[:, :, :4])
    with pytest.raises(InputError, match="made for tracks alone"):
        filled(TINY)(xy, visible, torch.zeros(2, 8, 4, 4, 5))


def test_a_point_in_the_middle_of_a_patch_gets_that_patch() -> None:
    config = replace(TINY, appearance=16, hod=False, relative=False)
    model = Trokens(config).requires_grad_(False)
    for table in (model.space_pos_embed, model.time_pos_embed):
        table.zero_()
    features = torch.randn(1, 8, 4, 4, 16, generator=torch.Generator().manual_seed(0))
    wide = torch.tensor([[1.0, 0.5]])  # twice as wide as high
    # The middle of the second column and the third row: 3/8 and 5/8 of the frame.
    corner = torch.tensor([2 * 3 / 8 - 1, 2 * 5 / 8 * 0.5 - 1]).expand(1, 6, 8, 2)
    tokens = model.tokens(corner, torch.ones(1, 6, 8).bool(), features, wide)
    torch.testing.assert_close(tokens[0, 0], features[0, :, 2, 1])


def test_without_features_a_point_has_its_place_and_time_alone() -> None:
    model, (xy, _) = filled(TINY), tracks()
    nothing = torch.zeros(2, 8, 4, 4, 16)
    torch.testing.assert_close(model.sample(None, xy), model.sample(nothing, xy))


def test_the_square_goes_from_minus_one_to_one() -> None:
    geometry = torch.tensor([0.0, 0.25, 9.0]).expand(1, 1, 32, 3).clone()
    geometry[..., 0] = torch.arange(32) / 31
    visible = (torch.arange(32) < 16)[None, None]
    xy, seen = on_clock(geometry, visible, 2)
    assert xy[0, 0].tolist() == [[-1, -0.5], [1, -0.5]]
    assert seen[0, 0].tolist() == [True, False]


def test_other_features_are_brought_to_the_width() -> None:
    xy, visible = tracks()
    model = filled(replace(TINY, appearance=5))
    assert model(xy, visible, torch.ones(2, 8, 4, 4, 5)).cls.shape == (2, 16)


def test_an_episode_s_class_is_the_mean_of_its_frames() -> None:
    support = torch.eye(3)[:, None].expand(3, 8, 3)
    labels = torch.tensor([0, 1, 1])
    query = torch.tensor([[1.0, 0, 0], [0, 1, 1]])[:, None].expand(2, 8, 3)
    expected = -16 * torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    torch.testing.assert_close(episode_logits(support, labels, query), expected)


def test_the_loss_is_of_the_classes_of_training_and_of_the_episode() -> None:
    base, asked = torch.randn(4, 3), torch.randn(2, 5)
    labels, own = torch.tensor([0, 1, 2, 0]), torch.tensor([4, 0])
    expected = cross_entropy(base, labels, label_smoothing=0.1) + cross_entropy(asked, own)
    assert episode_loss(base, labels, asked, own).item() == pytest.approx(expected.item())


def test_within_the_picture_a_moving_camera_is_not_told() -> None:
    config = replace(TINY, anchors=3, within_picture=True)
    model, (xy, visible) = filled(config), tracks()
    pan = torch.linspace(0, 0.5, 8)[:, None] * torch.tensor([1.0, 0.3])
    still = filled(replace(config, relative=False))
    place = model.sample(None, xy)
    torch.testing.assert_close(
        still.tokens(xy + pan, visible, None, None) - model.sample(None, xy + pan),
        still.tokens(xy, visible, None, None) - place,
        rtol=1e-3,
        atol=1e-3,
    )


def test_displacements_of_pooled_frames_add_up() -> None:
    model = Trokens(replace(TINY, frames=8, pooled=4, bins=4))
    xy = torch.zeros(1, 6, 8, 2)
    xy[0, :, :, 0] = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.3, 0.3, 0.2, 0.2])
    rows = model.displacements(xy, torch.ones(1, 6, 8).bool())
    # Bins of four: left, up, right, down.
    expected = torch.tensor([[0.0, 0.0, 0.3, 0.0], [0.1, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(rows[0, 0], expected)


def test_pooled_frames_count_where_one_of_them_is_seen() -> None:
    xy, visible = torch.zeros(1, 6, 8, 2), torch.zeros(1, 6, 8).bool()
    visible[0, 2, 5] = True
    encoded = Trokens(replace(TINY, frames=8, pooled=4))(xy, visible)
    assert encoded.points.shape == (1, 6, 2, 16)
    assert encoded.readable.nonzero().tolist() == [[0, 2, 1]]


def test_within_the_picture_a_token_is_told_step_and_way() -> None:
    xy = torch.zeros(1, 6, 8, 2)
    xy[0, 0, :, 0] = torch.linspace(0, 0.7, 8)
    model = Trokens(replace(TINY, anchors=3, within_picture=True))
    rows = model.displacements(xy, torch.ones(1, 6, 8).bool())[0]
    assert rows.shape == (6, 8, 32 + 4)
    step, way = rows[0, :, 32], rows[0, :, 34]
    # Always to the right, from left of its mean place to right of it.
    assert (step[1:] > 0).all()
    assert way[0] < 0 < way[-1]
    assert rows[1:].abs().max() < 0.01


def test_what_is_quiet_stays_quiet() -> None:
    """A norm makes a token of variance 1e-4 as loud as any; one for loud tokens does not."""
    x = 0.01 * torch.tensor([1.0, -1.0]).repeat(8)
    loud, quiet = (Trokens(replace(TINY, quiet=quiet)).norm(x) for quiet in (1e-9, 1.0))
    assert loud.abs().min().item() == pytest.approx(1, abs=0.01)
    assert quiet.abs().max().item() == pytest.approx(0.01, abs=0.001)


def test_it_learns_which_way_half_of_the_tracks_go() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Trokens(replace(TINY, relative=False))
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        xy = (2 * torch.rand(8, 6, 1, 2, generator=generator) - 1).repeat(1, 1, 8, 1)
        labels = torch.arange(8) % 2
        way = torch.linspace(0, 0.5, 8) * (1 - 2 * labels[:, None])
        xy[:, :3, :, 0] += way[:, None]
        encoded = model(xy, torch.ones(8, 6, 8).bool())
        frames = frame_vectors(encoded)
        query = episode_logits(frames[:2], labels[:2], frames[2:])
        loss = episode_loss(encoded.logits, labels, query, labels[2:])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(cross_entropy(encoded.logits.detach(), labels).item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_the_tiny_one_is_tiny() -> None:
    with torch.device("meta"):
        assert sum(each.numel() for each in trokens_tiny(64).parameters()) < 1_000_000
