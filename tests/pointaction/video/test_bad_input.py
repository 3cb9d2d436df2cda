"""Files that must be refused, each for its own reason, with the limit and the value."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from pointaction.errors import InputError, LimitExceeded, UnsupportedClip
from pointaction.video.decode import DecodeLimits, decode
from pointaction.video.reader import read_clip
from tests.pointaction.video.playlist_avi import avi_with_playlist
from tests.videos import MakeVideo, forge_durations

PLAYLIST = b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
ALL_HEADERS = (b"mvhd", b"mdhd", b"tkhd", b"elst")


@contextmanager
def refused(
    kind: str, error: type[InputError] = InputError, *, match: str | None = None
) -> Iterator[pytest.ExceptionInfo[InputError]]:
    started = time.monotonic()
    with pytest.raises(error, match=match) as refusal:
        yield refusal
    assert refusal.value.kind == kind, refusal.value
    assert time.monotonic() - started < 5


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    with refused("empty-file"):
        decode(path)


@pytest.mark.parametrize("content", [b"once upon a time " * 100, PLAYLIST, bytes(5000)])
def test_text_and_playlists_named_mp4(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.mp4"
    path.write_bytes(content)
    with refused("unsupported-clip", UnsupportedClip, match="mp4, mov, webm, mkv, avi"):
        decode(path)


def test_a_playlist_behind_the_first_bytes_of_an_avi(tmp_path: Path) -> None:
    path = tmp_path / "playlist.avi"
    path.write_bytes(b"RIFF\x00\x10\x00\x00AVI " + PLAYLIST)
    with refused("undecodable", UnsupportedClip):
        decode(path)


def test_a_playlist_hidden_in_an_avi_is_not_followed(make_video: MakeVideo, tmp_path: Path) -> None:
    """The way servers were once made to read out files: FFmpeg looks into the subtitles of an AVI,
    takes them for a playlist and opens what it lists. In the sandbox nothing could be opened; that
    nothing is even tried is seen by decoding in this process, which could.
    """
    path = tmp_path / "hidden.avi"
    plain = make_video("plain.avi", codec="mjpeg", frames=6)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        path.write_bytes(
            avi_with_playlist(plain, f"http://127.0.0.1:{listener.getsockname()[1]}/bait")
        )
        with path.open("rb", buffering=0) as file:
            reading = read_clip(
                file,
                lambda t, picture: None,
                container="avi",
                frames=4,
                short_side=48,
                limits=DecodeLimits(),
            )
        with pytest.raises(TimeoutError):
            listener.accept()
    assert reading.source.frames == 6  # its pictures are those of an AVI, and are read
    path.write_bytes(avi_with_playlist(plain, "file:///etc/passwd"))
    assert decode(path, frames=4).source.frames == 6


def test_an_mp4_cut_off_before_its_index(make_video: MakeVideo) -> None:
    path = make_video(frames=60, fps=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with refused("undecodable", UnsupportedClip, match="cut off before its index"):
        decode(path)


@pytest.mark.parametrize(
    ("name", "codec"), [("clip.mp4", "libx264"), ("clip.avi", "mjpeg"), ("clip.mkv", "mjpeg")]
)
def test_a_file_cut_off_behind_its_header(make_video: MakeVideo, name: str, codec: str) -> None:
    path = make_video(name, frames=60, fps=10, codec=codec, options={"movflags": "+faststart"})
    header = 0 if codec == "mjpeg" else path.read_bytes().find(b"mdat")
    path.write_bytes(path.read_bytes()[: header + (path.stat().st_size - header) // 2])
    with refused("truncated-clip") as refusal:
        decode(path)
    assert refusal.value.limit == pytest.approx(6.0, abs=0.2)
    assert 1 < refusal.value.value < 5


def test_sound_only(sound_only: Path) -> None:
    with refused("no-video-stream", UnsupportedClip):
        decode(sound_only)


def test_one_frame(make_video: MakeVideo) -> None:
    with refused("too-few-frames", match="has 1 frame; motion needs at least 2") as refusal:
        decode(make_video(frames=1))
    assert (refusal.value.limit, refusal.value.value) == (2, 1)


def test_8k(make_video: MakeVideo) -> None:
    path = make_video("8k.mp4", frames=2, size=(7680, 4320), codec_options={"preset": "ultrafast"})
    with refused("frame-too-large", LimitExceeded) as refusal:
        decode(path)
    assert (refusal.value.limit, refusal.value.value) == (4096, 7680)


def test_ten_hours(make_video: MakeVideo) -> None:
    path = make_video("long.mkv", times=[3600.0 * hour for hour in range(11)])
    with refused("clip-too-long", LimitExceeded, match="Cut out the action") as refusal:
        decode(path)
    assert refusal.value.limit == 60
    assert refusal.value.value >= 36_000


def test_a_header_that_says_ten_hours(make_video: MakeVideo) -> None:
    with refused("clip-too-long", LimitExceeded):
        decode(forge_durations(make_video(), 36_000, boxes=ALL_HEADERS))


def test_a_long_clip_that_does_not_say_so(make_video: MakeVideo) -> None:
    path = make_video("live.webm", frames=70, fps=1, codec="libvpx", options={"live": "1"})
    with refused("clip-too-long", LimitExceeded):
        decode(path)


def test_1000_frames_per_second(make_video: MakeVideo) -> None:
    with refused("frame-rate-too-high", LimitExceeded) as refusal:
        decode(make_video(frames=500, fps=1000))
    assert (refusal.value.limit, refusal.value.value) == (480, pytest.approx(1000))


def test_more_packets_than_any_clip_may_have(make_video: MakeVideo) -> None:
    limits = DecodeLimits(max_duration_s=2, max_fps=20)
    with refused("frame-rate-too-high", LimitExceeded):
        decode(make_video("fast.mkv", frames=300, fps=200), limits=limits)


def test_a_header_that_promises_more_than_there_is(make_video: MakeVideo) -> None:
    path = forge_durations(make_video(), 50, boxes=ALL_HEADERS)
    with refused("truncated-clip") as refusal:
        decode(path)
    assert (refusal.value.limit, refusal.value.value) == (
        pytest.approx(50, abs=0.1),
        pytest.approx(1.0, abs=0.1),
    )


def test_a_header_that_admits_less_than_there_is(make_video: MakeVideo) -> None:
    path = make_video(frames=50, fps=10, options={"use_editlist": "0"}, codec_options={"bf": "0"})
    forge_durations(path, 0.5, boxes=(b"mvhd", b"mdhd", b"tkhd"))
    with refused("forged-duration") as refusal:
        decode(path)
    assert (refusal.value.limit, refusal.value.value) == (0.5, 5.0)


def test_the_resolution_changes(changing_size: Path) -> None:
    with refused("resolution-changed") as refusal:
        decode(changing_size)
    assert (refusal.value.limit, refusal.value.value) == ([64, 48], [96, 80])


def test_pictures_of_noise(make_video: MakeVideo) -> None:
    path = make_video(frames=30)
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat") + 4
    end = data.find(b"moov") - 4
    data[start:end] = bytes(i * 37 % 251 for i in range(end - start))
    path.write_bytes(data)
    with refused("undecodable", UnsupportedClip):
        decode(path)


def test_a_codec_that_is_not_read(make_video: MakeVideo) -> None:
    path = make_video("old.avi", codec="asv1", size=(64, 48))
    with refused("unsupported-codec", UnsupportedClip, match="asv1") as refusal:
        decode(path)
    assert refusal.value.value == "asv1"


def test_the_cover_of_an_album_is_no_video(sound_only: Path, tmp_path: Path) -> None:
    path = tmp_path / "album.mp4"
    with av.open(str(sound_only)) as sound, av.open(str(path), "w") as album:
        tune = album.add_stream_from_template(sound.streams.audio[0])
        cover = album.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        album.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
        album.mux(cover.encode(None))
        for packet in sound.demux(audio=0):
            if packet.size:
                packet.stream = tune
                album.mux(packet)
    with refused("no-video-stream", UnsupportedClip):
        decode(path)


def test_a_file_larger_than_any_clip(make_video: MakeVideo) -> None:
    with refused("file-too-large", LimitExceeded):
        decode(make_video(), limits=DecodeLimits(max_file_bytes=100))
