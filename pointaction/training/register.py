"""A trained model becomes an entry of a model store, ready to be served.

A running service reads the catalogue at every request, so it offers the model from then on.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from pointaction.errors import InputError
from pointaction.models.catalog import Entry, own_store, read_catalog

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_HEADER = re.compile(r"\s*\[models\.([^].]+)[].]")  # of a model's table or of one within it


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
    known = read_catalog(store)
    if name not in known:
        return "1"
    if not replace:
        raise InputError(f"{store} has a model {name!r}; choose another --name, or give --replace")
    version = known[name].version
    return str(int(version) + 1) if version.isdigit() else f"{version}.1"


def register(store: Path, entry: Entry, weights: Path, card: str) -> None:
    """Put the weights, the labels and the card where `entry` says, then change the catalogue.

    The catalogue changes last and at once. What an earlier version of the model has in the store
    stays there, for whoever is just reading it.
    """
    for file in (entry.file, entry.card):
        (store / file).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights, store / entry.file)
    (store / _labels(entry)).write_text("\n".join(entry.labels) + "\n", encoding="utf-8")
    (store / entry.card).write_text(card, encoding="utf-8")
    catalog = store / "catalog.toml"
    part = catalog.with_suffix(".part")
    part.write_text(with_entry(catalog.read_text(encoding="utf-8"), entry), encoding="utf-8")
    part.replace(catalog)


def with_entry(catalog: str, entry: Entry) -> str:
    """The text of a catalogue with `entry` in it; every other line stays as it is."""
    before, after = _around(catalog.splitlines(keepends=True), entry.name)
    parts = ["".join(before).rstrip("\n"), _table(entry).rstrip("\n"), "".join(after).strip("\n")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _around(lines: list[str], name: str) -> tuple[list[str], list[str]]:
    """The lines before and after the model's tables; the comments above a table belong to it."""
    headers = [(at, match[1]) for at, line in enumerate(lines) if (match := _HEADER.match(line))]
    own = [at for at, model in headers if model.strip("\"'") == name]
    if not own:
        return lines, []
    end = next((at for at, _ in headers if at > own[-1]), len(lines))
    while end < len(lines) and lines[end - 1].lstrip().startswith(("#", "\n")):
        end -= 1
    return lines[: own[0]], lines[end:]


def _table(entry: Entry) -> str:
    fields = {
        "version": entry.version,
        "task": entry.task,
        "builder": entry.builder,
        "file": entry.file,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "commercial_use": entry.commercial_use,
        "source": entry.source,
        "parameters": entry.parameters,
        "labels": _labels(entry),
        "card": entry.card,
    }
    lines = [
        f"[models.{entry.name}]",
        *(f"{key} = {_toml(value)}" for key, value in fields.items()),
    ]
    lines += ["", f"[models.{entry.name}.inputs]"]
    lines += [f"{key} = {_toml(value)}" for key, value in entry.inputs.items()]
    return "\n".join(lines)


def _labels(entry: Entry) -> str:
    return str(Path(entry.file).with_name("labels.txt"))


def _toml(value: Any) -> str:
    """Strings, numbers, truth and lists of them are written in JSON as in TOML."""
    return json.dumps(value, ensure_ascii=False)
