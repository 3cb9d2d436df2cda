import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pointaction.errors import InputError
from pointaction.evaluation.commands import evaluation
from pointaction.evaluation.metrics import Accuracy
from pointaction.evaluation.reversal import (
    VIEWS,
    Answers,
    answer_views,
    backwards,
    clip_by_clip,
    clips_in,
    mirror,
    mirror_tracks,
    reverse_tracks,
    tally,
    within,
)
from pointaction.models.catalog import DEFAULT_STORE
from pointaction.pipeline import Recogniser, track_clip
from pointaction.tracks import Tracks
from pointaction.video.decode import decode
from tests.pointaction.evaluation.sliding import write_slide

CLIPS = Path(__file__).parents[4] / "shared" / "clips"
OPPOSITE = {"left": "right", "right": "left", "wave": "wave"}


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("slide") / "right.mp4", right=3, seed=0)


@pytest.fixture(scope="module")
def tracks(slide: Path) -> Tracks:
    return track_clip(decode(slide), tracks=64)


def to_the_right(tracks: Tracks) -> float:
    """Pixels per frame that most tracks go to the right, where they are seen."""
    seen = tracks.visible[:, 1:] & tracks.visible[:, :-1]
    return float(np.mean(np.diff(tracks.xy[..., 0], axis=1)[seen]))


@pytest.mark.parametrize("turn", [reverse_tracks, mirror_tracks])
def test_tracks_turned_twice_are_the_same_tracks(turn: type, tracks: Tracks) -> None:
    twice = turn(turn(tracks))
    for name in ("xy", "visible", "confidence", "depth", "query", "times"):
        np.testing.assert_allclose(getattr(twice, name), getattr(tracks, name), atol=1e-4)


@pytest.mark.parametrize("turn", [reverse_tracks, mirror_tracks])
def test_turned_tracks_still_start_where_they_are_asked(turn: type, tracks: Tracks) -> None:
    turned = turn(tracks)
    for one in (tracks, turned):
        frame = one.query[:, 0].round().astype(int)
        start = one.xy[np.arange(len(one.xy)), frame]
        np.testing.assert_allclose(start, one.query[:, 1:], atol=1 / 32)


def test_a_slide_to_the_right_goes_left_in_every_view(slide: Path, tracks: Tracks) -> None:
    clip = decode(slide)
    speed = to_the_right(tracks)
    assert speed > 1
    for view in (backwards, mirror):
        assert to_the_right(track_clip(view(clip), tracks=64)) == pytest.approx(-speed, rel=0.1)
    for turn in (reverse_tracks, mirror_tracks):
        assert to_the_right(turn(tracks)) == pytest.approx(-speed, rel=0.01)


def test_a_clip_backwards_begins_with_its_last_frame(slide: Path) -> None:
    clip = decode(slide)
    turned = backwards(clip)
    np.testing.assert_array_equal(turned.frames[0], clip.frames[-1])
    np.testing.assert_allclose(backwards(turned).times, clip.times)
    assert turned.sha256 != clip.sha256
    np.testing.assert_array_equal(mirror(clip).frames[:, :, 0], clip.frames[:, :, -1])


def answers(plain: str, said: str) -> Answers:
    return Answers(path=Path("some/clip.mp4"), plain=plain, views=dict.fromkeys(VIEWS, said))


def test_only_labels_with_a_name_in_the_view_are_asked() -> None:
    found = [
        answers("left", "right"),
        answers("right", "right"),
        answers("wave", "wave"),
        answers("fall", "left"),
    ]
    table = tally(found, reversed_name=OPPOSITE.get, mirrored=lambda label: None)
    once = (Accuracy(right=1, total=2), Accuracy(right=1, total=1))
    assert table.rows["backwards, frames"] == table.rows["backwards, tracks"] == once
    assert table.rows["mirrored, frames"] == (None, None)
    assert clip_by_clip(found[:1]).rows == {
        "some/clip.mp4": ("left", "right", "right", "right", "right")
    }


def test_labels_that_are_in_no_vocabulary_are_asked_nothing() -> None:
    naming = within(OPPOSITE, OPPOSITE.__getitem__)
    assert naming("left") == "right"
    assert naming("a label of one's own") is None


def test_clips_are_found_in_folders(slide: Path, tmp_path: Path) -> None:
    assert clips_in([slide.parent, slide]) == [slide, slide]
    with pytest.raises(InputError, match="no clips in"):
        clips_in([tmp_path])


def test_the_command_tells_how_many_turned(slide: Path, tmp_path: Path) -> None:
    words = ["reversal", str(slide), "--tracks", "256", "--report", str(tmp_path)]
    done = CliRunner().invoke(evaluation, words)
    assert done.exit_code == 0, done.output
    (figures,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    counts, each = figures["tables"].values()
    (said,) = each.values()
    assert list(said) == ["as it is", *map(str, VIEWS)]
    assert set(counts) == set(map(str, VIEWS))


@pytest.mark.clips
@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not here")
def test_a_real_clip_is_answered_in_every_view() -> None:
    recogniser = Recogniser.load(DEFAULT_STORE, "traction-tiny")
    path = CLIPS / "gestures" / "left" / "left_1.mp4"
    (found,) = answer_views(recogniser, [path], tracks=128, progress=lambda done, total: None)
    assert {found.plain, *found.views.values()} <= set(recogniser.entry.labels)
