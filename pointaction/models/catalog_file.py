"""The text of `catalog.toml`: changed at once, with every line that is not meant left as it is.

A service reads the catalogue at every request, so a change of it is a swap of models: whoever
reads has what was there before, or all of what is there now.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pointaction.alone import alone
from pointaction.models.catalog import Entry
from pointaction.models.room import writing

# Of a model's table or of one within it: [models.NAME], [models."NAME@VERSION".inputs].
_HEADER = re.compile(r"""\s*\[models\.("[^"]+"|'[^']+'|[A-Za-z0-9_-]+)[].]""")
_ALIASES = re.compile(r"\s*\[aliases\]")
_TABLE = re.compile(r"\s*\[")


def change_catalog(store: Path, change: Callable[[str], str]) -> None:
    """Give the catalogue the text that `change` makes of it, or leave it as it is.

    One process at a time does so. Raises InputError where the disk is full.
    """
    catalog = store / "catalog.toml"
    part = catalog.with_suffix(".part")
    with alone(store), writing(part):
        text = change(catalog.read_text(encoding="utf-8"))
        tomllib.loads(text)  # a slip of ours must not leave a store that nobody can read
        part.write_text(text, encoding="utf-8")
        part.replace(catalog)


def with_entry(catalog: str, entry: Entry) -> str:
    """The text with `entry` after all others, so that its name means it.

    It takes the place of a table of the same version.
    """
    rest = without_entry(catalog, entry.pinned)
    return f"{rest.rstrip()}\n\n{_table(entry)}\n" if rest.strip() else f"{_table(entry)}\n"


def without_entry(catalog: str, key: str) -> str:
    """The text without the tables of `key`, and without the comments right above them."""
    lines = catalog.splitlines(keepends=True)
    headers = [(at, match[1]) for at, line in enumerate(lines) if (match := _HEADER.match(line))]
    own = [at for at, name in headers if name.strip("\"'") == key]
    if not own:
        return catalog
    begin, end = own[0], own[-1] + 1
    while begin and lines[begin - 1].startswith("#"):
        begin -= 1
    while end < len(lines) and not _TABLE.match(lines[end]):
        end += 1
    while end < len(lines) and lines[end - 1].startswith(("#", "\n")):  # these belong to the next
        end -= 1
    before, after = "".join(lines[:begin]).rstrip("\n"), "".join(lines[end:]).strip("\n")
    return "\n\n".join(part for part in (before, after) if part) + "\n"


def with_alias(catalog: str, alias: str, meant: str) -> str:
    """The text in which `alias` stands for `meant`."""
    line = f"{alias} = {_toml(meant)}\n"
    lines = catalog.splitlines(keepends=True)
    table = next((at for at, line in enumerate(lines) if _ALIASES.match(line)), None)
    if table is None:
        return f"{catalog.rstrip()}\n\n[aliases]\n{line}"
    end = next((at for at in range(table + 1, len(lines)) if _TABLE.match(lines[at])), len(lines))
    known = re.compile(rf"\s*[\"']?{re.escape(alias)}[\"']?\s*=")
    at = next((at for at in range(table + 1, end) if known.match(lines[at])), None)
    kept = lines[at + 1 :] if at is not None else lines[table + 1 :]
    return "".join([*lines[: table + 1 if at is None else at], line, *kept])


def labels_file(entry: Entry) -> str:
    """Where the labels of an entry of ours lie, relative to the store."""
    return str(Path(entry.file).with_name("labels.txt"))


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
        "labels": labels_file(entry),
        "card": entry.card,
    }
    key = f"models.{_toml(entry.pinned)}"
    within = {"inputs": entry.inputs, "backbone": asdict(entry.backbone) if entry.backbone else {}}
    lines = [f"[{key}]", *_lines(fields)]
    for name, table in within.items():
        lines += ["", f"[{key}.{name}]", *_lines(table)] if table else []
    return "\n".join(lines)


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_toml(value)}" for name, value in table.items()]


def _toml(value: Any) -> str:
    """Strings, numbers, truth and lists of them are written in JSON as in TOML."""
    return json.dumps(value, ensure_ascii=False)
