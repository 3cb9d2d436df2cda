import sys
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.errors import MissingExtra
from pointaction.trackstore import restore as module
from pointaction.trackstore.restore import (
    MIDDLE,
    Bytes,
    Confidence,
    Depth,
    Positions,
    restore,
    stand,
)


def halves(numbers: Any, *, about: int = 0) -> Bytes:
    """Low and high bytes (2, ...) of whole numbers, about which they lie."""
    words = (np.asarray(numbers) + about).astype(np.uint16)
    return np.stack([words & 255, words >> 8]).astype(np.uint8)


def one_track(steps: list[list[int]], drift: list[list[int]], first: list[int]) -> Positions:
    """A track of which `steps` (K, 2) are written."""
    low, high = halves(steps)
    return Positions(
        low=low,
        high=high,
        drift=halves(drift, about=MIDDLE),
        first=halves([first]),
        xy=np.empty((1, len(drift), 2), np.float32),
    )


STILL = [[0, 0]] * 3


def test_a_track_goes_by_its_changes() -> None:
    positions = one_track([[0, 0], [32, -64], [16, 0]], STILL, first=[320, 64])
    restore(np.ones((3, 1), np.uint8), positions)
    assert positions.xy.tolist() == [[[10, 2], [11, 0], [11.5, 0]]]


def test_the_drift_of_a_frame_is_added() -> None:
    positions = one_track([[0, 0], [0, 0], [0, 0]], [[0, 0], [32, 0], [0, -32]], first=[0, 64])
    restore(np.ones((3, 1), np.uint8), positions)
    assert positions.xy.tolist() == [[[0, 2], [1, 2], [1, 1]]]


def test_where_nothing_is_written_a_track_stands_and_nobody_is_sure() -> None:
    positions = one_track([[0, 0], [32, 0]], [[0, 0], [99, 99], [0, 0]], first=[0, 0])
    confidence = Confidence(np.array([255, 51], np.uint8), np.empty((1, 3), np.float32))
    restore(np.array([[1], [0], [1]], np.uint8), positions, confidence)
    assert positions.xy.tolist() == [[[0, 0], [0, 0], [1, 0]]]
    np.testing.assert_allclose(confidence.confidence, [[1, 0, 0.2]])


def test_sums_wrap_round() -> None:
    positions = one_track([[0, 0], [40_000, 0], [40_000, 0]], STILL, first=[0, 0])
    restore(np.ones((3, 1), np.uint8), positions)
    assert positions.xy[0, :, 0].tolist() == [0, (40_000 - 65_536) / 32, (80_000 - 65_536) / 32]


def depth_of(bits: NDArray[Any], *, scale: float = 1) -> Depth:
    """One frame of each track, by bits in half precision."""
    nothing = np.zeros(len(bits), np.uint8)
    return Depth(
        low=nothing + np.uint8(MIDDLE),
        high=nothing,
        first=halves(bits.view(np.uint16)),
        scale=np.float32(scale),
        depth=np.empty((len(bits), 1), np.float32),
    )


def test_every_number_of_half_precision_is_that_number() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    numbers = every[np.isfinite(every)]
    depth = depth_of(numbers, scale=4)
    assert restore(np.ones((1, len(numbers)), np.uint8), depth=depth)
    np.testing.assert_array_equal(depth.depth[:, 0], numbers.astype(np.float32) * 4)


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_a_depth_that_is_no_number_is_told(odd: float) -> None:
    depth = depth_of(np.array([1, odd, 2], np.float16))
    assert not restore(np.ones((1, 3), np.uint8), depth=depth)


def test_each_frame_goes_on_where_it_left_off() -> None:
    """Frames are written one after the other, tracks are read one after the other."""
    written = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
    confidence = Confidence(np.array([51, 102, 153, 204], np.uint8), np.empty((3, 2), np.float32))
    restore(written, confidence=confidence)
    np.testing.assert_allclose(confidence.confidence, [[0.2, 0], [0, 0.6], [0.4, 0.8]])


def test_a_query_is_where_its_track_is_in_its_frame() -> None:
    xy = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    query = np.zeros((2, 3), np.float32)
    stand(xy, np.array([1, 2], np.uint16), query)
    assert query[:, 1:].tolist() == [[2, 3], [10, 11]]


@pytest.mark.parametrize("frame", [-(1 << 63), -1, 3, 1 << 62])
def test_no_frame_is_read_that_is_not_there(frame: int) -> None:
    xy = np.arange(6, dtype=np.float32).reshape(1, 3, 2)
    query = np.zeros((1, 3), np.float32)
    stand(xy, np.array([frame]), query)
    assert query[0, 1:].tolist() == ([0, 1] if frame < 0 else [4, 5])


@pytest.fixture
def anew() -> Any:
    """Nothing was compiled before, and nothing is kept."""
    module._compiled.cache_clear()
    yield
    module._compiled.cache_clear()


def test_without_numba_it_says_what_to_install(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pointaction\[store\]'"):
        restore(np.ones((1, 1), np.uint8))


def test_where_nothing_can_be_kept_it_is_compiled_each_time(
    anew: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(cache: bool = False, **how: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_(**how)

    compile_ = numba.njit
    monkeypatch.setattr(numba, "njit", nowhere)
    xy, query = np.ones((1, 1, 2), np.float32), np.zeros((1, 3), np.float32)
    stand(xy, np.zeros(1, np.uint16), query)
    assert query.tolist() == [[0, 1, 1]]
