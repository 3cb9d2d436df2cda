import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pointaction.errors import InputError
from pointaction.trackstore.sample import Sample, check_key, pack_features, unpack_features
from tests.pointaction.trackstore.stores import sample, wandering


@pytest.mark.parametrize("key", ["a", "gestures/tick_2", "A-1", "0" * 64, "a/b/c"])
def test_a_key_is_what_every_reader_of_shards_takes_for_one(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    "key", ["", "a.b", "/a", "a/", "a//b", "../a", "a b", "ä", "a\n", "0" * 88]
)
def test_another_key_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="is no key"):
        check_key(key)
    with pytest.raises(InputError, match="is no key"):
        Sample(key=key, tracks=wandering(1)).members()


def test_the_json_is_last_and_says_what_the_others_are() -> None:
    features = {"tokens": np.ones((2, 3), np.float16)}
    members = Sample(key="a", tracks=wandering(1), label="tick", features=features).members()
    assert list(members) == ["tracks", "features.npz", "json"]
    told = json.loads(members["json"])
    assert (told["key"], told["label"], told["tracks"], told["frames"]) == ("a", "tick", 6, 5)
    assert list(told["sha256"]) == ["features.npz", "tracks"]


def test_equal_clips_make_equal_members() -> None:
    assert sample(3).members() == sample(3).members()
    assert sample(3).members() != sample(4).members()


def test_what_is_known_of_a_clip_has_to_be_json() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        Sample(key="a", tracks=wandering(1), about={"score": float("nan")}).members()


def test_features_come_back_as_they_were() -> None:
    features: dict[str, NDArray[Any]] = {
        "time": np.arange(3),
        "tokens": np.eye(3, dtype=np.float16),
    }
    found = unpack_features(pack_features(features))
    assert found.keys() == features.keys()
    for name, array in features.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    backwards = dict(reversed(features.items()))
    assert pack_features(backwards) == pack_features(features)
