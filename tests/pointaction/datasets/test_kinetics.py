from pathlib import Path

import pytest

from pointaction.datasets.kinetics import read_kinetics
from pointaction.errors import InputError

HEADING = "label,youtube_id,time_start,time_end,split,is_cc\n"


def test_a_file_is_named_after_its_video_and_seconds(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(HEADING + "testifying,---QUuC4vJs,84,94,train,0\n")
    (tmp_path / "val.csv").write_text(HEADING + "abseiling,0wR5jVB-WPk,417,427,validate,0\n")
    read = read_kinetics(tmp_path, Path("k400"))
    assert [(item.path, item.split) for item in read.items] == [
        (Path("k400/train/---QUuC4vJs_000084_000094.mp4"), "train"),
        (Path("k400/val/0wR5jVB-WPk_000417_000427.mp4"), "validation"),
    ]
    assert read.labels == ("abseiling", "testifying")


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(HEADING + "testifying,abc,84,94,holdout,0\n")
    with pytest.raises(InputError, match="holdout"):
        read_kinetics(tmp_path, Path("k400"))


def test_a_folder_without_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of train\.csv"):
        read_kinetics(tmp_path, Path("k400"))
