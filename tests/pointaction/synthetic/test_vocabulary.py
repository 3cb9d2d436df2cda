import tomllib
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from pointaction.synthetic.score import SAMPLES, Cast, Draw, Score
from pointaction.synthetic.vocabulary import (
    LABELS,
    OPPOSITES,
    VERSION,
    VOCABULARY,
    build,
    mirrored,
    reversed_name,
)

STORE = Path(__file__).parents[3] / "model_store"

# What a mirror does to the parts of `_coarse`, in their order.
MIRROR = torch.tensor(
    [-1, 1, 1] * 3  # hands, things, body
    + [-1, 1, -1]  # turn
    + [1, 1, 1]  # stretch
    + [1]  # grip
    + [-1, 1, -1, 1, -1]  # facing, lean, tip
    + [-1, 1, 1, -1, 1, -1, 1]  # camera
    + [-1]  # way round
)


@cache
def _perform(label: str, count: int = 5, seed: int = 0) -> Score:
    return VOCABULARY[label].build(Draw(count=count, generator=Generator().manual_seed(seed)))


def _way_round(path: Tensor) -> Tensor:
    """(..., S, 3) to (..., 1): twice the area that it goes round, positive when clockwise."""
    x, y = path[..., 0], path[..., 1]
    return (x[..., :-1] * y[..., 1:] - x[..., 1:] * y[..., :-1]).sum(-1, keepdim=True)


def _coarse(score: Score) -> Tensor:
    """(n, K) by how much all is elsewhere at the end, and which way round hands and things went.

    Every number changes its sign when time runs backwards.
    """
    thing = score.thing * score.things[..., None, None]
    hand = score.hand * score.hands[..., None, None]
    paths = [
        hand.sum(1),
        thing.sum(1),
        score.body,
        score.turn.sum(1),
        score.stretch.sum(1),
        score.grip.sum(1)[..., None],
        score.facing[..., None],
        score.lean,
        score.tip,
        score.camera,
    ]
    net = torch.cat([path[:, -1] - path[:, 0] for path in paths], -1)
    return torch.cat([net, (_way_round(hand) + _way_round(thing)).sum(1)], -1)


def _agree(one: Tensor, other: Tensor) -> bool:
    """Do the means of two samples (n, K) lie within what chance allows?"""
    error = ((one.var(0) + other.var(0)) / len(one)).sqrt()
    return bool(((one.mean(0) - other.mean(0)).abs() <= 5 * error + 1e-4).all())


def test_there_are_more_than_a_hundred_names_and_the_first_33_are_among_them() -> None:
    assert len(LABELS) >= 110
    assert len(set(LABELS)) == len(LABELS)
    assert {"moving left", "waving", "being tossed up", "camera zooming out"} < set(LABELS)


def test_the_vocabulary_as_data_says_what_the_code_says() -> None:
    data = tomllib.loads((STORE / "vocabulary.toml").read_text())
    assert data["version"] == VERSION
    assert list(data["motions"]) == list(LABELS)
    for label, motion in data["motions"].items():
        action = VOCABULARY[label]
        assert motion["group"] == action.group
        assert motion["says"] == action.says
        assert motion.get("reverse") == action.reverse
        assert motion.get("mirror") == mirrored(label)


@pytest.mark.parametrize("other_name", [mirrored, reversed_name])
def test_doing_it_twice_leads_back_to_the_name(other_name: Callable[[str], str | None]) -> None:
    for label in LABELS:
        other = other_name(label)
        assert other is None or other_name(other) == label


def test_some_opposites() -> None:
    assert mirrored("camera rolling clockwise") == "camera rolling anticlockwise"
    assert mirrored("clapping") == "clapping"
    assert mirrored("drawing a tick") is None
    assert reversed_name("pushing a thing to the left") == "pulling a thing to the right"
    assert reversed_name("falling") is None
    assert OPPOSITES.count(("moving left", "moving right")) == 1
    assert ("moving right", "moving left") not in OPPOSITES
    assert ("pushing a thing to the left", "pushing a thing to the right") in OPPOSITES
    assert all(one != other for one, other in OPPOSITES)


