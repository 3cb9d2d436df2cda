import os
import pickle
from pathlib import Path

import pytest

from pointaction.errors import InputError, MissingExtra
from pointaction.trackstore.files import Files, open_files


@pytest.fixture(params=["folder", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "folder":
        return open_files(tmp_path / "store")
    return open_files(f"{request.getfixturevalue('s3')}/{tmp_path.name}")


def test_what_is_written_is_read(files: Files, tmp_path: Path) -> None:
    assert files.names("shards") == []
    with pytest.raises(FileNotFoundError):
        files.read("shards/a")
    files.write("shards/b", b"old")
    files.write("shards/b", b"0123456789")
    files.write("shards/a", b"abc")
    files.write("other", b"")
    assert files.names("shards") == ["a", "b"]
    assert files.read("shards/b") == b"0123456789"
    assert files.read_all(["shards/b", "shards/a"]) == [b"0123456789", b"abc"]
    assert files.read_all([]) == []


def test_ranges_come_in_the_order_they_were_asked_for(files: Files) -> None:
    files.write("file", bytes(range(200)) + bytes(100_000) + b"end")
    ranges = [(100_200, 100_203), (0, 3), (1, 2), (150, 200), (3, 3)]
    assert files.read_ranges("file", ranges) == [
        b"end",
        b"\0\1\2",
        b"\1",
        bytes(range(150, 200)),
        b"",
    ]


def test_what_goes_past_the_end_is_short(files: Files) -> None:
    files.write("file", b"abc")
    assert files.read_ranges("file", [(0, 2), (1, 9)]) == [b"ab", b"bc"]


def test_a_file_of_this_machine_is_taken(files: Files, tmp_path: Path) -> None:
    files.write("shards/a", b"")  # as a store has it: the folder is there
    path = (files.folder / "shards" if files.folder else tmp_path) / "a.part"
    path.write_bytes(b"abc")
    files.take(path, "shards/a")
    assert files.read("shards/a") == b"abc"


def test_a_process_that_is_forked_reads_too(files: Files) -> None:
    """As the processes of a DataLoader are; an S3 client is not to be used across a fork."""
    files.write("file", b"abc")
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, files.read("file"))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 3) == b"abc"
    os.close(read)
    os.close(write)


def test_it_is_the_same_after_a_pickle(files: Files) -> None:
    files.write("file", b"abc")
    assert pickle.loads(pickle.dumps(files)).read("file") == b"abc"


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    files = open_files(tmp_path)
    files.write("file", b"abc")
    assert files.names("") == ["file"]


def test_an_address_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match="no address of a store"):
        open_files("nowhere://bucket")


def test_an_extra_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str, **options: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(MissingExtra, match=r"pointaction\[s3\]"):
        open_files("s3://another-bucket")
