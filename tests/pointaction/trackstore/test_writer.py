import os
import signal
import subprocess
import sys
import tarfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pointaction.errors import InputError
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter, write_shard
from tests.pointaction.trackstore.stores import MAKING, contents, filled, sample, samples

# Puts clips into a store and says so of each; to be killed.
WRITES = """
import sys
from pathlib import Path
from tests.pointaction.trackstore.stores import MAKING, samples
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter
with StoreWriter(TrackStore.create(Path(sys.argv[1]), MAKING), clips_per_shard=4) as writer:
    for each in samples(int(sys.argv[2])):
        print("added" if writer.add(each) else "there", flush=True)
"""


def write_until(folder: Path, count: int, *, killed_after: int) -> list[str]:
    """What a process says that writes `count` clips and is killed -9 when it has said so much."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITES, folder, str(count)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().strip() for _ in range(killed_after)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read().split()
    return said


def test_clips_come_back_in_the_order_in_which_they_were_put(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 10)
    assert [seal.clips for seal in store.shards] == [4, 4, 2]
    assert [entry.key for entry in store] == [each.key for each in samples(10)]
    assert len(store) == 10


def test_webdataset_finds_what_it_asks_for(tmp_path: Path) -> None:
    """By its rule: consecutive members belong together up to the first dot of their names."""
    filled(tmp_path / "store", 3)
    with tarfile.open(tmp_path / "store" / "shards" / "shard-00000.tar") as archive:
        names = archive.getnames()
    assert names[:4] == [
        "clips/0000.tracks",
        "clips/0000.json",
        "clips/0001.tracks",
        "clips/0001.json",
    ]


def test_equal_clips_in_equal_order_make_equal_bytes(tmp_path: Path) -> None:
    filled(tmp_path / "one", 6)
    filled(tmp_path / "two", 6)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_clip_that_is_there_is_not_put_again(tmp_path: Path) -> None:
    filled(tmp_path, 6)
    before = contents(tmp_path)
    with StoreWriter(TrackStore(tmp_path), clips_per_shard=4) as writer:
        assert [writer.add(each) for each in samples(6)] == [False] * 6
        assert "clips/0005" in writer
        assert "clips/0006" not in writer
    assert contents(tmp_path) == before


def test_a_shard_is_seen_when_it_is_full_and_not_before(tmp_path: Path) -> None:
    with StoreWriter(TrackStore.create(tmp_path, MAKING), clips_per_shard=2) as writer:
        seen = []
        for each in samples(5):
            writer.add(each)
            seen.append(len(TrackStore(tmp_path)))
    assert seen == [0, 2, 2, 4, 4]
    assert len(TrackStore(tmp_path)) == 5


def test_a_writer_that_fails_leaves_its_shard_to_the_next(tmp_path: Path) -> None:
    store = TrackStore.create(tmp_path / "one", MAKING)
    with suppress(KeyboardInterrupt), StoreWriter(store, clips_per_shard=4) as writer:
        for each in samples(6):
            writer.add(each)
        raise KeyboardInterrupt
    assert len(TrackStore(tmp_path / "one")) == 4
    filled(tmp_path / "one", 7)
    filled(tmp_path / "two", 7)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_store_whose_writer_is_killed_again_and_again_is_as_if_nothing_had_been(
    tmp_path: Path,
) -> None:
    filled(tmp_path / "undisturbed", 30)
    folder = tmp_path / "killed"
    there = 0
    for kill in (3, 9, 13, 22):
        said = write_until(folder, 30, killed_after=kill)
        # The last one of the run before may be there too: it was killed before it could say so.
        assert said == sorted(said, reverse=True)
        assert said.count("there") in (there, there + 1)
        there = len(said)
        assert len(TrackStore(folder)) % 4 == 0  # opens, and has whole shards only
    assert write_until(folder, 30, killed_after=30)[:there] == ["there"] * there
    filled(folder, 30)
    assert contents(folder) == contents(tmp_path / "undisturbed")


@pytest.mark.parametrize("left", [1, 511, 512, 700, 5000])
def test_what_was_half_written_is_written_again(tmp_path: Path, left: int) -> None:
    """The end of an open shard may be cut off anywhere, or be of another file."""
    with StoreWriter(TrackStore.create(tmp_path / "one", MAKING), clips_per_shard=8) as writer:
        for each in samples(3):
            writer.add(each)
        writer.close(seal=False)
        part = next((tmp_path / "one").rglob("*.part"))
        whole = part.read_bytes()
        part.write_bytes(whole[:-left])
        filled(tmp_path / "one", 5, clips_per_shard=8)
    filled(tmp_path / "two", 5, clips_per_shard=8)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_clip_that_the_disk_has_changed_is_written_again(tmp_path: Path) -> None:
    writer = StoreWriter(TrackStore.create(tmp_path / "one", MAKING), clips_per_shard=8)
    for each in samples(3):
        writer.add(each)
    entry = writer._open.entries[1] if writer._open else pytest.fail("nothing is open")
    writer.close(seal=False)
    with next((tmp_path / "one").rglob("*.part")).open("r+b") as part:
        part.seek(entry.parts["tracks"].offset)
        part.write(b"other")
    filled(tmp_path / "one", 3, clips_per_shard=8)
    filled(tmp_path / "two", 3, clips_per_shard=8)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_shard_that_was_moved_and_not_sealed_is_sealed_by_the_next(tmp_path: Path) -> None:
    filled(tmp_path / "one", 6)
    seal = tmp_path / "one" / "shards" / "shard-00001.json"
    seal.rename(f"{seal}.123.part")  # that it had begun to write
    assert len(TrackStore(tmp_path / "one")) == 4
    filled(tmp_path / "one", 6)
    filled(tmp_path / "two", 6)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_shard_that_was_removed_is_made_again_in_its_place(tmp_path: Path) -> None:
    filled(tmp_path, 12)
    before = contents(tmp_path)
    for path in (tmp_path / "shards").glob("shard-00001.*"):
        path.unlink()
    filled(tmp_path, 12)
    assert contents(tmp_path) == before


def test_two_do_not_write_under_one_name(tmp_path: Path) -> None:
    store = TrackStore.create(tmp_path, MAKING)
    with StoreWriter(store), pytest.raises(InputError, match="another process writes to"):
        StoreWriter(store)
    StoreWriter(store).close()


def test_two_write_under_two_names(tmp_path: Path) -> None:
    store = TrackStore.create(tmp_path, MAKING)
    with StoreWriter(store, name="a") as one, StoreWriter(store, name="b") as other:
        one.add(sample(1))
        other.add(sample(2))
    assert [seal.name for seal in TrackStore(tmp_path).shards] == ["a-00000", "b-00000"]


def test_a_store_takes_clips_of_one_making(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    with pytest.raises(InputError, match="made otherwise: tracks was 6 and is 7"):
        TrackStore.create(tmp_path, replace(MAKING, tracks=7))


def test_a_planned_shard_is_the_same_whoever_makes_it(tmp_path: Path) -> None:
    one = TrackStore.create(tmp_path / "one", MAKING)
    two = TrackStore.create(tmp_path / "two", MAKING)
    for number in (0, 1):
        write_shard(one, f"{number:05d}", [sample(2 * number), sample(2 * number + 1)])
    for number in (1, 0):
        write_shard(two, f"{number:05d}", [sample(2 * number), sample(2 * number + 1)])
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    write_shard(two, "00000", [])  # is there already
    with pytest.raises(InputError, match="no clip was given for the shard 00002"):
        write_shard(two, "00002", [])
    assert [entry.key for entry in TrackStore(tmp_path / "two")] == [e.key for e in samples(4)]


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    store = TrackStore.create(tmp_path, MAKING)
    for name in ("../a", "a/b", "", "a.b", "x" * 65):
        with pytest.raises(InputError, match="is no name for shards"):
            StoreWriter(store, name=name)


def test_a_full_disk_leaves_no_broken_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = StoreWriter(TrackStore.create(tmp_path / "one", MAKING), clips_per_shard=8)
    writer.add(sample(0))
    write = os.write

    def full(file: int, data: memoryview) -> int:
        write(file, data[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        with pytest.raises(OSError, match="No space"):
            writer.add(sample(1))
    assert "clips/0001" not in writer
    writer.add(sample(1))
    writer.close()
    filled(tmp_path / "two", 2, clips_per_shard=8)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_bucket_gets_whole_shards_that_are_collected_here(s3: str, tmp_path: Path) -> None:
    url = f"{s3}/{tmp_path.name}"
    with pytest.raises(InputError, match="say in which folder of this machine"):
        StoreWriter(TrackStore.create(url, MAKING))
    begun = StoreWriter(TrackStore(url), clips_per_shard=4, spool=tmp_path / "spool")
    with suppress(KeyboardInterrupt), begun as writer:
        for each in samples(6):
            writer.add(each)
        raise KeyboardInterrupt
    assert len(TrackStore(url)) == 4
    store = filled(url, 7, spool=tmp_path / "spool")
    here = filled(tmp_path / "here", 7)
    assert store.shards == here.shards
    assert store.digest == here.digest
    np.testing.assert_array_equal(store.read("clips/0006").xy, here.read("clips/0006").xy)
    assert [path.suffix for path in (tmp_path / "spool").rglob("*") if path.is_file()] == [".lock"]


def test_a_shard_that_is_sealed_already_is_not_collected_again(s3: str, tmp_path: Path) -> None:
    """The process may have died after the seal, and before it put away what it had collected."""
    url = f"{s3}/{tmp_path.name}"
    writer = StoreWriter(TrackStore.create(url, MAKING), spool=tmp_path / "spool")
    writer.add(sample(0))
    writer.close(seal=False)
    part = next((tmp_path / "spool").rglob("*.part"))
    left = part.read_bytes()
    store = filled(url, 2, spool=tmp_path / "spool")
    part.write_bytes(left)
    assert filled(url, 2, spool=tmp_path / "spool").digest == store.digest
    assert not part.exists()