def test_every_act_fills_every_part_of_a_score() -> None:
    model = Score.at_rest(Draw(count=5, generator=Generator().manual_seed(0)), Cast.NOBODY)
    for label in LABELS:
        for part in fields(Score):
            value, like = getattr(_perform(label), part.name), getattr(model, part.name)
            assert value.shape == like.shape, (label, part.name)
            assert value.dtype == like.dtype, (label, part.name)
            assert value.isfinite().all(), (label, part.name)


def test_no_two_performances_are_alike() -> None:
    for label in LABELS:
        if label == "standing still":
            continue
        score = _perform(label)
        moves = torch.cat([score.hand.flatten(1), score.thing.flatten(1), score.turn.flatten(1)], 1)
        more = [score.feet, score.camera, score.lean, score.tip, score.grip, score.wrist]
        moves = torch.cat([moves, *(part.flatten(1) for part in more)], 1)
        assert len(moves.unique(dim=0)) == 5, label


def test_backwards_it_does_what_its_reverse_does() -> None:
    for label in LABELS:
        reverse = reversed_name(label)
        if reverse is not None:
            backwards = _coarse(_perform(label, 100).reversed())
            assert _agree(backwards, _coarse(_perform(reverse, 100, seed=1))), label


def test_in_a_mirror_it_does_what_its_mirror_image_does() -> None:
    for label in LABELS:
        image = mirrored(label)
        if image is not None:
            inverted = _coarse(_perform(label, 100)) * MIRROR
            assert _agree(inverted, _coarse(_perform(image, 100, seed=1))), label


def test_nobody_leaves_the_stage() -> None:
    for label in LABELS:
        score = _perform(label, 100)
        if (score.cast == Cast.FIGURE).all():
            assert score.body[..., 0].abs().max() <= 0.6, label
        else:
            assert (score.thing * score.things[..., None, None])[..., :2].abs().max() < 0.6, label
            assert (score.hand * score.hands[..., None, None])[..., :2].abs().max() < 0.6, label


def _net(path: Tensor) -> Tensor:
    return path[:, -1] - path[:, 0]


def test_things_go_where_their_names_say() -> None:
    assert (_net(_perform("moving left").thing[:, 0])[:, 0] < -0.2).all()
    assert (_net(_perform("moving up").thing[:, 0])[:, 1] < -0.2).all()
    assert (_net(_perform("moving towards the camera").thing[:, 0])[:, 2] < -0.4).all()
    assert (_net(_perform("turning clockwise").turn[:, 0])[:, 2] > 0.9).all()
    assert (_net(_perform("swiping to the right").hand[:, 0])[:, 0] > 0.2).all()
    assert (_net(_perform("walking left").body)[:, 0] < -0.4).all()


def test_a_rolling_thing_does_not_slip() -> None:
    score = _perform("rolling right")
    way, turned = _net(score.thing[:, 0])[:, 0], _net(score.turn[:, 0])[:, 2]
    assert torch.allclose(way, turned * score.size[:, 0, 0], atol=1e-5)


def test_a_toppled_thing_lies_on_its_side_where_it_stood() -> None:
    score = _perform("tipping over")
    assert torch.allclose(score.turn[:, 0, -1, 2].abs(), torch.full((5,), torch.pi / 2))
    stood = score.thing[:, 0, 0, 1] + score.size[:, 0, 1]
    lies = score.thing[:, 0, -1, 1] + score.size[:, 0, 0]
    assert torch.allclose(stood, lies, atol=1e-6)


def test_what_falls_falls_faster_and_faster() -> None:
    early = _perform("falling").thing[:, 0, :32, 1]
    assert (early.diff().diff() > 0).all()


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_hand_follows_when_it_pushes_and_leads_when_it_pulls(side: str) -> None:
    sign = -1 if side == "left" else 1
    for name, ahead in (("pushing", -1), ("pulling", 1)):
        score = _perform(f"{name} a thing to the {side}")
        assert (sign * _net(score.thing[:, 0])[:, 0] > 0.15).all()
        assert (sign * ahead * (score.hand - score.thing)[:, 0, :, 0] > 0).all()


