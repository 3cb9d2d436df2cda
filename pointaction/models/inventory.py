"""What an operator asks of a model store: is it whole, what may go, what answers by default.

Needs no torch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointaction.errors import DamagedWeights, InputError, UnknownModel
from pointaction.models.catalog import (
    DEFAULT,
    DEFAULT_STORE,
    Entry,
    aliases,
    find,
    read_catalog,
    read_tables,
)
from pointaction.models.catalog_file import change_catalog, with_alias, without_entry
from pointaction.models.digests import digest
from pointaction.models.downloads import (
    Download,
    digests,
    read_downloads,
    read_receipt,
)
from pointaction.stamp import told_by

_FILES = ("file", "labels", "card", "calibration", "episodes", "vocabulary")  # keys of a table


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file that a store should have."""

    of: str  # a model's NAME@VERSION, or a download's name
    path: Path
    sha256: str
    remedy: str

    @property
    def fault(self) -> str | None:
        """What is wrong with it, and what to do; None: nothing."""
        try:
            found = told_by(self.path, digest)  # readiness is asked every few seconds
        except FileNotFoundError:
            return f"is missing; {self.remedy}"
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        if found == self.sha256:
            return None
        return f"has digest {found[:12]}, not {self.sha256[:12]}; {self.remedy}"


def lookup(store: Path, name: str) -> Entry | Download:
    """The model or the download called so; UnknownModel names all there are."""
    try:
        return find(store, name, task=None)
    except UnknownModel as error:
        if name in (downloads := read_downloads(store)):
            return downloads[name]
        more = f", and to be pulled {', '.join(sorted(downloads))}" if downloads else ""
        raise UnknownModel(f"{error}{more}", value=name) from None


def held(store: Path, item: Entry | Download) -> list[Held]:
    """The files of it that have a digest; NotInstalled where nothing of a download is there."""
    if isinstance(item, Download):
        remedy = f"run: {item.command}"
        return [
            Held(of=item.name, path=path, sha256=sha256, remedy=remedy)
            for path, sha256 in digests(store, item).items()
        ]
    return [
        Held(
            of=item.pinned,
            path=store / item.file,
            sha256=item.sha256,
            remedy=f"put the right one back (pointaction models show {item.pinned} says where it "
            "is from), or let another answer: pointaction models default NAME",
        )
    ]


def everything(store: Path) -> list[Held]:
    """The files of all models, and of all downloads that are installed."""
    items: list[Entry | Download] = [*read_catalog(store).values()]
    items += [each for each in read_downloads(store).values() if read_receipt(store, each)]
    return [file for item in items for file in held(store, item)]


def size(store: Path, item: Entry | Download) -> int:
    """Bytes of the files that are there."""
    try:
        paths = [file.path for file in held(store, item)]
    except UnknownModel:  # not installed
        return 0
    return sum(path.stat().st_size for path in paths if path.exists())


def pinned(store: Path, name: str) -> str | None:
    """NAME@VERSION of what `name` means now; None where it means nothing."""
    try:
        return find(store, name, task=None).pinned
    except UnknownModel:
        return None


def set_default(store: Path, name: str) -> Entry:
    """Let `name`, NAME or NAME@VERSION, answer where a request names no model.

    That is one change of the catalogue at once. UnknownModel where it does not name motions,
    DamagedWeights where its weights are not as they should be.
    """
    entry = find(store, name)
    for file in held(store, entry):
        if file.fault:
            raise DamagedWeights(f"{name} cannot be the default: {file.path} {file.fault}")
    meant = entry.pinned if "@" in name else entry.name
    change_catalog(store, lambda catalog: with_alias(catalog, DEFAULT, meant))
    return entry


def remove(store: Path, name: str, *, also_default: str | None = None) -> None:
    """Delete a model of the user's own, or installed weights of others.

    InputError where it is in use: by an alias, or as the default that a setting names.
    """
    item = lookup(store, name)
    if isinstance(item, Download):
        _remove_download(store, item)
    else:
        _remove_entry(store, item, name, also_default)


def _remove_download(store: Path, download: Download) -> None:
    files = [*digests(store, download), store / download.name / "download.part"]
    (store / download.receipt).unlink()  # first: without it there are no weights
    _delete(files, store)


def _remove_entry(store: Path, entry: Entry, name: str, also_default: str | None) -> None:
    tables = read_tables(store)
    models = tables["models"]
    key = entry.pinned if entry.pinned in models else entry.name
    versions = [each.pinned for each in read_catalog(store).values() if each.name == entry.name]
    if name != entry.pinned and len(versions) > 1:
        raise InputError(f"{name} has several versions; name one of {', '.join(versions)}")
    if key == entry.name and store.resolve() == DEFAULT_STORE:
        raise InputError(f"{key} came with PointAction; it stays in its own store")
    users = {f"the alias {alias!r}": meant for alias, meant in aliases(tables).items()}
    if also_default:
        users["POINTACTION_DEFAULT_MODEL"] = also_default
    for user, meant in users.items():
        if pinned(store, meant) == entry.pinned:
            raise InputError(
                f"{entry.pinned} is what {user} stands for; let that be another model first: "
                "pointaction models default NAME, or the setting"
            )
    own = _files(models.pop(key))
    others = {path for table in models.values() for path in _files(table)}
    change_catalog(store, lambda catalog: without_entry(catalog, key))
    _delete([store / path for path in own if path not in others], store)


def _files(table: dict[str, Any]) -> list[str]:
    return [table[key] for key in _FILES if key in table]


def _delete(paths: list[Path], store: Path) -> None:
    """The files, as far as they lie in the store, and folders that are empty without them."""
    for path in paths:
        if not path.resolve().is_relative_to(store.resolve()):
            continue
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == store or not folder.exists() or any(folder.iterdir()):
                break
            folder.rmdir()
