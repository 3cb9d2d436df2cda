"""What decoding makes of good files. Bad ones are in test_bad_input."""

import hashlib
from pathlib import Path

import av
import numpy as np
import pytest

from pointaction.clip import Source
from pointaction.errors import InputError, LimitExceeded
from pointaction.video.decode import decode
from pointaction.video.encode import encode_mp4
from tests.videos import MakeVideo, shade

CLIPS = Path(__file__).parents[4] / "shared" / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not here")


def test_a_clip_has_as_many_frames_as_asked_for_and_says_what_the_file_held(
    make_video: MakeVideo,
) -> None:
    path = make_video(frames=50, fps=25, size=(64, 48))
    clip = decode(path, frames=8, short_side=32)
    assert clip.frames.shape == (8, 32, 42, 3)
    assert clip.source == Source(duration_s=2.0, frames=50, width=64, height=48)
    assert clip.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_allclose(clip.times, np.linspace(0, 49 / 25, 8))


def test_a_known_hash_is_not_computed_again(make_video: MakeVideo) -> None:
    assert decode(make_video(), sha256="known").sha256 == "known"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "mpeg4"),
        ("a.webm", "libvpx"),
        ("b.webm", "libvpx-vp9"),
        ("a.mkv", "libx265"),
        ("a.avi", "mpeg4"),
        ("b.avi", "libx264"),
        ("c.avi", "mjpeg"),
    ],
)
def test_frames_are_the_nearest_to_their_times(
    make_video: MakeVideo, name: str, codec: str
) -> None:
    clip = decode(make_video(name, frames=30, fps=10, codec=codec), frames=12, short_side=48)
    expected = [shade(round(float(t) * 10) / 10, 2.9) for t in clip.times]
    np.testing.assert_allclose(clip.frames[:, 24, 32].mean(axis=-1), expected, atol=4)


def test_a_variable_frame_rate_is_sampled_evenly_in_time(make_video: MakeVideo) -> None:
    """Half of the frames lie in the first tenth: by index they would be half of the clip."""
    times = [*np.linspace(0, 0.4, 20, endpoint=False), *np.linspace(0.4, 4.0, 21)]
    clip = decode(make_video("vfr.mkv", times=times), frames=11, short_side=48)
    np.testing.assert_allclose(clip.times, np.linspace(0, 4.0, 11), atol=1e-3)
    nearest = [min(times, key=lambda t: abs(t - target)) for target in clip.times]
    expected = [shade(float(t), 4.0) for t in nearest]
    np.testing.assert_allclose(clip.frames[:, 24, 32].mean(axis=-1), expected, atol=5)


def test_a_clip_of_few_frames_repeats_them_at_even_times(make_video: MakeVideo) -> None:
    clip = decode(make_video(frames=3, fps=10), frames=9, short_side=48)
    assert (np.diff(clip.times) > 0).all()
    np.testing.assert_allclose(np.diff(clip.times), 0.2 / 8)
    levels = clip.frames[:, 24, 32, 0].astype(int)
    assert len(set(levels)) == 3
    assert (np.diff(levels) >= 0).all()


def test_without_a_number_of_frames_there_are_as_many_as_in_the_file(
    make_video: MakeVideo,
) -> None:
    path = make_video(frames=37, fps=10)
    clip = decode(path, frames=None, short_side=48)
    np.testing.assert_allclose(clip.times, np.arange(37) / 10)
    expected = [shade(float(t), 3.6) for t in clip.times]
    np.testing.assert_allclose(clip.frames[:, 24, 32].mean(axis=-1), expected, atol=4)
    assert len(decode(path, frames=None, start=1.0, end=2.0).frames) == 11


def test_more_frames_than_tracks_files_hold_are_refused(make_video: MakeVideo) -> None:
    path = make_video(frames=1025, fps=100, size=(32, 32))
    with pytest.raises(LimitExceeded) as caught:
        decode(path, frames=None)
    assert (caught.value.limit, caught.value.value) == (1024, 1025)


@pytest.mark.parametrize(("side", "size"), [(24, (24, 32)), (96, (48, 64))])
def test_small_frames_stay_small_where_they_are_not_to_be_enlarged(
    make_video: MakeVideo, side: int, size: tuple[int, int]
) -> None:
    assert decode(make_video(), frames=2, short_side=side, enlarge=False).size == size


def test_time_starts_with_the_first_frame(make_video: MakeVideo) -> None:
    clip = decode(make_video("late.mkv", times=[5.0, 5.1, 5.2, 5.3]), frames=4)
    np.testing.assert_allclose(clip.times, [0, 0.1, 0.2, 0.3], atol=2e-3)
    assert clip.source.duration_s == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"movflags": "+faststart"},
        {"movflags": "frag_keyframe+empty_moov+default_base_moof"},  # as browsers record mp4
        {"movflags": "frag_every_frame+empty_moov"},
    ],
)
def test_other_layouts_of_mp4_are_read(make_video: MakeVideo, options: dict[str, str]) -> None:
    path = make_video(frames=40, fps=10, options=options, codec_options={"g": "10"})
    clip = decode(path, frames=8)
    assert clip.source.duration_s == pytest.approx(4.0)
    assert clip.source.frames == 40


