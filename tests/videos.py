"""Videos made on the spot. Nothing binary is kept in the repository."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pointaction.video.sandbox import Sandbox


class MakeVideo(Protocol):
    def __call__(
        self,
        name: str = "clip.mp4",
        *,
        frames: int = 10,
        fps: float = 10,
        size: tuple[int, int] = (64, 48),
        codec: str = "libx264",
        times: Sequence[float] | None = None,
        options: dict[str, str] | None = None,
        codec_options: dict[str, str] | None = None,
    ) -> Path: ...


def grey(level: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture of `size` (width, height) in one shade of grey."""
    return np.full((size[1], size[0], 3), round(level), np.uint8)


def shade(time: float, duration: float) -> float:
    """The grey level that stands for a time, so that a decoded frame tells when it was shown."""
    return 16 + 200 * time / max(duration, 1e-9)


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Writes a clip that brightens with time."""

    def make(
        name: str = "clip.mp4",
        *,
        frames: int = 10,
        fps: float = 10,
        size: tuple[int, int] = (64, 48),
        codec: str = "libx264",
        times: Sequence[float] | None = None,
        options: dict[str, str] | None = None,
        codec_options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        shown = list(times) if times is not None else [i / fps for i in range(frames)]
        unit = Fraction(1, 12_800) if times is not None else Fraction(1) / Fraction(fps)
        with av.open(str(path), "w", options=options or {}) as file:
            stream = file.add_stream(codec, rate=Fraction(fps).limit_denominator(1000))
            assert isinstance(stream, VideoStream)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.codec_context.time_base = unit
            stream.bit_rate = 4_000_000  # plenty: grey levels have to come back as they were
            stream.options = {**(codec_options or {})}
            for time in shown:
                frame = VideoFrame.from_ndarray(grey(shade(time, shown[-1]), size))
                frame.pts, frame.time_base = round(time / unit), unit
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def sound_only(tmp_path: Path) -> Path:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=16_000, layout="mono")
        for number in range(20):
            frame = AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 16_000, number * 1024
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


@pytest.fixture
def changing_size(tmp_path: Path) -> Path:
    """An AVI whose second half comes from an encoder for another size."""
    path = tmp_path / "changing.avi"
    with av.open(str(path), "w") as file:
        stream: VideoStream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            frame = VideoFrame.from_ndarray(grey(60, (64, 48)))
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        for number, packet in enumerate(mpeg4_packets((96, 80)), start=10):
            packet.stream, packet.time_base = stream, Fraction(1, 10)
            packet.pts = packet.dts = number
            file.mux(packet)
    return path


def mpeg4_packets(size: tuple[int, int]) -> "list[Packet[VideoStream]]":
    encoder = av.CodecContext.create("mpeg4", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.time_base = Fraction(1, 10)
    packets = []
    for number in range(10):
        frame = VideoFrame.from_ndarray(grey(60, size))
        frame.pts = number
        packets += encoder.encode(frame)
    return packets + encoder.encode(None)


def forge_durations(path: Path, seconds: float, *, boxes: Sequence[bytes]) -> Path:
    """Overwrite the durations in the headers of an mp4 (version 0 boxes, as FFmpeg writes them)."""
    data = bytearray(path.read_bytes())
    movie_scale = int.from_bytes(data[(at := data.find(b"mvhd") + 4) + 12 : at + 16])
    for box in boxes:
        body = data.find(box) + 4
        scale = movie_scale
        if box == b"mdhd":
            scale = int.from_bytes(data[body + 12 : body + 16])
        place = {b"mvhd": 16, b"mdhd": 16, b"tkhd": 20, b"elst": 8}[box]
        data[body + place : body + place + 4] = round(seconds * scale).to_bytes(4)
    path.write_bytes(data)
    return path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One of its own, for tests that look at the process or destroy it."""
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()
