"""Reels are drawn clips on disk, made once."""

from pathlib import Path

import pytest
import torch

from pointaction.errors import InputError
from pointaction.training import shelf
from pointaction.training.reels import PAIRS, Reels, make_reels


def quiet(done: int, total: int) -> None:
    """A count that nobody reads."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of two clips: an identity that moves left, then right."""
    folder = tmp_path_factory.mktemp("reels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "CLIPS", 2)
        make_reels(folder, clips=2, seed=1, progress=quiet)
    return folder


def test_a_reel_holds_pictures_their_motion_and_what_is_done(folder: Path) -> None:
    reels = Reels.read(folder)
    assert reels.frames.shape == (2, 12, 64, 64, 3)
    assert reels.motion.shape == (2, 4, 12, 32, 32)
    assert [reels.labels[number] for number in reels.label.tolist()] == list(PAIRS[0])
    assert reels.frames.float().std() > 10  # something is to be seen
    assert reels.motion.isfinite().all()
    assert 0 < reels.motion.float().abs().mean() < 8


def test_both_of_a_pair_are_done_by_one_identity(folder: Path) -> None:
    """Walls and clothes have the same colours, so two clips differ less than chance would."""
    left, right = Reels.read(folder).frames.float().mean((1, 2, 3))
    assert (left - right).abs().max() < 40


def test_what_was_made_is_not_made_again(folder: Path) -> None:
    (file,) = folder.iterdir()
    before = file.stat().st_mtime_ns, Reels.read(folder).name
    make_reels(folder, clips=1, seed=1, progress=quiet)
    assert (file.stat().st_mtime_ns, Reels.read(folder).name) == before


def test_held_out_reels_show_something_else(folder: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "CLIPS", 1)
        make_reels(tmp_path, clips=1, seed=1, progress=quiet, held_out=True)
    seen, unseen = Reels.read(folder), Reels.read(tmp_path)
    assert not torch.equal(seen.frames[0], unseen.frames[0])
    assert seen.name != unseen.name
    assert unseen.labels == ("moving left",)


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pointaction reels"):
        Reels.read(tmp_path)
