import json
from pathlib import Path
from typing import Any

import pytest

from pointaction.datasets.annotations import Item
from pointaction.datasets.finegym import read_finegym
from pointaction.errors import InputError

ROWS: list[dict[str, Any]] = [
    {"id": "A_E_1", "label_id": 3, "new_split": "train", "old_split": "val"},
    {"id": "A_E_2", "label_id": 5, "new_split": "val", "old_split": "val"},
    {"id": "A_E_3", "label_id": 7, "new_split": None, "old_split": "train"},
]
COLUMNS = {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ROWS[0]}


@pytest.mark.parametrize("table", [ROWS, COLUMNS])
def test_rows_and_columns_say_the_same(table: object, tmp_path: Path) -> None:
    (tmp_path / "master_few_shot.json").write_text(json.dumps(table))
    read = read_finegym(tmp_path, Path("gym"))
    assert read.labels == ("3", "5")
    assert read.items == (
        Item(path=Path("gym/videos/A_E_1.mp4"), label="3", split="train"),
        Item(path=Path("gym/videos/A_E_2.mp4"), label="5", split="validation"),
    )


def test_the_folder_of_all_benchmarks_will_do(tmp_path: Path) -> None:
    (tmp_path / "finegym").mkdir()
    (tmp_path / "finegym" / "master_few_shot.json").write_text(json.dumps(ROWS))
    assert len(read_finegym(tmp_path, Path()).items) == 2


@pytest.mark.parametrize("text", ['[{"id": "A_E_1"}]', '{"id": {"0": "A_E_1"}}', "3"])
def test_a_table_without_its_columns_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "master_few_shot.json").write_text(text)
    with pytest.raises(InputError, match="no table with the columns id, label_id, new_split"):
        read_finegym(tmp_path, Path())


def test_what_is_no_json_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*master_few_shot\.json"):
        read_finegym(tmp_path, Path())
    (tmp_path / "master_few_shot.json").write_text("id,label_id")
    with pytest.raises(InputError, match="is no JSON"):
        read_finegym(tmp_path, Path())
