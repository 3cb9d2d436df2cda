import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pointaction.errors import InputError, LimitExceeded
from pointaction.tracks import Tracks
from pointaction.trackstore.encoding import MAGIC, decode, encode, sizes
from tests.pointaction.trackstore.stores import wandering

EXACT = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def odd_tracks(draw: st.DrawFn) -> Tracks:
    """Whatever a record of tracks may hold: one track, two frames, points far outside."""
    count, frames = draw(st.integers(1, 5)), draw(st.integers(2, 6))
    far = draw(st.sampled_from([1.0, 64.0, 1023.0, 1025.0, 2048.0, 32768.0]))

    def numbers(low: float, high: float, *shape: int) -> Any:
        elements = st.floats(low, high, width=32)
        return draw(arrays.arrays(np.float32, shape, elements=elements))

    whole = draw(st.booleans())
    start = numbers(0, frames - 1, count, 1)
    rising = numbers(0.0009765625, 3600, frames).astype(np.float64).cumsum()
    return Tracks(
        xy=numbers(-far, far, count, frames, 2),
        visible=draw(arrays.arrays(np.bool_, (count, frames))),
        confidence=numbers(0, 1, count, frames),
        query=np.hstack([np.floor(start) if whole else start, numbers(-far, far, count, 2)]),
        size=(draw(st.integers(1, 16384)), draw(st.integers(1, 16384))),
        times=rising - draw(st.sampled_from([0.0, 1e6])),
        depth=draw(st.none() | arrays.arrays(np.float32, (count, frames), elements=EXACT)),
    )


@given(odd_tracks())
@settings(max_examples=150, deadline=None)
def test_tracks_come_back_within_what_is_promised(tracks: Tracks) -> None:
    found = decode(encode(tracks))
    assert np.abs(found.xy - tracks.xy).max() <= 1 / 64
    assert np.abs(found.query[:, 1:] - tracks.query[:, 1:]).max() <= 1 / 64
    assert np.abs(found.confidence - tracks.confidence).max() <= 1 / 510 + 1e-6
    np.testing.assert_array_equal(found.visible, tracks.visible)
    np.testing.assert_array_equal(found.query[:, 0], tracks.query[:, 0])
    np.testing.assert_array_equal(found.times, tracks.times)
    assert found.size == tracks.size
    assert (found.depth is None) == (tracks.depth is None)
    if tracks.depth is not None and found.depth is not None:
        most = np.abs(tracks.depth).max()
        np.testing.assert_allclose(found.depth, tracks.depth, rtol=2**-11, atol=most * 2**-24)
    for name in ("xy", "confidence", "query", "depth"):
        array = getattr(found, name)
        assert array is None or (array.dtype == np.float32 and array.flags.writeable)


def test_the_largest_number_is_no_infinite_depth() -> None:
    tracks = wandering(1)
    depth = np.full_like(tracks.confidence, np.finfo(np.float32).max)
    found = decode(encode(replace(tracks, depth=depth)))
    assert found.depth is not None
    np.testing.assert_allclose(found.depth, depth, rtol=2**-11)


def test_depth_that_is_not_wanted_is_left_out() -> None:
    found = decode(encode(wandering(1)), depth=False)
    assert found.depth is None
    np.testing.assert_array_equal(found.xy, decode(encode(wandering(1))).xy)


def test_what_came_back_goes_the_same_way_again() -> None:
    """Nothing is lost by reading a store and writing another."""
    once = encode(wandering(1, count=40, frames=30))
    assert encode(decode(once)) == once


def test_equal_tracks_make_equal_bytes() -> None:
    assert encode(wandering(1)) == encode(wandering(1))
    assert encode(wandering(1)) != encode(wandering(2))


def test_positions_on_the_grid_are_exact() -> None:
    """The default tracker's are: it rounds to 1/32 of a pixel."""
    tracks = wandering(1)
    tracks = replace(tracks, xy=np.round(tracks.xy * 32) / np.float32(32))
    np.testing.assert_array_equal(decode(encode(tracks)).xy, tracks.xy)


def test_tracks_that_stand_still_take_next_to_nothing() -> None:
    still = replace(
        wandering(1, count=512, frames=32, depth=False),
        xy=np.full((512, 32, 2), 7.5, np.float32),
        visible=np.ones((512, 32), bool),
        confidence=np.ones((512, 32), np.float32),
        query=np.full((512, 3), 7.5, np.float32),
    )
    assert len(encode(still)) < 600
    assert len(still.to_bytes()) > 1000


