"""Every bad upload, sent to the real service: its own problem, soon, and the worker lives on."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.demo import BUNDLED
from tests.conftest import Stack
from tests.pointaction.test_tracks import billion_tracks, make_tracks, rewritten
from tests.pointaction.video.test_bad_input import PLAYLIST
from tests.videos import MakeVideo, forge_durations

Refusal = tuple[int, str]


@pytest.fixture
def videos(
    make_video: MakeVideo, sound_only: Path, changing_size: Path
) -> dict[str, Callable[[], bytes]]:
    """By name, how each is made."""

    def cut(path: Path, share: float) -> bytes:
        data = path.read_bytes()
        return data[: int(len(data) * share)]

    def forged(seconds: float, *boxes: bytes) -> bytes:
        path = make_video(frames=50, options={"use_editlist": "0"}, codec_options={"bf": "0"})
        return forge_durations(path, seconds, boxes=boxes).read_bytes()

    front = {"movflags": "faststart"}
    return {
        "empty": lambda: b"",
        "text named .mp4": lambda: b"once upon a time " * 100,
        "playlist": lambda: PLAYLIST,
        "playlist in an avi": lambda: b"RIFF\x00\x10\x00\x00AVI " + PLAYLIST,
        "cut before its index": lambda: cut(make_video(frames=30), 0.6),
        "cut behind its header": lambda: cut(make_video(frames=60, options=front), 0.5),
        "audio only": sound_only.read_bytes,
        "one frame": lambda: make_video(frames=1).read_bytes(),
        "8K": lambda: make_video(frames=2, size=(7680, 4320), codec="mpeg4").read_bytes(),
        "ten hours": lambda: make_video(times=[0, 1, 36_000]).read_bytes(),
        "1000 frames a second": lambda: make_video(frames=100, fps=1000).read_bytes(),
        "forged: more than there is": lambda: forged(50, b"mvhd", b"mdhd", b"tkhd"),
        "forged: less than there is": lambda: forged(0.5, b"mvhd", b"mdhd", b"tkhd"),
        "size changes": changing_size.read_bytes,
    }


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("empty", (422, "empty-file")),
        ("text named .mp4", (415, "unsupported-clip")),
        ("playlist", (415, "unsupported-clip")),
        ("playlist in an avi", (415, "undecodable")),
        ("cut before its index", (415, "undecodable")),
        ("cut behind its header", (422, "truncated-clip")),
        ("audio only", (415, "no-video-stream")),
        ("one frame", (422, "too-few-frames")),
        ("8K", (422, "frame-too-large")),
        ("ten hours", (422, "clip-too-long")),
        ("1000 frames a second", (422, "frame-rate-too-high")),
        ("forged: more than there is", (422, "truncated-clip")),
        ("forged: less than there is", (422, "forged-duration")),
        ("size changes", (422, "resolution-changed")),
    ],
)
def test_a_bad_clip_has_a_problem_of_its_own(
    stack: Stack, videos: dict[str, Callable[[], bytes]], name: str, refusal: Refusal
) -> None:
    expect(stack.client, refusal, clip=videos[name]())


@pytest.mark.parametrize(
    ("name", "data", "refusal"),
    [
        (
            "NaN",
            rewritten(make_tracks(), xy=np.full((3, 4, 2), np.nan, np.float32)).getvalue(),
            (422, "tracks-not-finite"),
        ),
        (
            "wrong shapes",
            rewritten(make_tracks(), visible=np.ones((3, 9), bool)).getvalue(),
            (422, "invalid-tracks"),
        ),
        ("a billion", billion_tracks().getvalue(), (422, "too-many-tracks")),
        ("a pickle", b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00.", (415, "unsupported-tracks")),
    ],
)
def test_bad_tracks_have_a_problem_of_their_own(
    stack: Stack, name: str, data: bytes, refusal: Refusal
) -> None:
    expect(stack.client, refusal, tracks=data)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"model": "no-such-model"}, (422, "unknown-model")),
        ({"top_k": "0"}, (422, "invalid-field")),
        ({"top_k": "many"}, (422, "invalid-field")),
    ],
)
def test_bad_options_are_named(stack: Stack, fields: dict[str, str], refusal: Refusal) -> None:
    expect(stack.client, refusal, fields=fields, clip=BUNDLED.read_bytes())


def test_a_body_that_is_too_large_is_refused_with_and_without_its_length(stack: Stack) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    start = b'--x\r\nContent-Disposition: form-data; name="clip"; filename="a.mp4"\r\n\r\n'

    def oversize() -> Iterator[bytes]:
        yield start + BUNDLED.read_bytes()
        for _ in range(201):
            yield bytes(1 << 20)

    stated = stack.client.post("/classify", headers=form, content=bytes(201 << 20))
    counted = stack.client.post("/classify", headers=form, content=oversize())
    for answer in (stated, counted):
        assert (answer.status_code, kind(answer)) == (413, "body-too-large")
        assert answer.json()["limit"] == 200 * 1024 * 1024


def expect(
    client: httpx.Client, refusal: Refusal, *, fields: dict[str, str] | None = None, **file: bytes
) -> None:
    """The refusal, within five seconds, as a problem; and a good clip is answered after it."""
    start = time.monotonic()
    files = {part: ("x", data) for part, data in file.items()}
    answer = client.post("/classify", files=files, data=fields)
    assert time.monotonic() - start < 5  # a promise to users, not a measurement
    assert (answer.status_code, kind(answer)) == refusal, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 20
    alive = client.post("/classify", files={"clip": ("x", BUNDLED.read_bytes())})
    assert alive.status_code == 200


def kind(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rsplit(":", 1)[-1]
