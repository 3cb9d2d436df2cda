import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import sleep

import numpy as np
import pytest

from pointaction.errors import InputError
from pointaction.synthetic.sample import write_sample
from pointaction.timelines.plan import Plan
from pointaction.timelines.scorer import Scores
from pointaction.timelines.viewer import Viewer
from pointaction.tracks import Tracks


class Remembering:
    """Scores a window by its number."""

    labels = ("wave",)
    frames = 8

    def __init__(self) -> None:
        self.seen: list[Tracks] = []

    def score(self, windows: Sequence[Tracks]) -> Scores:
        first = len(self.seen)
        self.seen += windows
        numbers = np.arange(first, len(self.seen), dtype=np.float32)
        return Scores(numbers[:, None], None)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, ten frames each."""
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    write_sample("moving left", path, seed=0, side=96, seconds=4, frames=40)
    return path


def viewer(scorer: Remembering) -> Viewer:
    return Viewer(scorer=scorer, tracks=20, short_side=64)


def test_every_window_is_looked_at_once_and_in_order(video: Path) -> None:
    scorer, told = Remembering(), []
    looking = viewer(scorer)
    plan = looking.plan(video, window_s=0.7, step_s=0.3)
    parts = list(looking.view(plan, count=lambda done, total: told.append((done, total))))
    assert plan.windows.count == 11  # from 0, 0.3, ..., 3 s; the last frame is at 3.9 s
    assert [part.shares[0, 0] for part in parts] == [0, 4, 8]
    assert told == [(4, 11), (8, 11), (11, 11)]
    starts = [window.times[0] for window in scorer.seen]
    np.testing.assert_allclose(starts, np.arange(11) * 0.3)
    assert {window.xy.shape for window in scorer.seen} == {(20, 8, 2)}


def test_windows_of_a_piece_share_their_tracks(video: Path) -> None:
    """Frame 3 of the first window is frame 0 of the second: the same points lie in it."""
    scorer = Remembering()
    looking = viewer(scorer)
    with closing(looking.view(looking.plan(video, window_s=0.7, step_s=0.3))) as parts:
        next(parts)
    first, second = scorer.seen[:2]
    there = {tuple(place) for place in second.xy[second.visible[:, 0], 0].tolist()}
    shown = {tuple(place) for place in first.xy[first.visible[:, 3], 3].tolist()}
    assert there
    assert there <= shown


def test_who_counts_may_stop_it(video: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise Stop

    scorer = Remembering()
    looking = viewer(scorer)
    plan = looking.plan(video, window_s=0.7, step_s=0.3)
    parts = looking.view(plan, count=stop)
    assert len(next(parts).shares) == 4  # what is known is told first
    with pytest.raises(Stop):
        next(parts)
    assert len(scorer.seen) == 4


def test_a_video_shorter_than_a_window_is_one_window(video: Path) -> None:
    scorer = Remembering()
    looking = viewer(scorer)
    plan = looking.plan(video, window_s=60)
    assert len(list(looking.view(plan))) == 1
    assert scorer.seen[0].duration_s == pytest.approx(3.9)
    assert looking.expected_seconds(plan) > 0


def test_what_takes_longer_is_expected_to(video: Path) -> None:
    class Slow(Remembering):
        def score(self, windows: Sequence[Tracks]) -> Scores:
            sleep(0.2)
            return super().score(windows)

    looking = viewer(Slow())
    plan = looking.plan(video, window_s=0.7, step_s=0.3)
    assert looking.expected_seconds(plan) >= 3 * 0.2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file 'a\.mp4'"):
        viewer(Remembering()).plan(tmp_path / "a.mp4")


def test_who_goes_on_later_sees_the_same(video: Path) -> None:
    scorer, later = Remembering(), Remembering()
    plan = viewer(scorer).plan(video, window_s=0.7, step_s=0.3)
    list(viewer(scorer).view(plan))
    told: list[int] = []
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())), path=video)
    assert again == plan
    list(viewer(later).view(again, since=4, count=lambda done, _: told.append(done)))
    assert told == [8, 11]
    for one, other in zip(later.seen, scorer.seen[4:], strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_array_equal(one.visible, other.visible)
    assert list(viewer(later).view(again, since=11)) == []
