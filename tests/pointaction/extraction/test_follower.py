from typing import Any

import pytest

from pointaction.clip import Clip
from pointaction.errors import DecoderFailure
from pointaction.extraction.follower import Failure, Followed, Follower, How
from pointaction.extraction.sources import Wanted
from pointaction.synthetic.sample import write_sample
from pointaction.video.decode import decode


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Wanted:
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    write_sample("moving left", path, seed=1, side=64, frames=12)
    return Wanted(key="a", path=path)


class Dying:
    """A decoder that is killed so many times before it decodes."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, *args: Any, **options: Any) -> Clip:
        self.left -= 1
        if self.left >= 0:
            raise DecoderFailure("the decoder crashed on this clip", kind="decoder-crashed")
        return decode(*args, **options)


def test_a_decoder_that_was_killed_once_is_not_the_clips_fault(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = Follower(How(tracks=8)).follow(wanted)
    monkeypatch.setattr("pointaction.video.cut.decode", Dying(1))
    assert isinstance(undisturbed, Followed)
    assert Follower(How(tracks=8)).follow(wanted) == undisturbed


def test_a_clip_that_kills_its_decoder_again_is_a_failure(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointaction.video.cut.decode", Dying(2))
    found = Follower(How(tracks=8)).follow(wanted)
    assert isinstance(found, Failure)
    assert found.kind == "decoder-crashed"
