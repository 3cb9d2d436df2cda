from pathlib import Path

import pytest

from pointaction.datasets.hmdb51 import read_hmdb51
from pointaction.errors import InputError


def test_a_flag_says_which_part_a_clip_is_in(tmp_path: Path) -> None:
    (tmp_path / "clap_test_split1.txt").write_text("#2 of_2!_clap.avi 2 \nb.avi 0\n\nc.avi 1 \n")
    (tmp_path / "brush_hair_test_split1.txt").write_text("a.avi 1\n")
    (tmp_path / "brush_hair_test_split3.txt").write_text("a.avi 2\n")
    read = read_hmdb51(tmp_path, Path("hmdb51_org"))
    assert read.labels == ("brush_hair", "clap")
    assert [(item.path.as_posix(), item.label, item.split) for item in read.items] == [
        ("hmdb51_org/brush_hair/a.avi", "brush_hair", "train"),
        ("hmdb51_org/clap/#2 of_2!_clap.avi", "clap", "test"),
        ("hmdb51_org/clap/b.avi", "clap", None),
        ("hmdb51_org/clap/c.avi", "clap", "train"),
    ]
    assert [item.split for item in read_hmdb51(tmp_path, Path(), way=3).items] == ["test"]


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no brush_hair_test_split2\.txt"):
        read_hmdb51(tmp_path, Path(), way=2)
    (tmp_path / "clap_test_split2.txt").write_text("a.avi 1\nb.avi 3\n")
    with pytest.raises(InputError, match=r"clap_test_split2\.txt line 2: expected CLIP\.avi and 0"):
        read_hmdb51(tmp_path, Path(), way=2)