@pytest.mark.parametrize("name", ["xy", "confidence", "query", "depth", "times"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused_in_words(name: str, bad: float) -> None:
    array = getattr(wandering(1), name).copy()
    array[0] = bad
    with pytest.raises(InputError, match=f"{name} has .* values that are NaN or infinite"):
        encode(replace(wandering(1), **{name: array}))


def test_one_frame_and_no_tracks_are_refused_in_words() -> None:
    for count, frames in ((0, 5), (3, 1)):
        with pytest.raises(InputError, match="xy must be"):
            encode(wandering(1, count=count, frames=frames))


def test_what_cannot_be_kept_is_refused_in_words() -> None:
    tracks = wandering(1)
    with pytest.raises(InputError, match=r"confidence is -0.4\d* to 0.4\d*; it has to be 0 to 1"):
        encode(replace(tracks, confidence=tracks.confidence - 0.5))
    query = tracks.query.copy()
    query[2, 1] = 1e9
    with pytest.raises(InputError, match="query reaches 1e.09 pixels"):
        encode(replace(tracks, query=query))
    long = np.zeros((1, 1025, 2), np.float32)
    with pytest.raises(LimitExceeded, match="at most 10000 tracks of 1024 frames"):
        encode(
            Tracks(
                xy=long,
                visible=np.ones((1, 1025), bool),
                confidence=np.ones((1, 1025), np.float32),
                query=np.zeros((1, 3), np.float32),
                size=(8, 8),
                times=np.arange(1025.0),
            )
        )


def test_bytes_that_are_cut_or_changed_are_refused_and_never_crash() -> None:
    data = encode(wandering(1))
    for length in range(len(data)):
        with pytest.raises(InputError):
            decode(data[:length])
    with pytest.raises(InputError):
        decode(data + b"\0")
    chance = np.random.default_rng(0)
    for _ in range(500):
        broken = bytearray(data)
        broken[chance.integers(len(data))] ^= int(chance.integers(1, 256))
        try:
            decode(bytes(broken))  # some bytes are numbers, and others are numbers too
        except InputError:
            continue


def with_plane(data: bytes, name: str, numbers: Any) -> bytes:
    """The same clip with other numbers in a plane."""
    planar = numbers.view(np.uint8).reshape(len(numbers), -1).T.tobytes()
    lengths = sizes(data)
    parts, at = {}, 0
    for plane, length in lengths.items():
        parts[plane] = data[at : at + length]
        at += length
    parts[name] = zstandard.ZstdCompressor().compress(planar)
    told = [len(part) for part in parts.values()][1:]
    fixed = parts.pop("header")[: -4 * len(told)]
    return fixed + struct.pack(f"<{len(told)}I", *told) + b"".join(parts.values())


@pytest.mark.parametrize("start", [np.nan, np.inf, -np.inf, 1e30, -5.0, 2.0])
def test_no_frame_is_looked_into_that_is_not_there(start: float) -> None:
    """Machine code does not check where it reads."""
    tracks = wandering(1, count=3)
    query = tracks.query.copy()
    query[:, 0] = 1.5  # between frames, and so written as they are
    data = encode(replace(tracks, query=query))
    honest = decode(data)
    data = with_plane(data, "start", np.array([1.5, start, 1.5], np.float32))
    if not np.isfinite(start):
        with pytest.raises(InputError, match="query has 1 values that are NaN or infinite"):
            decode(data)
        return
    frame = min(max(int(start), 0), tracks.visible.shape[1] - 1)
    found = decode(data)
    off = honest.query[1, 1:] - honest.xy[1, 2]  # 2 is the frame next to 1.5
    np.testing.assert_allclose(found.query[1, 1:], found.xy[1, frame] + off, atol=1e-3)


def test_another_version_and_another_file_say_so() -> None:
    data = encode(wandering(1))
    with pytest.raises(InputError, match="version 2 is not 1") as caught:
        decode(MAGIC + b"\2" + data[5:])
    assert caught.value.kind == "tracks-version"
    for other in (b"", b"PK\3\4", wandering(1).to_bytes(), bytes(200)):
        with pytest.raises(InputError, match="not tracks as a store holds them"):
            decode(other)


def test_a_promise_of_gigabytes_is_not_believed() -> None:
    """A frame that says it unpacks to a terabyte is refused before any memory is asked for."""
    data = bytearray(encode(wandering(1)))
    first = data.index(b"\x28\xb5\x2f\xfd")  # where a zstd frame begins
    data[first + 4] = 0xE0  # one segment, of a size in eight bytes
    data[first + 5 : first + 13] = struct.pack("<Q", 1 << 40)
    with pytest.raises(InputError, match="not tracks as a store holds them"):
        decode(bytes(data))


def test_it_is_smaller_than_an_npz_in_half_precision() -> None:
    """Walks at random, which are harder than what is filmed."""
    tracks = wandering(1, count=512, frames=32)
    half = io.BytesIO()
    np.savez_compressed(
        half,
        xy=tracks.xy.astype(np.float16),
        visible=tracks.visible,
        confidence=tracks.confidence.astype(np.float16),
        query=tracks.query.astype(np.float16),
        depth=np.ones((1,)) if tracks.depth is None else tracks.depth.astype(np.float16),
        size=np.array(tracks.size),
        times=tracks.times,
    )
    assert len(encode(tracks)) < len(half.getvalue())
