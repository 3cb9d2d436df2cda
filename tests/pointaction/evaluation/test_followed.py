from pathlib import Path

import numpy as np
import pytest

from pointaction.errors import InputError
from pointaction.evaluation.followed import follow_file, follow_folder
from tests.pointaction.evaluation.sliding import write_slide


def nothing(done: int, total: int) -> None:
    pass


def test_a_folder_per_label_is_followed_in_order(tmp_path: Path) -> None:
    for label, way in (("right", 2), ("left", -2)):
        write_slide(tmp_path / label / "1.mp4", right=way, seed=way + 5)
    (tmp_path / "left" / "notes.txt").write_text("no clip")
    told: list[tuple[int, int]] = []
    followed = follow_folder(
        tmp_path, tracks=32, cache=None, progress=lambda done, total: told.append((done, total))
    )
    assert [(clip.label, clip.path.name) for clip in followed] == [
        ("left", "1.mp4"),
        ("right", "1.mp4"),
    ]
    assert [clip.tracks.xy.shape for clip in followed] == [(32, 32, 2)] * 2
    assert all(clip.tracks.depth is not None for clip in followed)
    assert told == [(1, 2), (2, 2)]


def test_the_cache_gives_the_same_tracks_without_the_clip_being_followed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, cache = write_slide(tmp_path / "a.mp4", right=2, seed=1), tmp_path / "cache"
    plain = follow_file(clip, tracks=32, cache=None)
    first = follow_file(clip, tracks=32, cache=cache)
    monkeypatch.delattr("pointaction.evaluation.followed.track_clip")
    again = follow_file(clip, tracks=32, cache=cache)
    assert plain.to_bytes() == first.to_bytes() == again.to_bytes()


def test_another_number_of_tracks_or_another_clip_is_followed_anew(tmp_path: Path) -> None:
    clip, cache = write_slide(tmp_path / "a.mp4", right=2, seed=1), tmp_path / "cache"
    follow_file(clip, tracks=32, cache=cache)
    assert len(follow_file(clip, tracks=16, cache=cache).xy) == 16
    write_slide(clip, right=-2, seed=1)  # the same name, other bytes
    other = follow_file(clip, tracks=32, cache=cache)
    assert np.median(other.xy[:, -1, 0] - other.xy[:, 0, 0]) < 0
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("layout", ["empty", "no labels", "one label"])
def test_a_folder_laid_out_otherwise_is_refused(tmp_path: Path, layout: str) -> None:
    if layout != "empty":
        place = tmp_path / "left" if layout == "one label" else tmp_path
        place.mkdir(exist_ok=True)
        (place / "1.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="one per label"):
        follow_folder(tmp_path, tracks=8, cache=None, progress=nothing)
