import pytest

from pointaction.errors import InputError
from pointaction.extraction.share import ALL, Share


def test_shares_are_the_whole_without_overlap() -> None:
    clips = list("abcdefghij")
    shares = [Share(number, 4).take(clips) for number in (1, 2, 3, 4)]
    assert shares == [["a", "e", "i"], ["b", "f", "j"], ["c", "g"], ["d", "h"]]
    assert ALL.take(clips) == clips


def test_each_has_shards_of_its_own() -> None:
    assert ALL.name("shard") == "shard"
    assert Share.from_text("1/1") == ALL
    assert Share.from_text("2/8").name("shard") == "shard-2-of-8"


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/", "-1/3", "1/2/3"])
def test_a_share_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="share"):
        Share.from_text(text)
