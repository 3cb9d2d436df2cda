import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pointaction.errors import InputError
from pointaction.trackstore.index import Seal
from pointaction.trackstore.sample import Sample
from pointaction.trackstore.store import TrackStore
from pointaction.trackstore.writer import StoreWriter
from tests.pointaction.trackstore.stores import (
    BACKBONE,
    MAKING,
    filled,
    looked_at,
    sample,
    seen,
    wandering,
)


def test_a_clip_is_read_by_its_key(tmp_path: Path) -> None:
    store = filled(tmp_path, 6)
    found = store.read("clips/0005")
    assert np.abs(found.xy - wandering(5).xy).max() <= 1 / 64
    entry = store.entry("clips/0005")
    assert (entry.label, entry.frames, entry.tracks) == ("b", 5, 6)
    assert entry.size == (48, 64)
    assert entry.duration_s == pytest.approx(0.32)
    assert entry.about == {"source": "5.mp4"}


def test_a_clip_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no clip 'clips/0006'"):
        filled(tmp_path, 6).read("clips/0006")


def test_features_lie_beside_the_tracks(tmp_path: Path) -> None:
    store = looked_at(tmp_path, 6)
    found = store.features("clips/0005")
    assert found is not None
    np.testing.assert_array_equal(found.tokens, seen(5).tokens)
    assert store.entry("clips/0005").features == (4, 3)
    assert np.abs(store.read("clips/0005").xy - wandering(5).xy).max() <= 1 / 64


def test_without_a_backbone_there_are_no_features(tmp_path: Path) -> None:
    store = filled(tmp_path, 2)
    assert store.features("clips/0001") is None
    assert store.entry("clips/0001").features is None


def test_features_that_are_missing_or_nobodys_are_faults(tmp_path: Path) -> None:
    looked, plain = looked_at(tmp_path / "looked", 6), filled(tmp_path / "plain", 6)
    assert looked.faults(1, decoding=True) == plain.faults(1, decoding=True) == []
    looked.making, plain.making = plain.making, looked.making
    assert looked.faults(1) == [
        f"shards/shard-00001.tar: clips/000{number} has features, and the manifest names no "
        "backbone"
        for number in (4, 5)
    ]
    assert plain.faults(1)[0].endswith("0004 has no features, and the manifest names a backbone")


def test_features_of_another_shape_than_the_clip_says_are_a_fault(tmp_path: Path) -> None:
    making = replace(MAKING, backbone=BACKBONE)
    with StoreWriter(TrackStore.create(tmp_path, making)) as writer:
        members = replace(sample(1), features=seen(1)).members()
        members["json"] = members["json"].replace(b"[4, 3]", b"[4, 5]")
        writer.add_members("clips/0001", members)
    assert TrackStore(tmp_path).faults(0) == []
    (fault,) = TrackStore(tmp_path).faults(0, decoding=True)
    assert "clips/0001.features is (4, 3), and the clip's json says (4, 5)" in fault


def test_a_large_shard_is_compared_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointaction.trackstore.store._PIECE", 5000)  # two or three clips
    filled(tmp_path, 9, clips_per_shard=9)
    assert TrackStore(tmp_path).faults(0) == []
    spoil(tmp_path, "clips/0007")
    (fault,) = TrackStore(tmp_path).faults(0)
    assert "clips/0007.tracks has digest" in fault
    spoil(tmp_path, "clips/0007")
    append(tmp_path / "shards" / "shard-00000.tar")
    (fault,) = TrackStore(tmp_path).faults(0)
    assert "shard-00000.tar has digest" in fault


def test_the_digest_tells_of_another_clip(tmp_path: Path) -> None:
    digests = {
        filled(tmp_path / name, count).digest
        for name, count in (("one", 5), ("two", 5), ("three", 6))
    }
    assert len(digests) == 2


def test_what_is_no_store_says_so(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="is no track store"):
            TrackStore(place)