def test_a_webm_without_a_duration_is_read(make_video: MakeVideo) -> None:
    """Browsers' recorders stream: they cannot go back and fill the duration in."""
    path = make_video("live.webm", frames=20, codec="libvpx", options={"live": "1"})
    with av.open(str(path)) as file:
        assert not file.duration
    assert decode(path, frames=8).source.duration_s == pytest.approx(2.0, abs=0.1)


def test_useless_time_stamps_give_way_to_the_nominal_rate(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    """Some writers stamp all frames with 0; the clips in shared/clips/gestures are like that."""
    path = tmp_path / "all-zero.mp4"
    with av.open(str(make_video(frames=20, fps=10))) as original, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(original.streams.video[0])
        for packet in original.demux(video=0):
            if packet.size:
                packet.pts = packet.dts = 0
                packet.stream = stream
                copy.mux(packet)
    clip = decode(path, frames=20, short_side=48)
    assert clip.source.duration_s == pytest.approx(2.0)
    assert (np.diff(clip.frames[:, 24, 32, 0].astype(int)) > 0).all()


def test_a_turned_recording_is_turned_upright(tmp_path: Path) -> None:
    """Phones store pictures as the sensor sees them, and how to turn them in the header."""
    picture = np.zeros((48, 96, 3), np.uint8)
    picture[:, :48] = 255  # white on the left
    path = tmp_path / "turned.mp4"
    encode_mp4([picture] * 4, fps=10, path=path)
    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 40
    one, none = (1 << 16).to_bytes(4), bytes(4)
    minus = (-(1 << 16)).to_bytes(4, signed=True)
    quarter_right = none + one + none + minus + none + none + (48 << 16).to_bytes(4) + none
    data[matrix : matrix + len(quarter_right)] = quarter_right
    path.write_bytes(data)
    clip = decode(path, frames=2, short_side=48)
    assert clip.size == (96, 48)
    assert (clip.source.width, clip.source.height) == (48, 96)
    assert clip.frames[0, 10].mean() > 240  # what was left is on top now
    assert clip.frames[0, -10].mean() < 15


def test_pixels_become_square(make_video: MakeVideo) -> None:
    path = make_video("wide.mkv", codec_options={"aspect": "16:9"}, size=(64, 64))
    with av.open(str(path)) as file:
        ratio = file.streams.video[0].sample_aspect_ratio
    clip = decode(path, short_side=48)
    assert clip.size[1] / clip.size[0] == pytest.approx(float(ratio or 1), rel=0.05)


def test_a_clip_as_thin_as_a_line_is_not_blown_up(make_video: MakeVideo) -> None:
    clip = decode(make_video("thin.mkv", size=(1024, 16)), short_side=256)
    assert max(clip.size) <= 8 * 256


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx"), ("a.avi", "mpeg4")]
)
def test_a_piece_is_sampled_from_its_start_to_its_end(
    make_video: MakeVideo, name: str, codec: str
) -> None:
    """With a key frame every second, so that there is something to seek; AVI cannot be sought."""
    path = make_video(name, frames=40, fps=10, codec=codec, codec_options={"g": "10"})
    clip = decode(path, frames=6, short_side=48, start=2.3, end=2.8)
    np.testing.assert_allclose(clip.times, np.linspace(2.3, 2.8, 6))
    expected = [shade(float(t), 3.9) for t in clip.times]
    np.testing.assert_allclose(clip.frames[:, 24, 32].mean(axis=-1), expected, atol=4)
    assert clip.source.frames == 40  # it tells of the file


def test_a_piece_goes_no_farther_than_the_file(make_video: MakeVideo) -> None:
    clip = decode(make_video(frames=10, fps=10), frames=4, start=0.6, end=5.0)
    np.testing.assert_allclose(clip.times, np.linspace(0.6, 0.9, 4))


@pytest.mark.parametrize(("start", "end"), [(3.0, 4.0), (0.5, 0.5), (-1.0, 0.5)])
def test_a_piece_that_is_not_there_is_refused(
    make_video: MakeVideo, start: float, end: float
) -> None:
    with pytest.raises(InputError, match=r"there is no piece .* in a clip of 1\.0 s"):
        decode(make_video(frames=10, fps=10), start=start, end=end)


def test_a_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file 'gone.mp4'") as refusal:
        decode(tmp_path / "gone.mp4")
    assert refusal.value.kind == "no-such-file"
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize("wrong", [{"frames": 1}, {"short_side": 0}, {"frames": 10**6}])
def test_absurd_requests_are_refused(make_video: MakeVideo, wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="frames must be 2 to"):
        decode(make_video(), **wrong)  # type: ignore[arg-type]


@needs_clips
@pytest.mark.clips
@pytest.mark.parametrize("path", sorted(CLIPS.glob("real/*.*")), ids=lambda path: path.name)
def test_real_clips_are_read(path: Path) -> None:
    clip = decode(path)
    assert clip.frames.shape[0] == 32
    assert min(clip.size) == 256
    assert clip.frames.std() > 10


@needs_clips
@pytest.mark.clips
def test_gestures_last_as_long_as_they_were_filmed() -> None:
    paths = sorted(CLIPS.glob("gestures/*/*.mp4"))[::9]
    durations = [decode(path, short_side=32, frames=4).source.duration_s for path in paths]
    assert min(durations) > 0.5
    assert max(durations) < 20
