"""Training on published data sets, on tiny made-up copies of them."""

from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.extraction.layouts import LAYOUTS
from pointaction.models.catalog import find
from pointaction.models.traction import traction_tiny
from pointaction.training.checkpoints import export_weights
from pointaction.training.official_clips import read_official
from pointaction.training.recipes import official
from pointaction.video.cut import Cut
from tests.pointaction.extraction.layout_copies import (
    write_epic_kitchens_100,
    write_iard,
    write_ssv2,
    write_ucf101,
)


def finetune(root: Path, work: Path, *more: str) -> Result:
    """`pointaction finetune` of one step, from weights that were never trained."""
    export_weights(traction_tiny(1), work / "start.safetensors")
    words = ["finetune", root, "--name", "own", "--steps", 1, "--tracks", 32, *more]
    words += ["--from", work / "start.safetensors", "--store", work / "store", "--out", work]
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_owners_split_is_kept_and_what_is_not_there_is_counted(tmp_path: Path) -> None:
    """Of twelve clips to learn from one is gone, of six to be asked about another."""
    write_ssv2(tmp_path)
    for gone in ("1001", "1013"):
        (tmp_path / "20bn-something-something-v2" / f"{gone}.webm").unlink()
    found = read_official("ssv2", tmp_path, None)
    assert Counter(clip.validation for clip in found.clips) == {False: 11, True: 5}
    assert found.absent == 2
    assert {clip.cut for clip in found.clips} == {Cut(every=True)}


def test_a_segment_keeps_its_own_time(tmp_path: Path) -> None:
    write_epic_kitchens_100(tmp_path)
    clips = read_official("epic-kitchens-100", tmp_path, None).clips
    assert [(clip.label, clip.cut.start, clip.cut.stride) for clip in clips[:2]] == [
        ("take", 0.0, 20),
        ("put", 0.2, 20),
    ]


def test_clips_for_testing_are_kept_where_there_are_none_for_validation(tmp_path: Path) -> None:
    write_ucf101(tmp_path, train=2, test=1)
    clips = read_official("ucf101", tmp_path, None).clips
    assert Counter(clip.validation for clip in clips) == {False: 12, True: 6}


def test_what_its_owner_does_not_divide_is_left_open(tmp_path: Path) -> None:
    write_iard(tmp_path, actors=("ann",))
    clips = read_official("iard", tmp_path, None).clips
    assert [clip.validation for clip in clips] == [None] * 5


def test_videos_that_are_elsewhere_are_asked_for(tmp_path: Path) -> None:
    write_epic_kitchens_100(tmp_path)
    with pytest.raises(InputError, match="say where they are with --videos"):
        read_official("epic-kitchens-100", tmp_path, tmp_path / "elsewhere")


def test_settings_are_those_of_table_6() -> None:
    recipe = official("traction", clips=168_913)
    assert (recipe.batch, recipe.learning_rate, recipe.weight_decay) == (64, 2e-4, 5e-3)
    assert recipe.steps == pytest.approx(15 * 168_913 / 64, abs=1)
    assert (recipe.tracks, recipe.frames) == ((512,), 32)


def test_a_data_set_that_is_recognised_is_learned_in_one_command(tmp_path: Path) -> None:
    write_epic_kitchens_100(tmp_path / "kitchens")
    done = finetune(tmp_path / "kitchens", tmp_path)
    assert done.exit_code == 0, done.output
    assert "EPIC-KITCHENS-100 (--layout epic-kitchens-100)" in done.stderr
    assert "commercial use: no" in done.stderr
    assert "is left out" not in done.stderr
    assert "validation: " in done.stdout
    assert find(tmp_path / "store", "own").labels == ("put", "take")


def test_what_its_owner_does_not_divide_is_divided_by_share(tmp_path: Path) -> None:
    """Two clips of each of five actions, of which one each is kept."""
    write_iard(tmp_path / "iard", actors=("ann", "bob"))
    done = finetune(tmp_path / "iard", tmp_path, "--layout", "iard", "--val-share", "0.5")
    assert done.exit_code == 0, done.output
    card = (tmp_path / "store" / find(tmp_path / "store", "own").card).read_text()
    assert "| jump | 1 | 1 |" in card


def test_layouts_are_called_as_those_of_extract(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["finetune", str(tmp_path), "--layout", "kinetics"])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).endswith(f"is not one of: files, {', '.join(LAYOUTS)}")


def test_videos_are_those_of_a_data_set(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["finetune", str(tmp_path), "--videos", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert "--videos needs --layout: ssv2 or" in str(done.exception)
