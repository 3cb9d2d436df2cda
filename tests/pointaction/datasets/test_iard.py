from pathlib import Path

import pytest

from pointaction.datasets.iard import read_iard
from pointaction.errors import InputError


def test_a_name_says_who_does_what(tmp_path: Path) -> None:
    for name in (
        "drink1/drink_haim_0_90_2_0.avi",
        "drink1/._drink_haim_0_90_2_0.avi",
        "run2/run_oren_0_0_1_3.avi",
        "still1/still_yair_0_0_0_0.avi",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    read = read_iard(tmp_path)
    assert [(item.label, item.group) for item in read.items] == [("drink", "haim"), ("run", "oren")]
    assert len(read.labels) == 5
    assert read.items[0].name == "drink1/drink_haim_0_90_2_0"


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clip"):
        read_iard(tmp_path)
