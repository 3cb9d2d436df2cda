from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.extraction.order import in_order
from pointaction.extraction.sources import Wanted
from pointaction.trackstore.manifest import AS_GIVEN, MIXED
from pointaction.video.cut import Cut

CLIPS = [
    Wanted(key=f"{label}/{number:03d}", path=Path(f"{label}.mp4"), label=label)
    for label in "abcd"
    for number in range(250)
]


def test_mixed_is_an_order_of_the_keys_alone() -> None:
    mixed = in_order(CLIPS, MIXED)
    assert mixed == in_order(CLIPS[::-1], MIXED)
    assert sorted(mixed, key=lambda each: each.key) == CLIPS
    # Their SHA-256 begin 00154e, 0067fd and 00bf8d: the least of all.
    assert [each.key for each in mixed[:3]] == ["b/191", "d/026", "c/082"]


def test_every_label_is_in_every_part_of_the_order() -> None:
    """Of a hundred neighbours 25 have each of four labels, give or take."""
    mixed = in_order(CLIPS, MIXED)
    for start in range(0, 1000, 100):
        counts = Counter(each.label for each in mixed[start : start + 100])
        assert min(counts[label] for label in "abcd") > 10


def test_pieces_of_a_video_are_neighbours_among_videos_that_are_mixed() -> None:
    pieces = [
        Wanted(
            key=f"{video}_{number}",
            path=Path(f"/anywhere/{video}.mp4"),
            cut=Cut(start=number, end=number + 1.0),
            about={"source": f"{video}.mp4"},
        )
        for video in ("P01", "P02", "P03", "P04", "P05")
        for number in range(20)
    ]
    mixed = in_order(pieces, MIXED)
    moved = [replace(each, path=Path("/elsewhere") / each.path.name) for each in pieces]
    assert [each.key for each in in_order(moved, MIXED)] == [each.key for each in mixed]
    videos = [each.path.stem for each in mixed]
    assert list(dict.fromkeys(videos)) != sorted(set(videos))
    assert sum(one != other for one, other in pairwise(videos)) == 4
    numbers = [each.cut.start or 0.0 for each in mixed[:20]]
    assert numbers != sorted(numbers)


def test_a_clip_more_moves_no_other() -> None:
    more = Wanted(key="e/000", path=Path("e.mp4"))
    mixed = in_order([*CLIPS, more], MIXED)
    mixed.remove(more)
    assert mixed == in_order(CLIPS, MIXED)


def test_as_given_is_as_given() -> None:
    assert in_order(CLIPS[::-1], AS_GIVEN) == CLIPS[::-1]


def test_clips_of_tar_files_keep_the_order_in_which_these_are_read() -> None:
    inside = [
        Wanted(key=f"shard/{number}", path=Path("shard.tar"), inside=(512 * number, 10))
        for number in range(20)
    ]
    assert in_order(inside, MIXED) == inside


def test_an_order_of_a_later_release_is_refused() -> None:
    with pytest.raises(InputError, match="is not one of: as given, mixed"):
        in_order(CLIPS, "by length")
