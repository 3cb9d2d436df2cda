from pathlib import Path

import pytest
import torch

from pointaction.datasets.annotations import Item
from pointaction.errors import InputError
from pointaction.evaluation.chiral_groups import probe_groups, tables


def item(group: str, label: int, split: str) -> Item:
    return Item(path=Path("x"), label=f"{group}: {label}", split=split, group=group)


# Group 1 lies along the first axis, and group 2, the other way round, along the second.
ITEMS = [
    *(item("1", label, "train") for label in (0, 0, 1, 1)),
    *(item("2", label, "train") for label in (0, 0, 1, 1)),
    *(item("1", label, "validation") for label in (0, 1)),
    *(item("2", label, "validation") for label in (0, 0, 0, 1)),
]
FEATURES = torch.tensor(
    [[-1, 0], [-2, 0], [1, 0], [2, 0]]
    + [[0, 1], [0, 2], [0, -1], [0, -2]]
    + [[-1, 0], [1, 0]]
    + [[0, 1], [0, 2], [0, -2], [0, -1]],  # the third looks like the other label
    dtype=torch.float32,
)


def test_each_group_has_a_line_of_its_own() -> None:
    found = probe_groups(ITEMS, FEATURES)
    assert {name: (each.right, each.total) for name, each in found.items()} == {
        "1": (2, 2),
        "2": (3, 4),
    }


def test_the_mean_is_over_groups_and_not_over_clips() -> None:
    (summary, _) = tables({"model": probe_groups(ITEMS, FEATURES)}).values()
    mean, together = summary.rows["model"]
    assert mean.value == pytest.approx((1.0 + 0.75) / 2)
    assert (together.right, together.total) == (5, 6)


def test_a_group_with_one_label_to_learn_is_left_out() -> None:
    some = [0, 1, *range(4, 14)]  # of group 1, label 1 is nowhere trained on
    found = probe_groups([ITEMS[number] for number in some], FEATURES[some])
    assert list(found) == ["2"]
    with pytest.raises(InputError, match="no chiral group"):
        probe_groups(ITEMS[:4], FEATURES[:4])  # nothing to ask about
