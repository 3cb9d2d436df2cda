"""FineGym as Trokens divides it for few-shot learning: one table of all clips.

master_few_shot.json        columns id, label_id, new_split (train, val), and others
videos/ID.mp4               below the folder of the videos

Trokens measures on what the table calls val. Whether the table is a list of rows or has its columns
side by side, each {row: value}, its program leaves to pandas, which reads both; so do we.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pointaction.datasets.annotations import (
    TEST,
    TRAIN,
    VALIDATION,
    Annotations,
    Item,
    found,
)
from pointaction.errors import InputError

_COLUMNS = ("id", "label_id", "new_split")
_SPLITS = {"train": TRAIN, "val": VALIDATION, "test": TEST}


def read_finegym(lists: Path, videos: Path) -> Annotations:
    """The clips of all parts; those that the table puts into none are left out."""
    path = found(lists / "master_few_shot.json", lists / "finegym" / "master_few_shot.json")
    items = tuple(
        Item(
            path=videos / "videos" / f"{row['id']}.mp4",
            label=str(row["label_id"]),
            split=_SPLITS[row["new_split"]],
        )
        for row in _rows(path)
        if row["new_split"] in _SPLITS
    )
    return Annotations(items=items, labels=tuple(sorted({item.label for item in items})))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(table, list):
            yield from ({name: row[name] for name in _COLUMNS} for row in table)
        else:
            columns = [table[name] for name in _COLUMNS]
            for number in columns[0]:
                cells = (column[number] for column in columns)
                yield dict(zip(_COLUMNS, cells, strict=True))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is no JSON: {error}") from error
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is no table with the columns {', '.join(_COLUMNS)}") from error
