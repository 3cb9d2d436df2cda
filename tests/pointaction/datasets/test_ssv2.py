import json
from pathlib import Path

import pytest

from pointaction.datasets.ssv2 import read_ssv2
from pointaction.errors import InputError

HOLDING, OPENING = "Holding something next to something", "Opening something"
TEMPLATES = {"78687": "Holding [something] next to [something]", "42326": "Opening [something]"}


def clip(name: str) -> dict[str, object]:
    return {"id": name, "label": "…", "template": TEMPLATES[name], "placeholders": ["potato"]}


def write_lists(folder: Path, *, prefix: str = "") -> None:
    lists: dict[str, object] = {
        "labels": {OPENING: "1", HOLDING: "0"},
        "train": [clip("78687")],
        "validation": [clip("42326")],
        "test": [{"id": "1420"}],
    }
    for name, content in lists.items():
        (folder / f"{prefix}{name}.json").write_text(json.dumps(content))


def test_templates_lose_their_brackets_and_labels_keep_their_numbers(tmp_path: Path) -> None:
    write_lists(tmp_path)
    read = read_ssv2(tmp_path, Path("videos"))
    assert read.labels == (HOLDING, OPENING)
    assert [(item.path, item.label, item.split) for item in read.items] == [
        (Path("videos/78687.webm"), HOLDING, "train"),
        (Path("videos/42326.webm"), OPENING, "validation"),
    ]


def test_the_test_split_has_labels_once_its_answers_are_at_hand(tmp_path: Path) -> None:
    write_lists(tmp_path)
    (tmp_path / "test-answers.csv").write_text(f"1420;{OPENING}\n")
    (test,) = read_ssv2(tmp_path, Path("videos")).of("test")
    assert (test.path.name, test.label) == ("1420.webm", OPENING)


def test_the_first_release_is_read_as_well(tmp_path: Path) -> None:
    write_lists(tmp_path, prefix="something-something-v2-")
    assert len(read_ssv2(tmp_path, Path("videos")).items) == 2


def test_a_template_outside_the_list_is_refused(tmp_path: Path) -> None:
    write_lists(tmp_path)
    (tmp_path / "labels.json").write_text(json.dumps({HOLDING: "0"}))
    with pytest.raises(InputError, match="42326"):
        read_ssv2(tmp_path, Path("videos"))
