from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pointaction.errors import InputError, LimitExceeded, UnsupportedClip
from pointaction.timelines import reading as module
from pointaction.timelines.reading import Wanted, reading
from pointaction.video.cut import LONG
from pointaction.video.decode import decode, survey
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


@pytest.mark.parametrize(
    ("name", "codec", "options", "stamped"),
    [
        ("a.mp4", "libx264", {"g": "7", "bf": "2"}, True),
        ("open.mp4", "libx264", {"g": "7", "x264-params": "open-gop=1:bframes=3"}, True),
        ("a.webm", "libvpx", {"g": "7"}, True),
        ("a.mkv", "mpeg4", {"g": "5", "bf": "1"}, True),
        ("a.avi", "mpeg4", {"g": "5"}, False),  # whose frames have to be counted
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_frames_from_the_middle_on_are_those_of_a_reading_from_the_start(
    make_video: MakeVideo, name: str, codec: str, options: dict[str, str], stamped: bool
) -> None:
    """Of 40 frames 31 are taken, so that most lie between two."""
    path = make_video(name, frames=40, codec=codec, codec_options=options)
    found = survey(path, LONG)
    source, stamps = found.source, found.stamps
    assert (source.frames, source.width, stamps is not None) == (40, 64, stamped)
    wanted = Wanted(frames=31, end_s=3.85, short_side=48)
    with reading(path, wanted) as frames:
        whole = np.stack(list(frames))
    assert len(np.unique(whole[:, 0, 0, 0])) > 25
    for since in range(0, 31, 3):
        with reading(path, replace(wanted, since=since, stamps=stamps)) as frames:
            np.testing.assert_array_equal(np.stack(list(frames)), whole[since:])


def test_a_file_without_an_index_is_read_from_the_middle_too(make_video: MakeVideo) -> None:
    """As browsers record: no cues, and no length in the header."""
    path = make_video("live.webm", frames=40, codec="libvpx", options={"live": "1"})
    wanted = Wanted(frames=40, end_s=3.9, short_side=48)
    with reading(path, wanted) as frames:
        whole = np.stack(list(frames))
    with reading(path, replace(wanted, since=33, stamps=survey(path, LONG).stamps)) as frames:
        np.testing.assert_array_equal(np.stack(list(frames)), whole[33:])


def test_packets_are_read_once(make_video: MakeVideo) -> None:
    """What the survey said is believed: with another beginning, other frames come."""
    path = make_video(frames=20)
    stamps = survey(path, LONG).stamps
    assert stamps is not None
    wanted = Wanted(frames=2, end_s=1.0, short_side=48, stamps=stamps)
    with reading(path, wanted) as frames:
        first, _ = frames
    half = replace(stamps, first_pts=stamps.first_pts + round(0.5 * 12_800))
    with reading(path, replace(wanted, stamps=half)) as frames:
        assert next(iter(frames)).mean() > first.mean()


def test_a_survey_is_held_to_the_limits(make_video: MakeVideo) -> None:
    path = make_video(frames=30)
    with pytest.raises(LimitExceeded) as refused:
        survey(path, replace(LONG, max_duration_s=2))
    assert (refused.value.kind, refused.value.limit, refused.value.value) == ("clip-too-long", 2, 3)
    with pytest.raises(LimitExceeded) as refused:
        survey(path, replace(LONG, max_file_bytes=10))
    assert refused.value.kind == "file-too-large"


def test_a_helper_that_comes_to_no_end_is_not_waited_for(
    make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_idle", [])
    monkeypatch.setattr(module, "_CHILD", ("-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(module, "_LAST_WORD_S", 0.0)
    path = make_video(frames=20)
    with reading(path, Wanted(frames=20, end_s=1.9, short_side=48)):
        pass
    monkeypatch.undo()
    with reading(path, Wanted(frames=20, end_s=1.9, short_side=48)) as frames:
        assert sum(1 for _ in frames) == 20
