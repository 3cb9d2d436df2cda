import json
from pathlib import Path

import pytest

from pointaction.datasets.fewshot_splits import BENCHMARKS, read_benchmark
from pointaction.errors import InputError

LISTED = sorted(BENCHMARKS.keys() - {"finegym"})
PLACES = {
    "ssv2-otam": "7.webm",
    "ssv2-cmn": "7.webm",
    "kinetics-cmn": "a kick/7.mp4",
    "ucf101-arn": "a kick/7.avi",
    "hmdb51-arn": "a kick/7.avi",
}


def write(folder: Path, *, train: str = "run/1", test: str = "a kick/7") -> Path:
    for part, text in (("train", train), ("val", "sit/3"), ("test", test)):
        (folder / f"{part}list03.txt").write_text(text)
    return folder


@pytest.mark.parametrize("name", LISTED)
def test_every_list_says_where_its_clips_lie(name: str, tmp_path: Path) -> None:
    read = read_benchmark(name, write(tmp_path), Path("clips"))
    (item,) = read.of(BENCHMARKS[name].measured)
    assert (item.label, item.path) == ("a kick", Path("clips") / PLACES[name])


def test_kinetics_is_found_as_its_archives_hold_it(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "7.mp4").touch()
    (item,) = read_benchmark("kinetics-cmn", write(tmp_path), tmp_path).of("test")
    assert item.path == tmp_path / "train" / "7.mp4"


def test_finegym_is_measured_on_what_its_table_calls_val(tmp_path: Path) -> None:
    rows = [
        {"id": name, "label_id": number, "new_split": part}
        for number, (name, part) in enumerate((("a", "train"), ("b", "val")))
    ]
    (tmp_path / "master_few_shot.json").write_text(json.dumps(rows))
    read = read_benchmark("finegym", tmp_path, Path("gym"))
    assert [item.label for item in read.of(BENCHMARKS["finegym"].measured)] == ["1"]


def test_a_class_in_two_parts_is_named(tmp_path: Path) -> None:
    lists = write(tmp_path, test="run/7")
    with pytest.raises(InputError, match="puts 'run' into train and into test"):
        read_benchmark("ssv2-cmn", lists, Path())


def test_an_empty_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no clip for train"):
        read_benchmark("ssv2-cmn", write(tmp_path, train="\n"), Path())


def test_an_unknown_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'ssv3' is not one of: ssv2-otam"):
        read_benchmark("ssv3", tmp_path, Path())
