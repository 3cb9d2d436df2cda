from typing import Any

import numpy as np
import pytest
import torch

from pointaction.errors import InputError
from pointaction.trackstore.features import StoredFeatures
from tests.pointaction.trackstore.stores import seen


def test_features_come_back_as_they_were() -> None:
    features = seen(3)
    found = StoredFeatures.unpack(features.pack())
    np.testing.assert_array_equal(found.tokens, features.tokens)
    np.testing.assert_array_equal(found.time, features.time)
    assert found.tokens.dtype == np.float16
    assert found.time.dtype == np.int16
    assert found.shape == (4, 3)


def test_a_network_can_take_them_as_they_are() -> None:
    found = StoredFeatures.unpack(seen(3).pack())
    assert torch.from_numpy(found.tokens).float().shape == (4, 3)


def test_equal_features_make_equal_bytes() -> None:
    assert seen(3).pack() == seen(3).pack()
    assert seen(3).pack() != seen(4).pack()


def test_they_are_rounded_to_half_precision() -> None:
    found = StoredFeatures.rounded(np.array([[1.0, 1 / 3]], np.float32), np.array([0]))
    assert found.tokens.tolist() == [[1.0, 0.333251953125]]  # 1365 / 4096


@pytest.mark.parametrize("bad", [np.nan, np.inf, 7e4])
def test_what_half_precision_does_not_hold_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match="not finite in half precision"):
        StoredFeatures.rounded(np.array([[1.0, bad]], np.float32), np.array([0]))


@pytest.mark.parametrize(
    ("shape", "kind"), [((2,), np.float16), ((2, 3), np.float32), ((1, 2, 3), np.float16)]
)
def test_tokens_of_other_shapes_and_types_are_refused(shape: tuple[int, ...], kind: Any) -> None:
    with pytest.raises(InputError, match="tokens must be float16"):
        StoredFeatures(tokens=np.zeros(shape, kind), time=np.zeros(2, np.int16))


@pytest.mark.parametrize(("count", "kind"), [(2, np.int16), (3, np.int64)])
def test_times_of_other_tokens_and_types_are_refused(count: int, kind: Any) -> None:
    with pytest.raises(InputError, match=r"time must be int16 \(S,\) = \(3,\)"):
        StoredFeatures(tokens=np.zeros((3, 3), np.float16), time=np.zeros(count, kind))


def test_bytes_that_are_cut_or_changed_are_refused_and_never_crash() -> None:
    data = seen(1).pack()
    for length in range(len(data)):
        with pytest.raises(InputError, match="not features as a store holds them"):
            StoredFeatures.unpack(data[:length])
    chance = np.random.default_rng(0)
    for _ in range(500):
        broken = bytearray(data)
        broken[chance.integers(len(data))] ^= int(chance.integers(1, 256))
        try:
            StoredFeatures.unpack(bytes(broken))  # some bytes are numbers, and others are too
        except InputError:
            continue
