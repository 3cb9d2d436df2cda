"""The weights and outputs come from the reference code, by the formulas in `official`."""

import copy
import json

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pointaction.tracking.cotracker3 import (
    VIRTUAL_TRACKS,
    CoTracker3Offline,
    Mlp,
    Pyramid,
    State,
    blend,
)
from tests.goldens import SHARED, needs_shared, recorded, reference
from tests.pointaction.tracking.official import filled, video


@pytest.fixture(scope="module")
def model() -> CoTracker3Offline:
    return filled()


@pytest.fixture(scope="module")
def pyramid(model: CoTracker3Offline) -> Pyramid:
    return model.features(video(10, 96, 128)[0])


@pytest.fixture(scope="module")
def small(model: CoTracker3Offline) -> Pyramid:
    return model.features(video(4, 64, 64)[0])


SMALL_QUERIES = torch.tensor([[0, 20, 30], [2, 41.3, 12.7], [3, 50, 60]])


def close(ours: Tensor, theirs: NDArray[np.float32], within: float) -> None:
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=within)


def test_answers_are_those_of_the_official_model(
    model: CoTracker3Offline, pyramid: Pyramid
) -> None:
    theirs = recorded("cotracker3")
    queries = torch.from_numpy(theirs["queries"])[0]
    looks, state = model.describe(pyramid, queries), State.at(queries, 10)
    for iters, more in ((4, 4), (6, 2)):
        state = model.iterate(pyramid, looks, state, more)
        xy, visibility, confidence = state.answer()
        close(xy, theirs[f"coords_iters{iters}"][0], 2e-3)
        close(visibility, theirs[f"visibility_iters{iters}"][0], 1e-4)
        close(confidence, theirs[f"confidence_iters{iters}"][0], 1e-4)


@needs_shared
def test_every_iteration_is_that_of_the_official_model(
    model: CoTracker3Offline, pyramid: Pyramid
) -> None:
    theirs = reference("cotracker3")
    queries = torch.from_numpy(theirs["queries"])[0]
    looks, state = model.describe(pyramid, queries), State.at(queries, 10)
    for number in range(6):
        state = model.iterate(pyramid, looks, state, 1)
        xy, visibility, confidence = state.answer()
        close(xy, theirs["coords_iters6_all"][number, 0], 2e-3)
        close(visibility, theirs["visibility_iters6_all"][number, 0], 1e-4)
        close(confidence, theirs["confidence_iters6_all"][number, 0], 1e-4)


@needs_shared
def test_features_and_patches_are_those_of_the_official_model(
    model: CoTracker3Offline, pyramid: Pyramid
) -> None:
    theirs = reference("cotracker3")
    level = pyramid.maps[0][3].permute(2, 0, 1)
    close(level[:, ::6, ::8], theirs["fmap_normalised_frame3"], 1e-5)
    looks = model.describe(pyramid, torch.from_numpy(theirs["queries"])[0])
    for level_number in (0, 3):
        by_columns = looks[level_number, 2].unflatten(0, (7, 7)).transpose(0, 1).flatten(0, 1)
        close(by_columns, theirs[f"support_level{level_number}_query2"], 1e-5)


@needs_shared
def test_names_and_shapes_are_the_official_ones() -> None:
    facts = json.loads((SHARED / "facts" / "cotracker3_offline_keys.json").read_text())
    theirs = {name: tuple(fact["shape"]) for name, fact in facts["keys"].items()}
    ours = {name: tuple(value.shape) for name, value in filled().state_dict().items()}
    assert ours == theirs


def test_the_size_of_the_model(model: CoTracker3Offline) -> None:
    assert sum(parameter.numel() for parameter in model.parameters()) == 25_385_700
    assert len(model.state_dict()) == 188
    assert model.state_dict()["updateformer.virual_tracks"].shape == (1, 64, 1, 384)


def test_a_missing_and_a_strange_weight_are_named(model: CoTracker3Offline) -> None:
    state = model.state_dict()
    state["updateformer.virtual_tracks"] = state.pop("updateformer.virual_tracks")
    with pytest.raises(RuntimeError, match=r"updateformer.virual_tracks(.|\n)*virtual_tracks"):
        copy.copy(model).load_state_dict(state, strict=True)


def test_clips_of_a_batch_do_not_know_of_each_other(
    model: CoTracker3Offline, small: Pyramid
) -> None:
    one = video(4, 64, 64)
    both = model(torch.cat([255 - one, one]), SMALL_QUERIES.expand(2, -1, -1), iters=1)
    for ours, alone in zip(both, model.refine(small, SMALL_QUERIES, 1), strict=True):
        torch.testing.assert_close(ours[1], alone, rtol=0, atol=0)


