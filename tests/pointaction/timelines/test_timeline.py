import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pointaction.errors import InputError
from pointaction.timelines.scorer import Scores
from pointaction.timelines.segments import Rule
from pointaction.timelines.timeline import Timeline
from pointaction.timelines.windows import Windows

WINDOWS = Windows(frames=4, step=1, every_s=1.0, count=3)  # 0-3, 1-4 and 2-5 s of a video of 6 s
SHARP = Rule(threshold=0.5, lasting=1, smooth=1, gap_s=0, least_s=0)


def known(*waves: float) -> Scores:
    shares = np.array([[wave, 1 - wave] for wave in waves], np.float32)
    return Scores(shares, np.zeros(len(waves), bool))


def made(*parts: Scores) -> Timeline:
    return Timeline.of(parts, ["wave", "clap"], WINDOWS, duration_s=6.0, made={"video": "a.mp4"})


def test_windows_speak_for_a_step_about_their_middle_and_together_for_all() -> None:
    whole = made(known(0.9, 0.1), known(0.9))
    assert whole.starts.tolist() == [0, 1, 2]
    assert whole.edges.tolist() == [0, 2, 3, 6]


def test_what_is_not_known_yet_is_not_spoken_for() -> None:
    assert made(known(0.9, 0.1)).edges.tolist() == [0, 2, 3]
    assert made().segments() == []


def test_another_threshold_is_another_reading_of_the_same_scores() -> None:
    whole = made(known(0.9, 0.2, 0.6))
    spans = [(each.label, each.start, each.end) for each in whole.segments(SHARP)]
    assert spans == [("wave", 0, 2), ("clap", 2, 3), ("wave", 3, 6)]
    surer = whole.segments(replace(SHARP, threshold=0.85))
    assert [(each.label, each.start, each.end) for each in surer] == [("wave", 0, 2)]


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_file_holds_all_of_it(tmp_path: Path, calibrated: bool) -> None:
    whole = made(known(0.9, 0.2, 0.6))
    if not calibrated:
        whole = replace(whole, none_of_these=None)
    whole.save(tmp_path / "a.timeline")
    again = Timeline.load(tmp_path / "a.timeline")
    np.testing.assert_array_equal(again.scores, whole.scores)
    assert again.segments() == whole.segments()
    assert again.made == {"video": "a.mp4"}
    assert (again.none_of_these is not None) == calibrated
    assert again.labels == ("wave", "clap")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"something else"])
def test_what_is_no_timeline_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="not a timeline"):
        Timeline.load(io.BytesIO(content))


def test_scores_of_other_labels_are_refused() -> None:
    with pytest.raises(InputError, match="3 windows and 1 labels"):
        replace(made(known(0.9, 0.2, 0.6)), labels=("wave",))


def test_parts_that_follow_each_other_make_the_whole() -> None:
    whole = made(known(0.9, 0.2, 0.6))
    rest = Timeline.of([known(0.2, 0.6)], ["wave", "clap"], WINDOWS, duration_s=6.0, since=1)
    assert rest.starts.tolist() == [1, 2]
    joined = Timeline.joined([whole.first(1), rest])
    np.testing.assert_array_equal(joined.scores, whole.scores)
    assert joined.starts.tolist() == [0, 1, 2]
    assert joined.segments(SHARP) == whole.segments(SHARP)
    assert joined.none_of_these is not None
    assert (
        Timeline.joined([whole.first(1), replace(rest, none_of_these=None)]).none_of_these is None
    )


def test_a_rounded_file_is_right_to_a_thousandth_and_smaller() -> None:
    rng = np.random.default_rng(0)
    shares = rng.random((3, 2000), np.float32)
    labels = [str(number) for number in range(2000)]
    whole = Timeline.of([Scores(shares, None)], labels, WINDOWS, duration_s=6.0)
    exact, rounded = io.BytesIO(), io.BytesIO()
    whole.save(exact)
    whole.save(rounded, rounded=True)
    assert len(rounded.getvalue()) < 0.7 * len(exact.getvalue())
    rounded.seek(0)
    again = Timeline.load(rounded)
    assert again.scores.dtype == np.float32
    np.testing.assert_allclose(again.scores, shares, atol=0.0005)


def test_of_nothing_there_is_nothing_to_say() -> None:
    assert Timeline.unknown().segments() == []
