from pathlib import Path

import pytest

from pointaction.datasets.annotations import Item
from pointaction.datasets.fewshot_lists import read_fewshot_lists
from pointaction.errors import InputError

PLACES = ("{label}/{clip}.avi", "{underscored}/{clip}.avi", "cut/{youtube}.mp4")
LISTS = {"train": "pour out/a\npour out/b\n", "val": "val0/c\n", "test": "kick/d.avi\n\n"}


def write(folder: Path, **changed: str) -> Path:
    for part, text in (LISTS | changed).items():
        (folder / f"{part}list03.txt").write_text(text)
    return folder


def test_a_line_is_a_class_and_a_clip(tmp_path: Path) -> None:
    read = read_fewshot_lists(write(tmp_path), Path("clips"), PLACES)
    assert read.labels == ("kick", "pour out", "val0")
    assert [item.path for item in read.of("train")] == [
        Path("clips/pour out/a.avi"),
        Path("clips/pour out/b.avi"),
    ]
    # A suffix that is told after all is not told twice.
    assert read.of("test") == (Item(path=Path("clips/kick/d.avi"), label="kick", split="test"),)
    assert read.of("test")[0].name == "d"


def test_a_clip_that_is_listed_twice_counts_once(tmp_path: Path) -> None:
    read = read_fewshot_lists(write(tmp_path, test="kick/d\nkick/d\n"), Path("clips"), PLACES)
    assert len(read.of("test")) == 1


@pytest.mark.parametrize("place", ["pour out/a23456789xy_0.avi", "pour_out/a23456789xy_0.avi"])
def test_a_clip_is_where_a_file_is(place: str, tmp_path: Path) -> None:
    path = tmp_path / "clips" / place
    path.parent.mkdir(parents=True)
    path.touch()
    lists = write(tmp_path, train="pour out/a23456789xy_0\n")
    (item,) = read_fewshot_lists(lists, tmp_path / "clips", PLACES).of("train")
    assert item.path == path


def test_a_clip_that_was_cut_elsewhere_is_found_by_its_video(tmp_path: Path) -> None:
    path = tmp_path / "cut" / "a23456789xy.mp4"
    path.parent.mkdir()
    path.touch()
    lists = write(tmp_path, train="pour out/a23456789xy_000003_000013\n")
    (item,) = read_fewshot_lists(lists, tmp_path, PLACES).of("train")
    assert item.path == path


def test_a_list_that_is_missing_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "vallist03.txt").unlink()
    with pytest.raises(InputError, match=r"holds no vallist03\.txt"):
        read_fewshot_lists(tmp_path, Path(), PLACES)


def test_two_splits_in_a_folder_are_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "testlist07.txt").write_text("kick/d\n")
    with pytest.raises(InputError, match=r"testlist03\.txt, testlist07\.txt; give each"):
        read_fewshot_lists(tmp_path, Path(), PLACES)


def test_a_line_without_a_class_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"testlist03\.txt line 2: expected class/clip, got 'e'"):
        read_fewshot_lists(write(tmp_path, test="kick/d\ne\n"), Path(), PLACES)