def test_a_pyramid_looked_at_backward_is_that_of_the_reversed_video(
    model: CoTracker3Offline, small: Pyramid
) -> None:
    reversed_video = model.features(video(4, 64, 64)[0].flip(0))
    looked = small.look(torch.tensor([3, 2, 1, 0]))
    for ours, theirs in zip(looked.maps, reversed_video.maps, strict=True):
        assert torch.equal(ours[looked.order], theirs)
    backward = model.refine(looked, SMALL_QUERIES, 1)
    for ours, theirs in zip(backward, model.refine(reversed_video, SMALL_QUERIES, 1), strict=True):
        assert torch.equal(ours, theirs)


def test_how_much_is_done_at_once_changes_no_more_than_rounding(
    model: CoTracker3Offline, small: Pyramid
) -> None:
    other = copy.copy(model)
    other.rows = 60
    ours, theirs = (who.refine(small, SMALL_QUERIES, 2) for who in (model, other))
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-3)
    torch.testing.assert_close(ours[1:], theirs[1:], rtol=0, atol=1e-5)


def test_bfloat16_is_close_to_float32(model: CoTracker3Offline, small: Pyramid) -> None:
    rough = model.features(video(4, 64, 64)[0], dtype=torch.bfloat16)
    assert rough.dtype == torch.bfloat16
    similar = (rough.maps[0].float() * small.maps[0]).sum(-1)  # cosines: both have norm 1
    assert similar.mean() > 0.995
    xy, visibility, confidence = model.refine(rough, SMALL_QUERIES, 2)
    assert xy.dtype == visibility.dtype == confidence.dtype == torch.float32
    exact, _, _ = model.refine(small, SMALL_QUERIES, 2)
    way = exact - SMALL_QUERIES[:, 1:]
    assert (xy - exact).norm(dim=-1).median() < 0.1 * way.norm(dim=-1).median()


def test_nobody_to_follow_is_no_error(model: CoTracker3Offline, small: Pyramid) -> None:
    xy, visibility, _ = model.refine(small, SMALL_QUERIES[:0], 1)
    assert (xy.shape, visibility.shape) == ((4, 0, 2), (4, 0))


def test_queries_and_features_are_not_changed(model: CoTracker3Offline, small: Pyramid) -> None:
    queries, maps = SMALL_QUERIES.clone(), [level.clone() for level in small.maps]
    first = model.refine(small, queries, 1)
    again = model.refine(small, queries, 1)
    assert torch.equal(queries, SMALL_QUERIES)
    assert all(map(torch.equal, small.maps, maps))
    assert all(map(torch.equal, first, again))


def coordinates(height: int, width: int) -> Pyramid:
    """A map of one frame whose features are the places they are at, (x, y)."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return Pyramid((torch.stack([x, y], -1)[None].float(),), torch.tensor([0]))


def patch(pyramid: Pyramid, x: float, y: float) -> Tensor:
    """(7, 7, 2), rows first"""
    return blend(*pyramid.patches(0, torch.tensor([0]), torch.tensor([[x, y]])))[0]


def test_a_patch_has_its_place_in_the_middle_and_whole_cells_around_it() -> None:
    seen = patch(coordinates(20, 30), 10.25, 7.5)
    assert seen[3, 3].tolist() == [10.25, 7.5]
    assert seen[3, 4].tolist() == [11.25, 7.5]
    assert seen[6, 3].tolist() == [10.25, 10.5]


def test_outside_the_picture_all_is_as_on_its_border() -> None:
    seen = patch(coordinates(20, 30), -1000.5, 2)
    assert (seen[..., 0] == 0).all()
    assert seen[:, 0, 1].tolist() == [0, 0, 1, 2, 3, 4, 5]
    assert (patch(coordinates(20, 30), 1e12, 1e12) == torch.tensor([29.0, 19.0])).all()


def test_an_mlp_is_its_formula() -> None:
    random = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(2, 100, 4, generator=random)
    for gelu in ("none", "tanh"):
        mlp = Mlp(4, 8, 3, gelu=gelu)
        with torch.no_grad():
            expected = mlp.fc2(functional.gelu(mlp.fc1(x), approximate=gelu))
            torch.testing.assert_close(mlp(x), expected, rtol=0, atol=1e-5)


def test_virtual_tracks_start_the_same_in_all_frames(model: CoTracker3Offline) -> None:
    """So their first block along time may look at one frame alone."""
    block, virtual = model.updateformer.time_blocks[0], model.updateformer.virual_tracks
    with torch.no_grad():
        one, many = virtual[0].clone(), virtual[0].repeat(1, 5, 1)
        block(one, rows=VIRTUAL_TRACKS)
        block(many, rows=VIRTUAL_TRACKS)
    torch.testing.assert_close(many, one.expand_as(many), rtol=0, atol=1e-5)
