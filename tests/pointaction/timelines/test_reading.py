from pathlib import Path

import numpy as np
import pytest

from pointaction.errors import InputError, UnsupportedClip
from pointaction.timelines import reading as module
from pointaction.timelines.reading import Wanted, reading
from pointaction.video.decode import decode
from tests.videos import MakeVideo


def test_frames_are_those_of_the_decoder(make_video: MakeVideo) -> None:
    """Twenty frames at 10 per second: seven of the first 1.8 s."""
    path = make_video(frames=20)
    with reading(path, Wanted(frames=7, end_s=1.8, short_side=48)) as frames:
        seen = np.stack(list(frames))
    np.testing.assert_array_equal(seen, decode(path, frames=7, short_side=48, end=1.8).frames)


def test_who_has_seen_enough_leaves_no_decoder_at_work(
    make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_idle", [])
    path = make_video(frames=40, size=(320, 240))
    wanted = Wanted(frames=40, end_s=3.9, short_side=240)  # far more than a pipe holds
    with reading(path, wanted) as frames:
        first = next(frames)
    with reading(path, wanted) as frames:
        np.testing.assert_array_equal(next(frames), first)
        assert module._idle == []  # the helper of the first is that of the second
    assert len(module._idle) == 1


def test_two_videos_can_be_read_in_turns(make_video: MakeVideo) -> None:
    wanted = Wanted(frames=20, end_s=1.9, short_side=48)
    one, other = make_video("a.mp4", frames=20), make_video("b.mp4", frames=20)
    with reading(one, wanted) as ones, reading(other, wanted) as others:
        for first, second in zip(ones, others, strict=True):
            np.testing.assert_array_equal(first, second)


def test_what_is_no_video_is_refused(tmp_path: Path, sound_only: Path) -> None:
    wanted = Wanted(frames=2, end_s=1, short_side=48)
    text = tmp_path / "a.mp4"
    text.write_text("no video")
    with pytest.raises(UnsupportedClip), reading(text, wanted) as frames:
        next(frames)
    with pytest.raises(UnsupportedClip, match="no video stream"), reading(sound_only, wanted) as it:
        next(it)


def test_a_change_of_size_is_told_where_it_comes(changing_size: Path) -> None:
    """Ten frames of one size at 10 per second, then ten of another."""
    with (
        pytest.raises(InputError, match="resolution changes"),
        reading(changing_size, Wanted(frames=20, end_s=1.9, short_side=48)) as frames,
    ):
        assert sum(1 for _ in frames) < 11
