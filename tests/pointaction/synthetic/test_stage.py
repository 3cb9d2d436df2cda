"""What a performance may vary, and what it may not."""

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from pointaction.synthetic.scenes import ExactTracks, Scenes, follow
from pointaction.synthetic.score import SAMPLES, Cast, Draw, Score
from pointaction.synthetic.stage import perform, sample_scenes
from pointaction.synthetic.variety import TRAINING, WIDE
from pointaction.synthetic.vocabulary import LABELS

QUIET = replace(TRAINING, sway=0.0, solids=0.0, tremor=0.0, enter=0.0)
THING = 22


def performed(name: str, *, count: int = 6) -> tuple[Scenes, ExactTracks]:
    generator = Generator().manual_seed(0)
    labels = torch.full((count,), LABELS.index(name))
    scenes = sample_scenes(labels, frames=16, generator=generator, variety=QUIET)
    return scenes, follow(scenes, points=300, generator=generator)


def way(tracks: ExactTracks, layer: int) -> Tensor:
    """Mean displacement (B, 2) of a layer's points from the first to the last frame."""
    on = (tracks.layer == layer)[..., None].float()
    moved = tracks.xy[:, :, -1] - tracks.xy[:, :, 0]
    return (moved * on).sum(1) / on.sum(1).clamp(min=1)


def test_a_score_keeps_the_order_of_its_labels() -> None:
    labels = torch.tensor([5, 2, 9, 2])
    scenes = sample_scenes(labels, frames=4, generator=Generator().manual_seed(0))
    assert torch.equal(scenes.label, labels)


@pytest.mark.parametrize(
    ("name", "layer", "axis", "sign"),
    [
        ("moving left", 1 + THING, 0, -1),
        ("moving right", 1 + THING, 0, 1),
        ("camera panning right", 0, 0, -1),
        ("camera panning left", 0, 0, 1),
        ("camera tilting up", 0, 1, 1),
        ("camera travelling left", 0, 0, 1),
    ],
)
def test_on_the_screen_all_goes_where_its_name_says(
    name: str, layer: int, axis: int, sign: int
) -> None:
    _, tracks = performed(name)
    assert (sign * way(tracks, layer)[:, axis] > 0.02).all()


def test_zooming_in_spreads_the_picture() -> None:
    scenes, tracks = performed("camera zooming in")
    assert (scenes.focal[:, -1] > 1.2 * scenes.focal[:, 0]).all()
    for row in range(len(scenes.label)):
        points = tracks.xy[row, tracks.layer[row] == 0]
        spread = points.std(0).mean(-1)
        assert spread[-1] > 1.1 * spread[0]


@pytest.mark.parametrize("variety", [TRAINING, WIDE])
def test_an_action_is_performed_from_its_beginning_to_its_end(variety: object) -> None:
    """A camera that zooms by the action's own time shows that time."""
    assert variety in (TRAINING, WIDE)
    draw = Draw(count=40, generator=Generator().manual_seed(0))
    score = Score.at_rest(draw, Cast.NOBODY, things=1)
    score.camera[..., 6] = torch.linspace(0, 1, SAMPLES)
    quiet = replace(TRAINING if variety is TRAINING else WIDE, sway=0.0)
    scenes = perform(score, frames=24, generator=Generator().manual_seed(1), variety=quiet)
    zoom = (scenes.focal / scenes.focal[:, :1]).log()
    torch.testing.assert_close(zoom[:, -1], torch.ones(40))
    assert (zoom.diff(dim=1) > -1e-5).all()


def test_rows_of_one_identity_share_body_things_and_textures() -> None:
    labels = torch.full((4,), LABELS.index("drawing a circle clockwise"))
    identity = torch.tensor([7, 7, 3, 3])
    scenes = sample_scenes(
        labels, frames=4, generator=Generator().manual_seed(0), variety=QUIET, identity=identity
    )
    assert scenes.looks[0] == scenes.looks[1]
    assert scenes.looks[1] != scenes.looks[2]
    assert torch.equal(scenes.extent[0], scenes.extent[1])
    palm, shape = 2, scenes.half[:, 2, 0] / scenes.half[:, 2, 0, :1]
    torch.testing.assert_close(shape[0], shape[1])
    assert scenes.present[:, palm].all()
    assert not torch.allclose(scenes.centre[0, palm], scenes.centre[1, palm])


def test_everything_is_within_the_room() -> None:
    labels = torch.arange(len(LABELS))
    scenes = sample_scenes(labels, frames=8, generator=Generator().manual_seed(0))
    low, high = scenes.room[:, None, None, 0], scenes.room[:, None, None, 1]
    # Of what nobody acts with, some lies below the floor on which a figure stands.
    inside = (scenes.centre > low).all(-1) & (scenes.centre < high)[..., [0, 2]].all(-1)
    assert inside[scenes.present].all()
    assert ((scenes.eye > low[:, 0]) & (scenes.eye < high[:, 0])).all()


def test_all_motions_stay_finite() -> None:
    labels = torch.arange(len(LABELS))
    scenes = sample_scenes(labels, frames=8, generator=Generator().manual_seed(1), variety=WIDE)
    tracks = follow(scenes, points=32, generator=Generator().manual_seed(1))
    assert tracks.xy.isfinite().all()
    assert tracks.depth.isfinite().all()
