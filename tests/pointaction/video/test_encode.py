from pathlib import Path

import av
import numpy as np
import pytest

from pointaction.errors import InputError
from pointaction.video.encode import encode_mp4


def test_browsers_can_play_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    encode_mp4([np.zeros((49, 65, 3), np.uint8)] * 12, fps=7.5, path=path)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (64, 48)
        assert float(stream.average_rate or 0) == pytest.approx(7.5)
        assert stream.codec_context.colorspace == 1  # BT.709, which players assume anyway
        assert sum(1 for _ in file.decode(video=0)) == 12
    data = path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")  # plays before it has arrived


def test_colours_come_back(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    bars = np.zeros((64, 96, 3), np.uint8)
    bars[:, :32], bars[:, 32:64], bars[:, 64:] = (250, 20, 20), (20, 250, 20), (20, 20, 250)
    encode_mp4([bars] * 3, fps=10, path=path)
    with av.open(str(path)) as file:
        picture = next(file.decode(video=0)).to_ndarray(format="rgb24")
    for x in (16, 48, 80):
        np.testing.assert_allclose(picture[32, x].astype(int), bars[32, x].astype(int), atol=10)


def test_macroblock_trees_are_off(tmp_path: Path) -> None:
    """They make other files of equal frames once in some fifty, too seldom to wait for here."""
    path = tmp_path / "out.mp4"
    encode_mp4([np.zeros((64, 36, 3), np.uint8)] * 3, fps=10, path=path)
    assert b" mbtree=0 " in path.read_bytes()  # x264 writes its settings into the stream


@pytest.mark.parametrize(
    ("frames", "fps", "what"),
    [
        ([], 10, "at least one frame"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((10, 8, 3), np.uint8)], 10, "frame 1 is"),
        ([np.zeros((1, 8, 3), np.uint8)], 10, "at least 2 x 2"),
        ([np.zeros((8, 8, 3), np.uint8)], 0, "fps must be positive"),
    ],
)
def test_what_cannot_be_a_video_is_refused(
    tmp_path: Path, frames: list[np.ndarray], fps: float, what: str
) -> None:
    with pytest.raises(InputError, match=what):
        encode_mp4(frames, fps=fps, path=tmp_path / "out.mp4")
