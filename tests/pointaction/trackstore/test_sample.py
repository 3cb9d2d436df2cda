import json

import pytest

from pointaction.errors import InputError
from pointaction.trackstore.sample import Sample, check_key
from tests.pointaction.trackstore.stores import sample, seen, wandering


@pytest.mark.parametrize("key", ["a", "gestures/tick_2", "A-1", "0" * 64, "a/b/c"])
def test_a_key_is_what_every_reader_of_shards_takes_for_one(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    "key", ["", "a.b", "/a", "a/", "a//b", "../a", "a b", "ä", "a\n", "0" * 92]
)
def test_another_key_is_refused(key: str) -> None:
    with pytest.raises(InputError, match="is no key"):
        check_key(key)
    with pytest.raises(InputError, match="is no key"):
        Sample(key=key, tracks=wandering(1)).members()


def test_the_json_is_last_and_says_what_the_others_are() -> None:
    features = seen(1)
    members = Sample(key="a", tracks=wandering(1), label="tick", features=features).members()
    assert list(members) == ["tracks", "features", "json"]
    told = json.loads(members["json"])
    assert (told["key"], told["label"], told["tracks"], told["frames"]) == ("a", "tick", 6, 5)
    assert told["features"] == [4, 3]
    assert list(told["sha256"]) == ["features", "tracks"]


def test_equal_clips_make_equal_members() -> None:
    assert sample(3).members() == sample(3).members()
    assert sample(3).members() != sample(4).members()


def test_what_is_known_of_a_clip_has_to_be_json() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        Sample(key="a", tracks=wandering(1), about={"score": float("nan")}).members()
