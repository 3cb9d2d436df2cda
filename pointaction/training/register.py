"""A trained model becomes an entry of a model store, ready to be served.

A running service reads the catalogue at every request, so it offers the model from then on. The
versions before stay beside it, as NAME@VERSION.
"""

import re
import shutil
from pathlib import Path

from pointaction.errors import InputError
from pointaction.models.catalog import Entry, aliases, own_store, read_catalog, read_tables
from pointaction.models.catalog_file import change_catalog, labels_file, with_entry
from pointaction.models.room import writing

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def prepare_store(store: Path, name: str, *, replace: bool) -> str:
    """Make sure that `name` can be registered in `store`, and return the version it will have.

    A store that is not there yet begins as a copy of the shipped one, so that it can be served.
    Raises InputError before a long training rather than after it.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name for a model: lower-case letters, digits, - and _, at most 64"
        )
    own_store(store)
    if name in aliases(read_tables(store)):
        raise InputError(f"{name!r} stands for another model in {store}; choose another --name")
    known = read_catalog(store)
    if name not in known:
        return "1"
    version = known[name].version
    if not replace:
        raise InputError(
            f"{store} has a model {name!r}; choose another --name, or give --replace: then {name} "
            f"means the new one, and the one there is stays as {name}@{version}"
        )
    return str(int(version) + 1) if version.isdigit() else f"{version}.1"


def register(store: Path, entry: Entry, weights: Path, card: str) -> None:
    """Put the weights, the labels and the card where `entry` says, then change the catalogue.

    The catalogue changes last and at once. What an earlier version of the model has in the store
    stays there, to be asked by NAME@VERSION and gone back to. InputError where the disk is full.
    """
    target, labels = store / entry.file, "\n".join(entry.labels) + "\n"
    for file in (entry.file, entry.card):
        (store / file).parent.mkdir(parents=True, exist_ok=True)
    with writing(target):
        shutil.copyfile(weights, target)
        (store / labels_file(entry)).write_text(labels, encoding="utf-8")
        (store / entry.card).write_text(card, encoding="utf-8")
    change_catalog(store, lambda catalog: with_entry(catalog, entry))
