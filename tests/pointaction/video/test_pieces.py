"""Pieces of a long file: entered near by, they are what a reading of all of it shows."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pointaction.clip import Source
from pointaction.errors import UnsupportedClip
from pointaction.video.container import sniff
from pointaction.video.decode import decode, survey
from pointaction.video.limits import DecodeLimits
from pointaction.video.reader import read_clip
from pointaction.video.stamps import Stamps, Surveyed
from tests.videos import MakeVideo

FRAMES = 80  # a key frame every 16 of them at the least, ten a second
# At the start, in the middle, across a key frame, just behind one, of one GOP, at the end.
PIECES = ((0.0, 0.71), (3.03, 3.36), (4.51, 5.12), (4.8, 5.01), (6.41, 6.48), (7.21, 99.0))
OPEN = "open-gop=1:bframes=3"
VIDEOS = [
    ("a.mp4", "libx264", {"g": "16", "bf": "2"}, {}),
    ("open.mp4", "libx264", {"g": "16", "x264-params": OPEN}, {}),
    ("hevc.mkv", "libx265", {"x265-params": f"keyint=16:{OPEN}:log-level=none"}, {}),
    ("refresh.mp4", "libx264", {"g": "16", "x264-params": "intra-refresh=1"}, {}),
    ("a.mov", "mpeg4", {"g": "16", "bf": "2"}, {}),
    ("fragments.mp4", "libx264", {"g": "16"}, {"movflags": "frag_keyframe+empty_moov"}),
    ("a.webm", "libvpx", {"g": "16"}, {}),
    ("live.webm", "libvpx", {"g": "16"}, {"live": "1"}),  # no index
    ("a.avi", "mpeg4", {"g": "16", "bf": "2"}, {}),  # no time stamps
]


class Counted(io.FileIO):
    """A file that counts the bytes that are read of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self.bytes += len(data)
        return data


@pytest.mark.parametrize(
    ("name", "codec", "coding", "options"), VIDEOS, ids=[each[0] for each in VIDEOS]
)
def test_a_piece_is_what_a_reading_of_all_shows_there(
    make_video: MakeVideo, name: str, codec: str, coding: dict[str, str], options: dict[str, str]
) -> None:
    path = make_video(name, frames=FRAMES, codec=codec, codec_options=coding, options=options)
    known = survey(path, DecodeLimits())
    assert (known.stamps is None) == (name == "a.avi")
    shades = decode(path, frames=None, short_side=48)
    levels, shown = shades.frames, shades.times
    for start, end in PIECES:
        piece = decode(path, frames=9, short_side=48, start=start, end=end, known=known)
        alone = decode(path, frames=9, short_side=48, start=start, end=end)
        np.testing.assert_array_equal(piece.times, alone.times)
        np.testing.assert_array_equal(piece.frames, alone.frames)
        assert (piece.source, piece.sha256) == (alone.source, alone.sha256)
        np.testing.assert_array_equal(piece.frames, levels[nearest(shown, piece.times)])


def nearest(shown: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which of the frames that are shown at some times is the nearest to others."""
    between = (shown[:-1] + shown[1:]) / 2
    return np.searchsorted(between, times, side="right")


def test_of_a_long_file_a_piece_reads_what_lies_around_it(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    path = make_video(frames=1000, fps=20, codec="mjpeg", size=(128, 96))
    known = survey(path, DecodeLimits())
    whole, near = (read(path, 30.0, 31.0, known=told) for told in (None, known))
    assert whole > path.stat().st_size
    assert near < path.stat().st_size / 4


def read(path: Path, start: float, end: float, *, known: Surveyed | None) -> int:
    """How many bytes of a file a piece of it costs."""
    container = sniff(path.read_bytes()[:64])
    assert container is not None
    with Counted(path) as file:
        read_clip(
            file,
            lambda t, picture: None,
            container=container,
            frames=8,
            short_side=48,
            limits=DecodeLimits(),
            start=start,
            end=end,
            known=known,
        )
        return file.bytes


def test_what_is_known_is_believed(make_video: MakeVideo) -> None:
    """Told that it begins later and is longer, a file shows later frames and says that."""
    path = make_video(frames=20)
    told = Source(duration_s=9.0, frames=90, width=64, height=48)
    with av.open(str(path)) as file:
        unit = file.streams.video[0].time_base
    assert unit is not None
    stamps = Stamps(first_pts=round(0.5 / unit), last_s=1.4)
    piece = decode(path, frames=2, start=0.2, end=0.4, known=Surveyed(source=told, stamps=stamps))
    right = decode(path, frames=2, start=0.7, end=0.9)
    np.testing.assert_array_equal(piece.frames, right.frames)
    assert piece.source == told


def test_damage_in_a_piece_is_noticed_there_and_only_there(make_video: MakeVideo) -> None:
    path = make_video(frames=FRAMES, codec_options={"g": "1"})
    known = survey(path, DecodeLimits())
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as file:
        for packet in list(file.demux(video=0))[40:60]:
            assert packet.pos is not None
            data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    for told in (None, known):
        with pytest.raises(UnsupportedClip, match="frames can be decoded"):
            decode(path, start=4.0, end=5.9, known=told)
        assert decode(path, start=1.0, end=3.0, known=told).frames.shape[0] == 32


def test_pictures_that_are_refreshed_bit_by_bit_are_whole(tmp_path: Path) -> None:
    """Without key frames but the first, decoding begun in the middle shows torn pictures at first,
    and is told by it.
    """
    path = tmp_path / "refresh.mkv"
    scenery = np.random.default_rng(0).integers(0, 255, (160, 320, 3), dtype=np.uint8)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"g": "15", "x264-params": "intra-refresh=1"}
        for number in range(90):
            view = scenery[number : number + 64, 2 * number : 2 * number + 96]
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(view))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    known = survey(path, DecodeLimits())
    whole = decode(path, frames=None, short_side=64).frames
    for first in range(1, 80):
        start = first / 25 + 0.004
        piece = decode(path, frames=9, short_side=64, start=start, end=start + 0.32, known=known)
        np.testing.assert_array_equal(piece.frames, whole[first : first + 9])
