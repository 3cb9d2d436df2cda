import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from pointaction.cli import app
from pointaction.synthetic.sample import write_sample
from pointaction.timelines.timeline import Timeline


def call(*words: str | Path | float) -> Result:
    return CliRunner().invoke(app, ["timeline", *map(str, words)])


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An example of two motions in folders of their names, and a video of the first."""
    folder = tmp_path_factory.mktemp("clips")
    for motion in ("moving left", "falling"):
        (folder / "taught" / motion).mkdir(parents=True)
        write_sample(motion, folder / "taught" / motion / "a.mp4", seed=0, side=64, frames=12)
    write_sample("moving left", folder / "video.mp4", seed=1, side=64, seconds=5, frames=24)
    return folder


def test_a_video_becomes_the_files_that_are_asked_for(clips: Path, tmp_path: Path) -> None:
    saved, told = tmp_path / "a.npz", tmp_path / "a.json"
    done = call(clips / "video.mp4", "-o", saved, "-o", told, "--tracks", 16)
    assert done.exit_code == 0, done.output
    assert json.loads(told.read_text())["model"]["name"] == "traction-tiny"
    assert Timeline.load(saved).starts.tolist() == [0, pytest.approx(30 / 31)]  # 10 of 31 steps


def test_a_timeline_is_read_again_with_another_threshold(tmp_path: Path) -> None:
    saved, told = tmp_path / "a.npz", tmp_path / "a.json"
    Timeline(
        labels=("wave", "clap"),
        starts=np.arange(4.0),
        scores=np.array([[0.6, 0.4]] * 4, np.float32),
        none_of_these=None,
        windows=4,
        window_s=3,
        step_s=1,
        duration_s=6,
    ).save(saved)
    for threshold, labels in ((0.3, ["clap", "wave"]), (0.5, ["wave"]), (0.7, [])):
        assert call(saved, "-o", told, "--threshold", threshold).exit_code == 0
        found = json.loads(told.read_text())["segments"]
        assert [each["label"] for each in found] == labels


def test_own_actions_are_looked_for(clips: Path, tmp_path: Path) -> None:
    told = tmp_path / "a.csv"
    done = call(
        clips / "video.mp4", "-o", told, "--episode", clips / "taught", "--threshold", 0.3,
        "--tracks", 16,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    labels = {line.split(",")[0] for line in told.read_text().splitlines()[1:]}
    assert labels <= {"moving left", "falling"}


@pytest.mark.parametrize("output", ["a.txt", "nowhere/a.json"])
def test_what_cannot_be_written_is_said_before_anything_is_done(
    clips: Path, tmp_path: Path, output: str
) -> None:
    done = call(clips / "no video", "-o", tmp_path / output)
    assert done.exit_code != 0
    assert output.split("/")[0].split(".")[-1] in str(done.exception)
