import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pointaction.errors import InputError
from pointaction.models.catalog import Entry
from pointaction.models.catalog_file import (
    change_catalog,
    with_alias,
    with_entry,
    without_entry,
)
from tests.pointaction.training.test_register import entry

CATALOG = """# This store is ours.

[aliases]
other = "first"   # by hand

[models.first]   # the oldest
version = "1"

[models.first.inputs]
tracks = 512 # any number

# About the second.
[models."second"]
version = "3"

# Of others.

[downloads.third]
url = "somewhere"
"""


def test_a_new_entry_goes_to_the_end_and_nothing_else_changes() -> None:
    text = with_entry(CATALOG, entry("third"))
    assert text.startswith(CATALOG)
    table = tomllib.loads(text)["models"]["third@1"]
    assert table["source"] == 'made by "hand"'
    assert table["inputs"] == {"tracks": 512, "channels": ["x", "y"]}


def test_a_version_is_there_once_however_often_it_is_given() -> None:
    once = with_entry(CATALOG, entry("second", "4"))
    assert with_entry(once, entry("second", "4")) == once
    assert list(tomllib.loads(once)["models"]) == ["first", "second", "second@4"]


@pytest.mark.parametrize("version", ["2", "1.1", "2026-11-21"])
def test_what_was_added_can_be_taken_out_again(version: str) -> None:
    text = with_entry(CATALOG, entry("second", version))
    assert without_entry(text, f"second@{version}") == CATALOG


def test_an_entry_goes_with_what_is_said_of_it_and_nothing_else() -> None:
    text = without_entry(CATALOG, "second")
    assert text == CATALOG.replace('# About the second.\n[models."second"]\nversion = "3"\n\n', "")
    text = without_entry(CATALOG, "first")
    assert list(tomllib.loads(text)["models"]) == ["second"]
    for comment in ("# This store is ours.", "# About the second.", "# Of others."):
        assert text.count(comment) == 1
    assert without_entry(CATALOG, "fourth") == CATALOG


def test_an_alias_is_changed_where_it_stands_or_added_to_its_table() -> None:
    changed = with_alias(CATALOG, "other", "second@3")
    assert changed == CATALOG.replace('other = "first"   # by hand', 'other = "second@3"')
    added = with_alias(CATALOG, "default", "first")
    assert tomllib.loads(added)["aliases"] == {"default": "first", "other": "first"}
    assert added.replace('default = "first"\n', "") == CATALOG


def test_a_catalogue_without_aliases_gets_a_table_of_them() -> None:
    plain = CATALOG.replace('[aliases]\nother = "first"   # by hand\n\n', "")
    text = with_alias(plain, "default", "first")
    assert text.startswith(plain)
    assert tomllib.loads(text)["aliases"] == {"default": "first"}


def test_a_change_that_nobody_could_read_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text(CATALOG)
    with pytest.raises(tomllib.TOMLDecodeError):
        change_catalog(tmp_path, lambda text: text + "[models.")
    assert (tmp_path / "catalog.toml").read_text() == CATALOG


def test_a_full_disk_leaves_the_catalogue_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text(CATALOG)
    (tmp_path / "catalog.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match="no space is left"):
        change_catalog(tmp_path, lambda text: with_alias(text, "default", "first"))
    assert (tmp_path / "catalog.toml").read_text() == CATALOG


def test_of_two_who_change_it_at_once_neither_is_lost(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text(CATALOG)

    def add(given: Entry) -> None:
        change_catalog(tmp_path, lambda text: with_entry(text, given))

    given = [entry(name, str(version)) for version in range(10) for name in ("a", "b")]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, given))
    assert len(tomllib.loads((tmp_path / "catalog.toml").read_text())["models"]) == 22
