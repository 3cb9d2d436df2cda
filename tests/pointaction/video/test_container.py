import subprocess
import sys

import pytest

from pointaction.video.container import DEMUXERS, NAMES, sniff
from tests.videos import MakeVideo


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "libx264"),
        ("a.webm", "libvpx"),
        ("a.mkv", "libx264"),
        ("a.avi", "mpeg4"),
    ],
)
def test_each_container_is_known_by_its_first_bytes(
    make_video: MakeVideo, name: str, codec: str
) -> None:
    head = make_video(name, frames=2, codec=codec).read_bytes()[:64]
    assert sniff(head) == name.partition(".")[2]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x00\x00\x00",
        b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"this is a text about moov and ftyp, named clip.mp4, which is not one",
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"\x89PNG\r\n\x1a\n" + bytes(56),
        b"\xff\xd8\xff\xe0" + bytes(60),
        b"\x00\x00\x00\x18ftypavif" + bytes(52),
        b"<?xml version='1.0'?><MPD></MPD>",
        b"PK\x03\x04" + bytes(60),
    ],
)
def test_what_is_no_video_is_not_taken_for_one(head: bytes) -> None:
    assert sniff(head) is None


def test_a_quicktime_file_may_begin_without_its_type() -> None:
    assert sniff(b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat" + bytes(48)) == "mov"


def test_every_name_has_its_demuxer() -> None:
    assert set(NAMES) == set(DEMUXERS)


def test_sniffing_loads_no_decoder() -> None:
    program = (
        "import sys, pointaction.video.container; print(*({'av', 'numpy', 'cv2'} & {*sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert loaded.stdout.strip() == b""
