from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from pointaction.cli import app
from pointaction.depth.looming_lifter import Looming
from pointaction.errors import InputError, NotInstalled
from pointaction.tracking.commands import span
from pointaction.tracking.lucas_kanade import LucasKanade
from pointaction.tracks import Tracks
from tests.pointaction.models.stores import know_downloads, small_store
from tests.videos import MakeVideo


def call(*words: str | Path | int) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_all_frames_of_a_clip_are_tracked(make_video: MakeVideo, tmp_path: Path) -> None:
    file = tmp_path / "a.tracks.npz"
    clip = make_video(frames=45, fps=10)
    done = call("track", clip, "-o", file, "--tracks", 20, "--frames", "all")
    assert done.exit_code == 0, done.output
    tracks = Tracks.load(file)
    assert tracks.xy.shape == (20, 45, 2)
    assert tracks.size == (256, 342)
    assert tracks.depth is not None
    assert "lucas-kanade 1, Apache-2.0" in done.stdout
    assert call("classify", file, "--local", "--json").exit_code == 0


def test_the_time_is_told_before_the_work(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **more: Any) -> Tracks:
        raise KeyboardInterrupt

    monkeypatch.setattr(LucasKanade, "track", fail)
    done = call("track", make_video(), "-o", tmp_path / "a.tracks.npz", "--frames", 8)
    assert "8 frames of 342 x 256, 512 points" in done.stderr
    assert "lucas-kanade: about" in done.stderr
    assert "looming: about" in done.stderr
    assert "took" not in done.stderr


def test_what_was_followed_outlasts_a_fault_in_the_depth(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **more: Any) -> Tracks:
        raise MemoryError

    monkeypatch.setattr(Looming, "lift", fail)
    file = tmp_path / "a.tracks.npz"
    assert call("track", make_video(), "-o", file, "--tracks", 5).exit_code == 1
    tracks = Tracks.load(file)
    assert len(tracks.xy) == 5
    assert tracks.depth is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "a second"), (59.4, "59 s"), (60, "1 min 0 s"), (11_413, "3 h 10 min")],
)
def test_a_time_is_said_as_people_do(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("tracker", "depth", "precision", "size", "said"),
    [
        ("cotracker3", "looming", "float32", (48, 64), "cotracker3 1, CC-BY-NC-4.0"),
        (
            "lucas-kanade",
            "video-depth-anything-small",
            "bfloat16",
            (256, 342),
            "video-depth-anything-small 1+bfloat16, Apache-2.0",
        ),
    ],
)
def test_networks_that_were_pulled_track_a_clip(
    make_video: MakeVideo,
    network_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tracker: str,
    depth: str,
    precision: str,
    size: tuple[int, int],
    said: str,
) -> None:
    monkeypatch.setattr("pointaction.depth.map_lifter.INPUT_SIZE", 28)
    file = tmp_path / "a.tracks.npz"
    done = call(
        "track", make_video(), "-o", file, "--tracks", 4, "--frames", 2, "--store", network_store,
        "--tracker", tracker, "--depth", depth, "--precision", precision,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert said in done.stdout
    tracks = Tracks.load(file)
    assert tracks.size == size
    assert tracks.depth is not None
    assert np.isfinite(tracks.depth).all()


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (("--tracker", "guess"), "lucas-kanade, cotracker3, cotracker-reference"),
        (("--depth", "guess"), "looming, video-depth-anything-small"),
        (("--frames", "many"), "--frames is a number or all"),
        (("--frames", "1"), "frames must be 2 to 1024"),
    ],
)
def test_what_cannot_be_chosen_is_said_with_what_can(
    make_video: MakeVideo, tmp_path: Path, choice: tuple[str, str], said: str
) -> None:
    done = call("track", make_video(), "-o", tmp_path / "a.tracks.npz", *choice)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)


def test_weights_that_are_missing_come_with_the_command(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    know_downloads(small_store(tmp_path))
    words = ("track", make_video(), "-o", tmp_path / "a.tracks.npz", "--store", tmp_path)
    done = call(*words, "--tracker", "cotracker3")
    assert isinstance(done.exception, NotInstalled)
    assert "pointaction models pull cotracker3 --accept-licence" in str(done.exception)
