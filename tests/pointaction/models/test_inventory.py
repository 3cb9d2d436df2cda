from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from pointaction.errors import DamagedWeights, InputError, NotInstalled, UnknownModel
from pointaction.models.catalog import DEFAULT_STORE, find, read_catalog
from pointaction.models.inventory import (
    everything,
    held,
    lookup,
    pinned,
    remove,
    set_default,
    size,
)
from pointaction.training.register import prepare_store, register
from tests.pointaction.models.stores import know_downloads, pretend, small_store

WEIGHTS = b"weights of mine"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """`small`, and `mine` in two versions with the same labels."""
    store = tmp_path / "store"
    store.mkdir()
    small_store(store)
    know_downloads(store)
    (tmp_path / "weights").write_bytes(WEIGHTS)
    for version in ("1", "2"):
        assert prepare_store(store, "mine", replace=True) == version
        own = replace(
            find(store, "small"),
            name="mine",
            version=version,
            file=f"mine/{version}/weights.safetensors",
            card=f"mine/{version}/README.md",
            sha256=sha256(WEIGHTS).hexdigest(),
        )
        register(store, own, tmp_path / "weights", "# mine")
    return store


def test_a_store_that_is_whole_has_no_faults(store: Path) -> None:
    files = everything(store)
    assert [file.of for file in files] == ["small@1", "mine@1", "mine@2"]
    assert [file.fault for file in files] == [None] * 3
    assert size(store, find(store, "mine")) == len(WEIGHTS)


def test_a_changed_byte_and_a_missing_file_are_faults_with_a_remedy(store: Path) -> None:
    first, second = (held(store, find(store, f"mine@{version}"))[0] for version in (1, 2))
    assert first.fault is None
    first.path.write_bytes(WEIGHTS.replace(b"m", b"n"))
    second.path.unlink()
    assert "has digest" in str(first.fault)
    assert "models default" in str(first.fault)
    assert str(second.fault).startswith("is missing; ")


def test_weights_of_others_are_asked_of_their_receipt(store: Path) -> None:
    download = lookup(store, "cotracker3")
    with pytest.raises(NotInstalled):
        held(store, download)
    assert size(store, download) == 0
    pretend(store, "cotracker3", sha256(WEIGHTS).hexdigest())
    path = store / "cotracker3" / "weights.safetensors"
    path.write_bytes(b"others")
    (file,) = held(store, download)
    assert "run: pointaction models pull cotracker3 --accept-licence" in str(file.fault)
    path.write_bytes(WEIGHTS)
    assert file.fault is None
    assert file in everything(store)


def test_an_unknown_name_is_answered_with_what_there_is(store: Path) -> None:
    with pytest.raises(UnknownModel, match="it has mine, small, and to be pulled cotracker3, "):
        lookup(store, "oracle")


def test_the_default_goes_on_and_back_by_one_word(store: Path) -> None:
    assert pinned(store, "default") == "small@1"
    before = (store / "catalog.toml").read_text()
    for name, means in (("mine", "mine@2"), ("mine@1", "mine@1"), ("mine@2", "mine@2")):
        set_default(store, name)
        assert pinned(store, "default") == means
    changed = (store / "catalog.toml").read_text()
    assert changed.replace('\n[aliases]\ndefault = "mine@2"\n', "") == before


def test_a_default_follows_the_name_but_not_from_a_version(store: Path, tmp_path: Path) -> None:
    third = replace(find(store, "mine"), version="3")
    set_default(store, "mine@2")
    register(store, third, tmp_path / "weights", "")
    assert pinned(store, "default") == "mine@2"
    set_default(store, "mine")
    register(store, replace(third, version="4"), tmp_path / "weights", "")
    assert pinned(store, "default") == "mine@4"


def test_what_is_damaged_cannot_become_the_default(store: Path) -> None:
    (store / "mine" / "2" / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(DamagedWeights, match="mine cannot be the default: .* has digest"):
        set_default(store, "mine")
    assert pinned(store, "default") == "small@1"
    with pytest.raises(UnknownModel, match="a head of few-shot episodes"):
        set_default(DEFAULT_STORE, "strm")


def test_a_version_goes_with_its_files_and_the_one_before_has_the_name_again(store: Path) -> None:
    with pytest.raises(InputError, match="several versions; name one of mine@1, mine@2"):
        remove(store, "mine")
    remove(store, "mine@2")
    assert list(read_catalog(store)) == ["small", "mine"]
    assert find(store, "mine").version == "1"
    assert {path.name for path in (store / "mine").iterdir()} == {"1"}
    remove(store, "mine")
    assert list(read_catalog(store)) == ["small"]
    assert not (store / "mine").exists()
    assert held(store, find(store, "small"))[0].fault is None  # though the labels are the same


def test_what_answers_by_default_or_by_an_alias_stays(store: Path) -> None:
    with pytest.raises(InputError, match="small@1 is what the alias 'default' stands for; let"):
        remove(store, "small")
    with pytest.raises(InputError, match="mine@2 is what POINTACTION_DEFAULT_MODEL stands for"):
        remove(store, "mine@2", also_default="mine")
    remove(store, "mine@1", also_default="mine")
    assert find(store, "mine").version == "2"
    with pytest.raises(InputError, match="strm came with PointAction"):
        remove(DEFAULT_STORE, "strm")


def test_removed_weights_of_others_can_be_pulled_again(store: Path) -> None:
    with pytest.raises(NotInstalled, match="models pull cotracker3"):
        remove(store, "cotracker3")
    pretend(store, "cotracker3")
    (store / "cotracker3" / "weights.safetensors").touch()
    remove(store, "cotracker3")
    assert not (store / "cotracker3").exists()


def test_a_file_outside_of_the_store_is_never_deleted(store: Path, tmp_path: Path) -> None:
    catalog = store / "catalog.toml"
    catalog.write_text(catalog.read_text().replace("mine/2/weights.safetensors", "../weights"))
    remove(store, "mine@2")
    assert (tmp_path / "weights").exists()
