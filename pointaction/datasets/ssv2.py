"""Something-Something V2, as Qualcomm publishes it.

labels.json               {"Holding [...]": "0", ...}: templates without brackets, and numbers
train.json, validation.json   [{"id": "78687", "label": "holding potato next to cup",
                            "template": "Holding [something] next to [something]", ...}, ...]
test.json                 [{"id": "1420"}, ...]
test-answers.csv          1420;Holding something next to something      (since 2021)
20bn-something-something-v2/78687.webm

The first release, by 20BN, has `something-something-v2-` before each name.
"""

import csv
import json
from pathlib import Path
from typing import Any

from pointaction.datasets.annotations import TEST, TRAIN, VALIDATION, Annotations, Item, found
from pointaction.errors import InputError

VIDEOS = "20bn-something-something-v2"  # where the owner's archives put them
_OLD_PREFIX = "something-something-v2-"


def read_ssv2(annotations: Path, videos: Path) -> Annotations:
    """The clips of all splits; those of the test split only where its answers are at hand."""
    numbers: dict[str, str] = _json(annotations, "labels.json")
    labels = tuple(sorted(numbers, key=lambda name: int(numbers[name])))
    answers = {
        (split, str(clip["id"])): clip["template"].replace("[", "").replace("]", "")
        for split in (TRAIN, VALIDATION)
        for clip in _json(annotations, f"{split}.json")
    }
    answers |= {(TEST, name): label for name, label in _test_answers(annotations).items()}
    for (split, name), label in answers.items():
        if label not in numbers:
            raise InputError(f"clip {name} of {split} has the template {label!r}, not in the list")
    items = (
        Item(path=videos / f"{name}.webm", label=label, split=split)
        for (split, name), label in answers.items()
    )
    return Annotations(items=tuple(items), labels=labels)


def _json(folder: Path, name: str) -> Any:
    path = found(folder / name, folder / f"{_OLD_PREFIX}{name}")
    return json.loads(path.read_text(encoding="utf-8"))


def _test_answers(folder: Path) -> dict[str, str]:
    path = folder / "test-answers.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return dict(csv.reader(file, delimiter=";"))
