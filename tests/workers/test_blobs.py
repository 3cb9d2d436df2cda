import os
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests.s3 import local_s3
from workers.blobs import (
    BlobStore,
    clip_name,
    example_tracks_name,
    features_name,
    overlay_name,
    part_name,
    timeline_name,
)

NAME = clip_name("a" * 64)
DRAWING = overlay_name("b" * 64, head="mean", format="png")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of a local S3 with an empty bucket."""
    with local_s3("bucket") as url:
        yield url


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """A local folder, fsspec's memory in the part of an object store, and an S3."""
    if request.param == "folder":
        return BlobStore(str(tmp_path / "blobs"))
    if request.param == "memory":
        return BlobStore(f"memory://{tmp_path.name}")
    return BlobStore(f"{request.getfixturevalue('s3')}/{tmp_path.name}")


def put(store: BlobStore, folder: Path, name: str, data: bytes) -> None:
    path = folder / "incoming"
    path.write_bytes(data)
    store.put_file(path, name)
    assert not path.exists()


def test_what_is_put_is_there_until_it_is_deleted(store: BlobStore, tmp_path: Path) -> None:
    assert not store.exists(NAME)
    put(store, tmp_path, NAME, b"abc")

    assert store.exists(NAME)
    assert store.size(NAME) == 3
    with store.open(NAME) as file:
        assert file.read() == b"abc"
    with store.local_path(NAME) as path:
        assert path.read_bytes() == b"abc"

    store.delete(NAME)
    assert not store.exists(NAME)
    store.delete(NAME)


def test_bytes_are_kept_as_files_are(store: BlobStore) -> None:
    assert store.get(NAME) is None
    store.put(b"abc", NAME)
    assert store.get(NAME) == b"abc"


def test_examples_stay_until_they_are_deleted(store: BlobStore) -> None:
    mine, yours, first, second = ("1" * 32, "2" * 32, "a" * 32, "b" * 32)
    assert store.episodes() == []
    store.put(b"abc", example_tracks_name(mine, first))
    store.put(b"abc", features_name(mine, first, made_by="0" * 64))
    store.put(b"abc", example_tracks_name(mine, second))
    store.put(b"abc", example_tracks_name(yours, first))
    assert store.sweep(older_than_s=-60) == 0
    assert sorted(store.episodes()) == [mine, yours]

    store.delete_example(mine, first)
    assert not store.exists(features_name(mine, first, made_by="0" * 64))
    assert store.exists(example_tracks_name(mine, second))
    store.delete_episode(mine)
    assert not store.exists(example_tracks_name(mine, second))
    assert store.episodes() == [yours]
    store.delete_episode(mine)
    assert store.exists(example_tracks_name(yours, first))


def test_what_was_found_in_a_video_goes_with_it(store: BlobStore) -> None:
    """All of it, or what one job has found in its turns."""
    mine, yours, job, other = "a" * 64, "b" * 64, "1" * 32, "2" * 32
    store.delete_timelines(mine)
    whole = [timeline_name(each, "c" * 64) for each in (mine, yours)]
    parts = [part_name(mine, each, "f" * 32) for each in (job, other)]
    for name in (*whole, *parts):
        store.put(b"abc", name)
    store.delete_timelines(mine, job)
    assert [store.exists(name) for name in (*whole, *parts)] == [True, True, False, True]
    store.delete_timelines(mine)
    assert [store.exists(name) for name in (*whole, *parts)] == [False, True, False, False]
    assert store.sweep(older_than_s=-60) == 1


def test_a_second_put_replaces_the_first(store: BlobStore, tmp_path: Path) -> None:
    put(store, tmp_path, NAME, b"old")
    put(store, tmp_path, NAME, b"new")
    with store.open(NAME) as file:
        assert file.read() == b"new"


def test_a_missing_blob_is_a_missing_file(store: BlobStore) -> None:
    with pytest.raises(FileNotFoundError):
        store.open(NAME)
    with pytest.raises(FileNotFoundError), store.local_path(NAME):
        pass
    with pytest.raises(FileNotFoundError):
        store.size(NAME)


@pytest.mark.parametrize(
    "name",
    [
        "clips/../../etc/passwd",
        "/etc/passwd",
        "clips/" + "a" * 63,
        "clips/" + "A" * 64,
        "clips/" + "a" * 64 + "\n",
        "overlays/" + "b" * 64 + "-1.exe",
        "overlays/" + "b" * 64 + "-../x.png",
        "timelines/" + "a" * 64 + ".npz",
        "timelines/" + "a" * 64 + "." + "b" * 64 + "/x.npz",
        "episodes/" + "a" * 32 + "/../clips.tracks.npz",
        "episodes/" + "a" * 32 + "/" + "b" * 32 + ".features",
        "",
    ],
)
def test_a_name_of_another_form_is_refused(store: BlobStore, name: str) -> None:
    with pytest.raises(ValueError, match="not a blob's name"):
        store.open(name)


def test_the_sweep_takes_what_is_old(store: BlobStore, tmp_path: Path) -> None:
    for name in (NAME, DRAWING):
        put(store, tmp_path, name, b"abc")
    assert store.sweep(older_than_s=60) == 0
    assert store.sweep(older_than_s=-60) == 2
    assert not store.exists(NAME)
    assert store.sweep(older_than_s=-60) == 0


def test_a_local_sweep_goes_by_the_time_of_writing(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path / "blobs"))
    for name in (NAME, DRAWING):
        put(store, tmp_path, name, b"abc")
    hour_ago = time.time() - 3600
    os.utime(tmp_path / "blobs" / NAME, (hour_ago, hour_ago))
    assert store.sweep(older_than_s=1800) == 1
    assert store.exists(DRAWING)


def test_a_blob_put_again_lives_on(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path / "blobs"))
    put(store, tmp_path, NAME, b"abc")
    hour_ago = time.time() - 3600
    os.utime(tmp_path / "blobs" / NAME, (hour_ago, hour_ago))
    put(store, tmp_path, NAME, b"abc")
    assert store.sweep(older_than_s=1800) == 0


def test_nothing_half_written_is_ever_seen(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path / "blobs"))
    put(store, tmp_path, NAME, b"abc")
    assert [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == ["a" * 64]


def test_a_store_can_be_checked(store: BlobStore, tmp_path: Path) -> None:
    put(store, tmp_path, NAME, b"abc")
    store.check()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        BlobStore(str(tmp_path / "file" / "blobs")).check()


def test_an_empty_store_can_be_checked(store: BlobStore, tmp_path: Path) -> None:
    store.check()
    store.check()
    assert store.sweep(older_than_s=-60) == 0
    assert store.episodes() == []
    put(store, tmp_path, NAME, b"abc")
    assert store.exists(NAME)


def test_the_object_store_is_behind_fsspec(tmp_path: Path) -> None:
    store = BlobStore(f"memory://{tmp_path.name}")
    put(store, tmp_path, NAME, b"abc")
    assert fsspec.filesystem("memory").cat(f"/{tmp_path.name}/{NAME}") == b"abc"
