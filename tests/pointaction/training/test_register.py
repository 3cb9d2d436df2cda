import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.models.catalog import DEFAULT_STORE, Entry, read_catalog, verify
from pointaction.models.digests import digest
from pointaction.training.register import prepare_store, register, with_entry

CATALOG = """# This store is ours.

[models.first]   # the oldest
version = "1"

[models.first.inputs]
tracks = 512 # any number

# About the second.
[models."second"]
version = "3"
"""


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


def test_a_new_entry_goes_to_the_end_and_nothing_else_changes() -> None:
    text = with_entry(CATALOG, entry("third"))
    assert text.startswith(CATALOG)
    table = tomllib.loads(text)["models"]["third"]
    assert table["source"] == 'made by "hand"'
    assert table["inputs"] == {"tracks": 512, "channels": ["x", "y"]}


@pytest.mark.parametrize("name", ["first", "second"])
def test_an_entry_is_replaced_where_it_stands(name: str) -> None:
    text = with_entry(CATALOG, entry(name, "9"))
    models = tomllib.loads(text)["models"]
    assert list(models) == ["first", "second"]
    assert models[name]["version"] == "9"
    for comment in ("# This store is ours.", "# About the second."):
        assert text.count(comment) == 1
    if name == "second":
        assert CATALOG.split('[models."')[0] in text
    assert with_entry(text, entry(name, "9")) == text


def test_an_entry_is_read_back_as_it_was_given(tmp_path: Path) -> None:
    store, weights = tmp_path / "store", tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")
    assert prepare_store(store, "own", replace=False) == "1"
    given = replace(entry("own"), sha256=digest(weights))
    register(store, given, weights, "# own")
    assert read_catalog(store)["own"] == given
    assert verify(store, given).read_bytes() == b"weights"
    assert set(read_catalog(store)) == {*read_catalog(DEFAULT_STORE), "own"}


def test_a_replaced_model_is_the_next_version_beside_the_last(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")
    prepare_store(tmp_path, "own", replace=False)
    register(tmp_path, entry("own"), weights, "")
    assert prepare_store(tmp_path, "own", replace=True) == "2"
    register(tmp_path, entry("own", "2"), weights, "")
    assert read_catalog(tmp_path)["own"].version == "2"
    assert (tmp_path / "own" / "1" / "labels.txt").exists()


@pytest.mark.parametrize("name", ["", "My Model", "../up", "a.b", "-a", "x" * 65])
def test_a_name_that_cannot_be_a_folder_and_a_table_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no name for a model"):
        prepare_store(tmp_path, name, replace=False)
