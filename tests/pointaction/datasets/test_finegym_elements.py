import json
from pathlib import Path

import pytest

from pointaction.datasets.finegym_elements import read_finegym_elements
from pointaction.errors import InputError

CUT = "0LtLS9wROrk_E_000147_000152_A_0003_0005"
WHOLE = "zfqS-wCJSsw_E_006244_006252_A_0000_0007"
TIMES = {
    "zfqS-wCJSsw": {
        "E_006244_006252": {
            "event": 1,
            "timestamps": [[6244.5, 6252.0]],
            "segments": {
                "A_0000_0007": {"stages": 2, "timestamps": [[0.25, 3.0], [3.0, 7.25]]},
            },
        }
    }
}


def write(folder: Path, *, val: str = f"{WHOLE} 1\n", times: object = TIMES) -> Path:
    (folder / "gym99_categories.txt").write_text(
        "Clabel:   0; set: 1; Glabel:   1; (VT) round-off, stretched\n"
        "Clabel:   1; set: 21; Glabel: 93; (FX) leap forward\n"
    )
    (folder / "gym99_train_element_v1.0.txt").write_text(f"{CUT} 1\n")
    (folder / "gym99_train_element_v1.1.txt").write_text(f"{CUT} 0\n")
    (folder / "gym99_val_element.txt").write_text(val)
    (folder / "finegym_annotation_info_v1.1.json").write_text(json.dumps(times))
    return folder


def touch(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch()


@pytest.mark.parametrize("folder", ["videos", "subactions"])
def test_an_element_that_was_cut_is_a_clip(folder: str, tmp_path: Path) -> None:
    touch(tmp_path / folder / f"{CUT}.mp4")
    read = read_finegym_elements(write(tmp_path), tmp_path)
    assert read.labels == ("0 (VT) round-off, stretched", "1 (FX) leap forward")
    (item,) = read.of("train")  # by the newer list
    assert (item.path, item.label) == (tmp_path / folder / f"{CUT}.mp4", read.labels[0])
    assert (item.start, item.end, item.name) == (None, None, CUT)


def test_an_element_that_was_not_is_a_piece_of_its_video(tmp_path: Path) -> None:
    touch(tmp_path / "videos" / "zfqS-wCJSsw.mkv")
    (item,) = read_finegym_elements(write(tmp_path), tmp_path).of("validation")
    assert (item.path.name, item.name) == ("zfqS-wCJSsw.mkv", WHOLE)
    assert (item.start, item.end) == (6244.75, 6251.75)


def test_an_element_that_is_nowhere_is_told_as_it_would_be_called(tmp_path: Path) -> None:
    (item,) = read_finegym_elements(write(tmp_path, times=0), tmp_path).of("validation")
    assert item.path == tmp_path / "videos" / f"{WHOLE}.mp4"


@pytest.mark.parametrize(
    ("val", "times", "why"),
    [
        (f"{WHOLE} 7\n", TIMES, "line 1: expected an element and its class"),
        ("zfqS-wCJSsw 1\n", TIMES, "line 1: expected an element and its class"),
        (f"{WHOLE} 1\n", {}, f"has no times for {WHOLE}"),
        (f"{WHOLE} 1\n", [], "is no JSON object"),
    ],
)
def test_lists_that_cannot_be_are_refused(
    val: str, times: object, why: str, tmp_path: Path
) -> None:
    touch(tmp_path / "videos" / "zfqS-wCJSsw.mp4")
    with pytest.raises(InputError, match=why):
        read_finegym_elements(write(tmp_path, val=val, times=times), tmp_path)


def test_classes_without_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no gym288_categories\*\.txt"):
        read_finegym_elements(write(tmp_path), tmp_path, classes="gym288")
