import io

import pytest

from pointaction.video.boxes import movie_duration
from tests.videos import MakeVideo


def box(name: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4) + name + body


def header(scale: int, duration: int) -> bytes:
    return box(b"mvhd", bytes(12) + scale.to_bytes(4) + duration.to_bytes(4) + bytes(80))


def test_the_claimed_duration_is_found_wherever_the_index_is(make_video: MakeVideo) -> None:
    for options in ({}, {"movflags": "+faststart"}):
        with make_video(frames=15, fps=10, options=options).open("rb", buffering=0) as file:
            assert movie_duration(file) == pytest.approx(1.5)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"\xff" * 100,
        box(b"moov", b""),
        box(b"moov", header(0, 5)),
        box(b"moov", header(1000, 0)),
        box(b"moov", header(1000, (1 << 32) - 1)),
        box(b"moov", header(1000, 5000) + box(b"mvex", b"")),
        box(b"moov", header(1000, 5000))[:20],
        (1).to_bytes(4) + b"free" + (0).to_bytes(8),
    ],
)
def test_a_header_that_says_nothing_claims_nothing(content: bytes) -> None:
    assert movie_duration(io.BytesIO(content)) is None  # type: ignore[arg-type]


def test_64_bit_headers_are_read() -> None:
    body = b"\x01" + bytes(19) + (600).to_bytes(4) + (6000).to_bytes(8)
    file = io.BytesIO(box(b"ftyp", b"isom") + box(b"moov", box(b"mvhd", body)))
    assert movie_duration(file) == 10  # type: ignore[arg-type]
