from pathlib import Path

import pytest

from pointaction.datasets.annotations import Annotations, Item, rows
from pointaction.errors import InputError


def test_what_is_not_on_the_disk_is_not_present(tmp_path: Path) -> None:
    (tmp_path / "here.mp4").touch()
    both = Annotations(
        items=tuple(
            Item(path=tmp_path / name, label="a", split="train")
            for name in ("here.mp4", "gone.mp4")
        ),
        labels=("a",),
    )
    assert [item.path.name for item in both.present().items] == ["here.mp4"]
    assert both.present().labels == both.labels


def test_a_split_holds_its_own_clips() -> None:
    items = tuple(Item(path=Path(name), label="a", split=name) for name in ("train", "test"))
    assert Annotations(items=items, labels=("a",)).of("test") == items[1:]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("id,label\n1,a\n")
    with pytest.raises(InputError, match="lacks the columns start, end"):
        list(rows(tmp_path / "list.csv", ("id", "start", "end")))


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"list\.csv"):
        list(rows(tmp_path / "list.csv", ("id",)))
