from dataclasses import replace
from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.models.catalog import DEFAULT_STORE, Entry, find, read_catalog, verify
from pointaction.models.digests import digest
from pointaction.training.register import prepare_store, register


def entry(name: str, version: str = "1") -> Entry:
    return Entry(
        name=name,
        version=version,
        task="classification",
        builder="traction_tiny",
        file=f"{name}/{version}/weights.safetensors",
        sha256="0" * 64,
        licence="Apache-2.0",
        commercial_use=True,
        source='made by "hand"',
        parameters=3,
        labels=("äpfel pflücken", "nod"),
        inputs={"tracks": 512, "channels": ["x", "y"]},
        card=f"{name}/{version}/README.md",
    )


def test_an_entry_is_read_back_as_it_was_given(tmp_path: Path) -> None:
    store, weights = tmp_path / "store", tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")
    assert prepare_store(store, "own", replace=False) == "1"
    given = replace(entry("own"), sha256=digest(weights))
    register(store, given, weights, "# own")
    assert read_catalog(store)["own"] == given
    assert verify(store, given).read_bytes() == b"weights"
    assert set(read_catalog(store)) == {*read_catalog(DEFAULT_STORE), "own"}


def test_a_later_version_takes_the_name_and_leaves_the_earlier_one(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")
    prepare_store(tmp_path, "own", replace=False)
    register(tmp_path, entry("own"), weights, "")
    with pytest.raises(InputError, match="--replace: then own means the new one.* as own@1"):
        prepare_store(tmp_path, "own", replace=False)
    assert prepare_store(tmp_path, "own", replace=True) == "2"
    register(tmp_path, entry("own", "2"), weights, "")
    known = read_catalog(tmp_path)
    assert (known["own"].version, known["own@1"].version) == ("2", "1")
    assert find(tmp_path, "own@1") == entry("own")
    assert find(tmp_path, "own@2") == find(tmp_path, "own") == entry("own", "2")
    assert (tmp_path / "own" / "1" / "labels.txt").exists()


def test_a_version_that_is_no_number_is_counted_on(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.touch()
    prepare_store(tmp_path, "own", replace=False)
    register(tmp_path, entry("own", "spring"), weights, "")
    assert prepare_store(tmp_path, "own", replace=True) == "spring.1"
    register(tmp_path, entry("own", "spring.1"), weights, "")
    assert find(tmp_path, "own").version == "spring.1"
    assert find(tmp_path, "own@spring").version == "spring"


def test_a_word_that_stands_for_another_model_is_no_name_for_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'default' stands for another model"):
        prepare_store(tmp_path, "default", replace=True)


def test_a_full_disk_leaves_the_catalogue_as_it_was(tmp_path: Path) -> None:
    prepare_store(tmp_path, "own", replace=False)
    before = (tmp_path / "catalog.toml").read_bytes()
    weights, full = tmp_path / "weights.safetensors", tmp_path / "own" / "1" / "weights.safetensors"
    weights.write_bytes(b"weights")
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")
    with pytest.raises(InputError, match="no space is left"):
        register(tmp_path, entry("own"), weights, "")
    assert (tmp_path / "catalog.toml").read_bytes() == before
    assert not full.is_symlink()


@pytest.mark.parametrize("name", ["", "My Model", "../up", "a.b", "-a", "x" * 65])
def test_a_name_that_cannot_be_a_folder_and_a_table_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no name for a model"):
        prepare_store(tmp_path, name, replace=False)
