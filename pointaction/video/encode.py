"""Frames become an mp4 that browsers play."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pointaction.errors import InputError

# Without macroblock trees: x264's (build 165, AVX-512) let what earlier encodings have left in
# memory decide about the last macroblock, so that equal frames now and then became other files.
_OPTIONS = {"crf": "20", "preset": "veryfast", "mbtree": "0"}
_TICKS_PER_S = 90_000  # finer than any frame rate, so that odd rates do not drift
_BT709 = 1  # what players assume of video without a label, and so what ours is labelled


def encode_mp4(frames: Iterable[NDArray[np.uint8]], *, fps: float, path: Path) -> None:
    """Write RGB frames (H, W, 3) as H.264 in 4:2:0, with the index in front.

    An odd side loses its last row or column, since 4:2:0 has colour for pairs of pixels only.
    Raises InputError when there are no frames or when their sizes differ.
    """
    if not fps > 0:
        raise InputError(f"fps must be positive, got {fps}")
    size: tuple[int, int] | None = None
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
        stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.options = dict(_OPTIONS)
        for number, image in enumerate(frames):
            if size is None:
                size = image.shape[0], image.shape[1]
                _prepare(stream, size)
            if image.shape[:2] != size:
                raise InputError(f"frame {number} is {image.shape[:2]}, the first was {size}")
            frame = _as_yuv(image)
            frame.pts = round(number * _TICKS_PER_S / fps)
            frame.time_base = Fraction(1, _TICKS_PER_S)
            file.mux(stream.encode(frame))
        if size is None:
            raise InputError("a video needs at least one frame")
        file.mux(stream.encode(None))


def _prepare(stream: VideoStream, size: tuple[int, int]) -> None:
    height, width = (side - side % 2 for side in size)
    if not (height and width):
        raise InputError(f"frames must be at least 2 x 2 pixels, got {size}")
    stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = int(ColorRange.MPEG)


def _as_yuv(image: NDArray[np.uint8]) -> VideoFrame:
    height, width = (side - side % 2 for side in image.shape[:2])
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
    return frame.reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
