from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.training.division import divide_store, find_store, split_of, to_pretrain
from tests.pointaction.training.stored import store_of

PARTS = ("train", "train", "validation", "test")


def test_what_is_a_store_is_found(tmp_path: Path) -> None:
    store_of(tmp_path / "store", 2)
    found = find_store(str(tmp_path / "store"))
    assert found is not None
    assert len(found) == 2
    assert find_store(str(tmp_path)) is None
    assert find_store(str(tmp_path / "clips.csv")) is None


def test_the_stores_own_split_decides_and_test_is_left_out(tmp_path: Path) -> None:
    store = store_of(tmp_path, 16, split=lambda number: PARTS[number % 8 // 2])
    division = divide_store(store, share=0.9)
    assert division.labels == ("left", "right")
    assert (len(division.taught), len(division.kept)) == (8, 4)
    assert {entry.about["split"] for entry in division.taught} == {"train"}
    assert {entry.about["split"] for entry in division.kept} == {"validation"}
    assert sum(bool(clip.validation) for clip in division.clips) == 4


def test_without_validation_what_is_called_test_is_kept(tmp_path: Path) -> None:
    store = store_of(tmp_path, 8, split=lambda number: "train" if number < 6 else "test")
    division = divide_store(store, share=0.2)
    assert [entry.key for entry in division.kept] == ["clips/0006", "clips/0007"]


def test_without_a_split_a_share_of_each_label_is_kept_whatever_else_is_there(
    tmp_path: Path,
) -> None:
    few = divide_store(store_of(tmp_path / "few", 20), share=0.2)
    assert [sum(entry.label == way for entry in few.kept) for way in few.labels] == [2, 2]
    none = divide_store(store_of(tmp_path / "none", 4), share=0)
    assert (len(none.taught), len(none.kept)) == (4, 0)


def test_some_of_the_clips_can_be_asked_for(tmp_path: Path) -> None:
    among = {f"clips/{number:04d}" for number in range(6)}
    division = divide_store(store_of(tmp_path, 8), share=0, among=among)
    assert {entry.key for entry in division.taught} == among


def test_one_label_is_nothing_to_tell_apart(tmp_path: Path) -> None:
    store = store_of(tmp_path / "one", 4, names=("left",))
    with pytest.raises(InputError, match=r"clips of 1 label\(s\) to learn from, and a model tells"):
        divide_store(store, share=0.2)
    all_test = store_of(tmp_path / "test", 4, split=lambda number: "test")
    with pytest.raises(InputError, match=r"clips of 0 label\(s\) .*their splits are test"):
        divide_store(all_test, share=0.2)


def test_pretraining_takes_what_is_of_no_other_split(tmp_path: Path) -> None:
    told = store_of(tmp_path / "told", 16, split=lambda number: PARTS[number % 8 // 2])
    assert len(to_pretrain(told)) == 8
    assert len(to_pretrain(store_of(tmp_path / "plain", 6))) == 6
    with pytest.raises(InputError, match="has 4 clips, and none of them to learn from"):
        to_pretrain(store_of(tmp_path / "test", 4, split=lambda number: "test"))


def test_a_split_is_found_by_any_of_its_names(tmp_path: Path) -> None:
    store = store_of(tmp_path, 8, split=lambda number: "val" if number < 3 else "train")
    assert len(split_of(store, "validation")) == 3
    assert len(split_of(store, "train")) == 5
    with pytest.raises(InputError, match="no clip of the split 'test'; it has train, val"):
        split_of(store, "test")