def test_a_thing_that_is_picked_up_stays_in_the_hand() -> None:
    score = _perform("picking up a thing")
    grasp = (score.hand - score.thing)[:, 0, 45:]
    assert torch.allclose(grasp, grasp[:, :1].expand_as(grasp), atol=1e-6)
    assert (_net(score.thing[:, 0])[:, 1] < -0.15).all()


def test_a_thrown_thing_leaves_the_hand_that_held_it() -> None:
    score = _perform("throwing a thing to the left")
    apart = (score.hand - score.thing)[:, 0].norm(dim=-1)
    assert (apart[:, :20] < 0.05).all()
    assert (apart[:, -1] > 0.2).all()


def test_a_vessel_is_tilted_towards_the_other_and_back() -> None:
    score = _perform("pouring")
    roll = score.turn[:, 0, :, 2]
    other = (score.thing[:, 1] - score.thing[:, 0])[:, 0, 0]
    assert (roll[:, 32] * other.sign() > 1.2).all()
    assert torch.allclose(roll[:, -1], torch.zeros(5), atol=1e-6)


def test_a_stacked_thing_rests_on_the_other() -> None:
    score = _perform("stacking")
    middle = score.thing[:, :, -1]
    assert torch.allclose(middle[:, 0, 0], middle[:, 1, 0], atol=1e-6)
    between = middle[:, 1, 1] - middle[:, 0, 1]
    assert torch.allclose(between, score.size[:, :, 1].sum(1), atol=1e-5)


def _corners(path: Tensor) -> int:
    """Sharp turns of a path (S, 2), counting the one where a closed path begins."""
    step = path.diff(dim=0)
    step = step[step.norm(dim=-1) > 1e-4]
    step = torch.cat([step, step[:1]])
    way = torch.atan2(step[:, 1], step[:, 0])
    turned = (way.diff() + torch.pi).remainder(2 * torch.pi) - torch.pi
    sharp = turned.abs() > 0.15  # a corner between two samples takes two neighbouring turns
    return int((sharp[1:] & ~sharp[:-1]).sum()) + int(sharp[0] and not sharp[-1])


@pytest.mark.parametrize(("what", "corners"), [("triangle", 3), ("square", 4), ("star", 5)])
def test_a_drawn_shape_has_its_corners(what: str, corners: int) -> None:
    drawn = _perform(f"drawing a {what}").hand[:, 0, :, :2]
    assert [_corners(path) for path in drawn] == [corners] * 5
    extent = drawn.amax(1) - drawn.amin(1)
    assert ((drawn[:, -1] - drawn[:, 0]).abs() < 0.2 * extent).all()


def test_a_circle_goes_round_as_a_clock_does() -> None:
    path = _perform("drawing a circle clockwise").hand[:, 0]
    assert (_way_round(path) > 0).all()
    assert (_way_round(_perform("circling anticlockwise").thing[:, 0]) < 0).all()


def test_a_walker_looks_where_they_go_and_does_not_slide() -> None:
    score = _perform("walking right")
    assert (score.facing < 0).all()  # the front, which was near the viewer, faces right
    ahead = torch.stack([-score.facing.sin(), -score.facing.cos()], -1)
    pace = score.body[:, :, [0, 2]].diff(dim=1)
    travelled = (pace * ahead[:, 1:]).sum(-1)
    backwards = score.feet[:, :, :, 2].diff(dim=-1)  # of the foot, as seen from the body
    slip = (travelled[:, None] - backwards).abs().amin(1)  # of the foot that stands
    assert (slip < 1e-4).float().mean() > 0.85  # all but the samples in which feet change


def test_build_puts_the_rows_back_in_order() -> None:
    labels = torch.tensor(
        [LABELS.index(name) for name in ("moving left", "walking left", "moving right", "clapping")]
    ).repeat(3)
    score = build(labels, Generator().manual_seed(0))
    assert len(score) == 12
    assert score.thing.shape == (12, 2, SAMPLES, 3)
    assert score.cast.tolist() == [Cast.NOBODY, Cast.FIGURE, Cast.NOBODY, Cast.HANDS] * 3
    way = score.thing[:, 0, -1, 0] - score.thing[:, 0, 0, 0]
    assert (way[0::4] < 0).all()
    assert (way[2::4] > 0).all()
    assert (score.hands.sum(1)[3::4] == 2).all()
