from pathlib import Path

import pytest

from pointaction.datasets.annotations import Item
from pointaction.datasets.ucf101 import read_ucf101
from pointaction.errors import InputError


def write(folder: Path, *, train: str = "Diving/v_Diving_g08_c01.avi 2\r\n") -> Path:
    (folder / "classInd.txt").write_text("1 Archery\r\n2 Diving\r\n")
    (folder / "trainlist02.txt").write_text(train)
    (folder / "testlist02.txt").write_text("Archery/v_Archery_g01_c01.avi\n\n")
    return folder


def test_a_way_has_a_list_for_training_and_one_for_testing(tmp_path: Path) -> None:
    read = read_ucf101(write(tmp_path), Path("UCF-101"), way=2)
    assert read.labels == ("Archery", "Diving")
    assert read.items == (
        Item(path=Path("UCF-101/Diving/v_Diving_g08_c01.avi"), label="Diving", split="train"),
        Item(path=Path("UCF-101/Archery/v_Archery_g01_c01.avi"), label="Archery", split="test"),
    )


def test_another_way_has_lists_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"trainlist01\.txt"):
        read_ucf101(write(tmp_path), Path())


@pytest.mark.parametrize(
    ("train", "why"),
    [("v_Diving_g08_c01.avi 2\n", "expected class/clip"), ("Skiing/1.avi 3\n", "lacks Skiing")],
)
def test_a_line_that_cannot_be_is_refused(train: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        read_ucf101(write(tmp_path, train=train), Path(), way=2)
