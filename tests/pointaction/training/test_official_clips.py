"""Training on published data sets, on tiny made-up copies of them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.models.catalog import find
from pointaction.models.traction import traction_tiny
from pointaction.training.checkpoints import export_weights
from pointaction.training.official_clips import read_official
from pointaction.training.recipes import official
from pointaction.video.cut import Cut
from tests.pointaction.evaluation.sliding import write_slide

PUSHING, PULLING = "Pushing something", "Pulling something"
KITCHEN = "participant_id,video_id,start_timestamp,stop_timestamp,verb_class\n"


def write_ssv2(root: Path) -> None:
    """Two clips of each template to learn from and one to be asked about, and one withdrawn."""
    (root / "labels.json").write_text(json.dumps({PUSHING: "0", PULLING: "1"}))
    number = 0
    for split, count in (("train", 2), ("validation", 1)):
        listed = [{"id": "999", "template": "Pushing [something]"}]
        for template, way in (("Pushing [something]", 3), ("Pulling [something]", -3)):
            for _ in range(count):
                number += 1
                path = root / "20bn-something-something-v2" / f"{number}.webm"
                write_slide(path, right=way, seed=number)
                listed.append({"id": str(number), "template": template})
        (root / f"{split}.json").write_text(json.dumps(listed))
    (root / "test.json").write_text("[]")


def write_kitchen(root: Path) -> None:
    """One video for all; in it there is a segment to learn each verb from, and one to ask about."""
    write_slide(root / "EPIC-KITCHENS" / "P01" / "videos" / "P01_01.MP4", right=2, seed=0)
    (root / "EPIC_100_verb_classes.csv").write_text("id,key\n0,take\n1,put\n")
    (root / "EPIC_100_train.csv").write_text(
        KITCHEN + "P01,P01_01,00:00:00.0,00:00:00.5,0\n" + "P01,P01_01,00:00:00.5,00:00:01.0,1\n"
    )
    (root / "EPIC_100_validation.csv").write_text(KITCHEN + "P01,P01_01,00:00:00.2,00:00:00.8,1\n")


def write_kinetics(root: Path) -> None:
    heading = "label,youtube_id,time_start,time_end,split\n"
    for split, name in (("train", "train"), ("val", "validate")):
        rows = []
        for label, way in (("skiing", 3), ("diving", -3)):
            write_slide(root / split / f"{label}_000003_000013.mp4", right=way, seed=way + 9)
            rows.append(f"{label},{label},3,13,{name}\n")
        (root / f"{split}.csv").write_text(heading + "".join(rows))


WRITE = {"ssv2": write_ssv2, "kinetics": write_kinetics, "epic-kitchens": write_kitchen}


def test_the_owners_split_is_kept_and_what_is_not_there_is_counted(tmp_path: Path) -> None:
    write_ssv2(tmp_path)
    found = read_official("ssv2", tmp_path, None)
    assert [clip.validation for clip in found.clips] == [False] * 4 + [True] * 2
    assert found.listed == 8
    assert {clip.cut for clip in found.clips} == {Cut(every=True)}


def test_a_segment_keeps_its_own_time(tmp_path: Path) -> None:
    write_kitchen(tmp_path)
    clips = read_official("epic-kitchens", tmp_path, None).clips
    assert [(clip.label, clip.cut.start, clip.cut.end) for clip in clips] == [
        ("take", 0.0, 0.5),
        ("put", 0.5, 1.0),
        ("put", 0.2, 0.8),
    ]


def test_videos_that_are_elsewhere_are_asked_for(tmp_path: Path) -> None:
    write_ssv2(tmp_path)
    with pytest.raises(InputError, match="give --videos"):
        read_official("ssv2", tmp_path, tmp_path / "elsewhere")


def test_settings_are_those_of_table_6() -> None:
    recipe = official("traction", clips=168_913)
    assert (recipe.batch, recipe.learning_rate, recipe.weight_decay) == (64, 2e-4, 5e-3)
    assert recipe.steps == pytest.approx(15 * 168_913 / 64, abs=1)
    assert (recipe.tracks, recipe.frames) == ((512,), 32)


@pytest.mark.parametrize("layout", WRITE)
def test_one_command_learns_a_data_set(layout: str, tmp_path: Path) -> None:
    WRITE[layout](tmp_path)
    start = tmp_path / "start.safetensors"
    export_weights(traction_tiny(1), start)
    words = ["finetune", tmp_path, "--layout", layout, "--name", "own", "--steps", 1]
    words += [
        "--from",
        start,
        "--store",
        tmp_path / "store",
        "--out",
        tmp_path / "runs",
        "--tracks",
        32,
    ]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert "validation: " in done.stdout
    assert "is left out" not in done.stderr
    assert ("2 clips of the lists are not on this disk" in done.stderr) == (layout == "ssv2")
    assert len(find(tmp_path / "store", "own").labels) == 2


def test_a_layout_that_is_not_known_is_answered_with_those_that_are(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["finetune", str(tmp_path), "--layout", "ucf"])
    assert isinstance(done.exception, InputError)
    assert "ssv2, kinetics, epic-kitchens" in str(done.exception)
