import io
import json
import tarfile
from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.extraction.sources import Wanted, key_of, read_source
from pointaction.video.cut import Cut


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def archive(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def told(wanted: list[Wanted]) -> list[tuple[str, str | None]]:
    return [(each.key, each.label) for each in wanted]


def test_a_folder_has_a_label_for_each_folder_in_it(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("tick/2.mp4", "tick/a/3.AVI", "up/1.webm", "up/1.txt")))
    assert told(read_source(tmp_path)) == [("tick/2", "tick"), ("tick/a/3", "tick"), ("up/1", "up")]
    touch(tmp_path / "flat" / "1.mp4")
    assert told(read_source(tmp_path / "flat")) == [("1", None)]


@pytest.mark.parametrize(
    ("name", "plain"), [("a b.mp4", "a-b-"), ("ä.mp4", "-"), ("1.2.mp4", "1-2-"), ("x" * 99, "x")]
)
def test_a_name_that_is_no_key_becomes_one(name: str, plain: str) -> None:
    assert key_of(name).startswith(plain)
    assert len(key_of(name)) < 88


def test_other_names_and_other_pieces_have_other_keys() -> None:
    names = ["a b.mp4", "a-b.mp4", "a_b.mp4", "a  b.mp4", "a b.webm"]
    assert len({key_of(name) for name in names}) == 5
    assert key_of("a.mp4") == "a"
    assert key_of("a.mp4", Cut(start=1.5, end=2)) != key_of("a.mp4", Cut(start=1.5))


def test_a_table_names_pieces_and_what_else_is_known(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text(
        "path,label,split,start,end,camera\nday/1.mp4,tick,train,1.5,3,left\n2.mp4,,,,,\n"
    )
    first, second = read_source(table)
    assert (first.path, first.label, first.cut) == (
        tmp_path / "day/1.mp4",
        "tick",
        Cut(start=1.5, end=3.0),
    )
    assert first.about == {"source": "day/1.mp4", "camera": "left", "split": "train"}
    assert (second.key, second.label, second.cut) == ("2", None, Cut())


def test_a_list_of_objects_does_too(tmp_path: Path) -> None:
    table = tmp_path / "list.jsonl"
    rows = [{"path": "1.mp4", "key": "one", "label": 3, "people": [1, 2]}, {"path": "/2.mp4"}]
    table.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    first, second = read_source(table)
    assert (first.key, first.label, first.about["people"]) == ("one", "3", [1, 2])
    assert (second.key, second.path) == ("2", Path("/2.mp4"))


def test_webdataset_files_are_read_where_they_lie(tmp_path: Path) -> None:
    archive(
        tmp_path / "a.tar",
        {
            "x/1.mp4": b"video",
            "x/1.json": b'{"label": "tick", "people": 2}',
            "x/2.cls": b"7",
            "x/2.webm": b"other",
            "x/3.txt": b"no video",
        },
    )
    archive(tmp_path / "b.tar", {"4.mp4": b"last"})
    first, second, third = read_source(tmp_path)
    assert told([first, second, third]) == [("a/x/1", "tick"), ("a/x/2", "7"), ("b/4", None)]
    assert first.about == {"source": "a.tar/x/1.mp4", "people": 2}
    assert first.inside is not None
    offset, length = first.inside
    assert (tmp_path / "a.tar").read_bytes()[offset : offset + length] == b"video"
    assert told(read_source(tmp_path / "b.tar")) == [("b/4", None)]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.csv", "label\nx\n", "has no column path"),
        ("a.csv", "path,start\n1.mp4,soon\n", "line 2: could not convert"),
        ("a.csv", "path,key\n1.mp4,a.b\n", "line 2: 'a.b' is no key"),
        ("a.csv", "path\n", "has no clips"),
        ("a.csv", "path,key\n1.mp4,a\n2.mp4,a\n", "2 clips with the key 'a'"),
        ("a.jsonl", "[1]\n", "line 1 is no JSON object"),
        ("a.jsonl", '{"label": 1}\n', "line 1: it has no path"),
        ("a.jsonl", "nothing\n", "not a JSON object a line"),
        ("a.tar", "nothing", "not a tar file"),
        ("a.txt", "nothing", "is not one of: a folder"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=why):
        read_source(tmp_path / name)


def test_a_store_may_lie_in_the_folder_that_it_is_made_of(tmp_path: Path) -> None:
    """Its shards are tar files, and no clips."""
    (tmp_path / "one.mp4").touch()
    (tmp_path / "store").mkdir()
    archive(tmp_path / "store" / "shard-000000.tar", {"two.mp4": b"in it"})
    assert [each.key for each in read_source(tmp_path)] == ["store/shard-000000/two"]
    (tmp_path / "store" / "manifest.json").touch()
    assert [each.key for each in read_source(tmp_path)] == ["one"]


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there; expected a folder"):
        read_source(tmp_path / "nowhere")
    with pytest.raises(InputError, match="has no clips"):
        read_source(tmp_path)
