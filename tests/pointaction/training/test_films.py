"""Films are followed clips on disk, made once."""

from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from pointaction.errors import InputError
from pointaction.synthetic.batches import Mixture, ProceduralBatches
from pointaction.synthetic.vocabulary import LABELS
from pointaction.training import films as films_module
from pointaction.training import shelf
from pointaction.training.films import Films, make_films


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of two clips of few points."""
    folder = tmp_path_factory.mktemp("films")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "CLIPS", 2)
        patch.setattr(films_module, "POINTS", 24)
        make_films(folder, clips=2, seed=1, progress=lambda done, total: None)
    return folder


def some(clips: int, *, points: int) -> Films:
    """Clip number i stands still at pixel (8 i, 0), is called i, and is 64 pixels wide."""
    xy = torch.zeros(clips, points, 32, 2, dtype=torch.int16)
    xy[..., 0] = torch.arange(clips).view(-1, 1, 1) * 8 * 32
    return Films(
        xy=xy,
        visible=torch.ones(clips, points, 32, dtype=torch.bool),
        label=torch.arange(clips),
        side=torch.full((clips,), 64),
        name="still",
    )


def told(films: Films, count: int, *, points: int) -> tuple[Tensor, Tensor, Tensor]:
    return films.sample(count, points=points, generator=Generator().manual_seed(0))


def test_a_film_is_within_its_picture_and_has_a_name_of_the_vocabulary(folder: Path) -> None:
    films = Films.read(folder)
    xy, visible, label = told(films, 4, points=24)
    assert xy.shape == (4, 24, 32, 2)
    assert 0 <= xy[visible].min() <= xy[visible].max() <= 1
    assert label.max() < len(LABELS)


def test_what_was_made_is_not_made_again(folder: Path) -> None:
    (file,) = folder.iterdir()
    before = file.stat().st_mtime_ns, Films.read(folder).name
    make_films(folder, clips=1, seed=1, progress=lambda done, total: None)
    assert (file.stat().st_mtime_ns, Films.read(folder).name) == before


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pointaction film --out"):
        Films.read(tmp_path)


def test_places_are_units_of_the_longer_side_from_the_corner() -> None:
    """The middle of pixel 8 is 8.5 pixels from the corner of a picture of 64."""
    xy, _, label = told(some(2, points=4), 16, points=3)
    assert xy.shape == (16, 3, 32, 2)
    assert set(label.tolist()) == {0, 1}
    assert xy[label == 1][..., 0].unique().tolist() == [8.5 / 64]
    assert xy[..., 1].unique().tolist() == [0.5 / 64]


def test_a_quarter_of_the_named_clips_are_films_where_there_are_some() -> None:
    mixture = Mixture(named=8, programs=1, performances=2, tracks=(16,))
    batch = ProceduralBatches(mixture, seed=1, films=some(3, points=16))[0]
    assert len(batch.label) == 10
    assert batch.group is not None
    # Films come first, named like any other; programs keep groups of their own.
    assert (batch.label[:2] < 3).all()
    assert (batch.group[:8] == batch.label[:8]).all()
    assert (batch.label[8:] == -1).all()
    # In still clips nothing moves but by the jitter, unless the whole batch were films.
    motion = batch.geometry[..., :2].diff(dim=2).norm(dim=-1).amax((1, 2))
    assert (motion[:2] < 0.02).all()
    assert (motion[2:] > 0.02).any()


def test_without_films_batches_are_what_they_were() -> None:
    mixture = Mixture(named=4, tracks=(16,))
    one = ProceduralBatches(mixture, seed=1)[5]
    other = ProceduralBatches(mixture, seed=1, films=None)[5]
    assert torch.equal(one.geometry, other.geometry)