def spoil(folder: Path, key: str) -> None:
    """Change one byte of a clip's tracks."""
    store = TrackStore(folder)
    place = store.places[key]
    part = store.entry(key).parts["tracks"]
    with (folder / store.shards[place.shard].tar).open("r+b") as file:
        file.seek(part.offset + part.length // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def test_a_damaged_clip_is_refused_by_its_name_and_file(tmp_path: Path) -> None:
    filled(tmp_path, 6)
    spoil(tmp_path, "clips/0004")
    store = TrackStore(tmp_path)
    with pytest.raises(InputError, match=r"shard-00001.tar is damaged: clips/0004.tracks has di"):
        store.read("clips/0004")
    assert store.read("clips/0005").size == (48, 64)
    assert store.faults(0) == []
    (fault,) = store.faults(1)
    assert "shard-00001.tar: clips/0004.tracks has digest" in fault


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def compress(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


@pytest.mark.parametrize("harm", [append, cut, compress, Path.unlink])
@pytest.mark.parametrize("suffix", ["tar", "jsonl"])
def test_whatever_happens_to_a_shard_is_found(
    tmp_path: Path, harm: Callable[[Path], None], suffix: str
) -> None:
    filled(tmp_path, 6)
    harm(tmp_path / "shards" / f"shard-00000.{suffix}")
    store = TrackStore(tmp_path)
    assert store.faults(0) != []
    assert store.faults(1) == []


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, 6)
    index = tmp_path / "shards" / "shard-00001.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"a"', b'"b"'))
    with pytest.raises(InputError, match="shard-00001.jsonl is damaged"):
        TrackStore(tmp_path).read("clips/0001")


def test_a_seal_that_is_none_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, 6)
    for text in (b"", b"[]", b"{}", b'{"name": "a"}'):
        (tmp_path / "shards" / "shard-00001.json").write_bytes(text)
        with pytest.raises(InputError, match="shard-00001.json is not the seal of a shard"):
            TrackStore(tmp_path)


def test_what_cannot_be_decoded_is_a_fault_though_its_checksum_is_right(tmp_path: Path) -> None:
    with StoreWriter(TrackStore.create(tmp_path, MAKING)) as writer:
        members = sample(1).members()
        other = Sample(key="a", tracks=wandering(1)).members()
        assert writer.add_members("a", other)
        broken = {"tracks": b"nothing", "json": members["json"]}
        with pytest.raises(ValueError, match="not the members"):
            writer.add_members("clips/0001", broken)
    assert TrackStore(tmp_path).faults(0, decoding=True) == []


def test_a_clip_that_two_writers_were_given_is_told(tmp_path: Path) -> None:
    store = TrackStore.create(tmp_path, MAKING)
    with StoreWriter(store, name="a") as one, StoreWriter(store, name="b") as other:
        for writer in (one, other):
            writer.add(sample(1))
        other.add(sample(2))
    assert TrackStore(tmp_path).repeated() == ["clips/0001"]


def test_a_reader_is_not_disturbed_by_what_is_written_meanwhile(tmp_path: Path) -> None:
    store = filled(tmp_path, 4)
    filled(tmp_path, 8)
    assert len(store) == 4
    assert len(TrackStore(tmp_path)) == 8
    assert store.read("clips/0003").size == (48, 64)


def test_an_index_that_was_read_is_kept_for_a_while(tmp_path: Path) -> None:
    store = filled(tmp_path, 40, clips_per_shard=1)
    for number in range(40):
        assert store.entries(number)[0].key == f"clips/{number:04d}"
    assert store.entries(0) is store.entries(0)


def test_a_seal_is_read_as_it_was_written() -> None:
    seal = Seal(name="a", clips=1, length=2, sha256="3", index_sha256="4")
    assert Seal.from_bytes(seal.to_bytes(), of="a") == seal
    assert (seal.tar, seal.index, seal.file) == ("shards/a.tar", "shards/a.jsonl", "shards/a.json")
