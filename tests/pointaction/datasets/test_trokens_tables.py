import json
from pathlib import Path

import pytest

from pointaction.datasets.annotations import Item
from pointaction.datasets.trokens_tables import read_trokens_csv, read_trokens_ssv2
from pointaction.errors import InputError


def test_a_table_says_where_below_the_data_set_a_clip_is(tmp_path: Path) -> None:
    (tmp_path / "hmdb_few_shot.csv").write_text(
        ",vid_base_path,label_id,split\n0,clap/a.avi,10,test\n1,chew/b.avi,9,train\n2,c.avi,9,\n"
    )
    read = read_trokens_csv(tmp_path, Path("hmdb"), table="hmdb_few_shot.csv")
    assert read.labels == ("9", "10")
    assert read.items == (
        Item(path=Path("hmdb/clap/a.avi"), label="10", split="test"),
        Item(path=Path("hmdb/chew/b.avi"), label="9", split="train"),
    )


def test_something_something_has_a_list_for_each_part(tmp_path: Path) -> None:
    folder = tmp_path / "ssv2_small"
    folder.mkdir()
    for part, number in (("train", 3), ("val", 4), ("test", 5)):
        clips = [{"id": f"10{number}", "label": number, "template": "…"}]
        (folder / f"{part}_few_shot.json").write_text(json.dumps(clips))
    read = read_trokens_ssv2(tmp_path, Path("ssv2"), folder="ssv2_small")
    assert read.labels == ("3", "4", "5")
    assert read.of("validation") == (
        Item(path=Path("ssv2/104.webm"), label="4", split="validation"),
    )


@pytest.mark.parametrize("text", ["{", '[{"id": 3}]', "3"])
def test_what_is_no_list_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "train_few_shot.json").write_text(text)
    with pytest.raises(InputError, match="no list of clips with id and label"):
        read_trokens_ssv2(tmp_path, Path(), folder=".")
