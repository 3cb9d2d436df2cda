"""Which clips there are to extract: a folder, a list, or WebDataset's tar files.

    FOLDER/[LABEL/].../CLIP.mp4     the label is the folder right below FOLDER, where there is one
    LIST.csv                        columns path[,key][,label][,split][,start][,end]
    LIST.jsonl                      objects with the same names; what else is in them is kept
    SHARD.tar, or a folder of them  KEY.mp4 with KEY.json (its label), KEY.cls or KEY.txt beside it

Paths are relative to the list. No video is opened here.
"""

import csv
import hashlib
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pointaction.errors import InputError
from pointaction.trackstore.manifest import NAME as STORE
from pointaction.trackstore.sample import check_key
from pointaction.video.container import SUFFIXES
from pointaction.video.cut import WHOLE, Cut

EXPECTED = "a folder of clips, a .csv or .jsonl list with a path for each, or WebDataset .tar files"
_KNOWN = {"path", "key", "label", "split", "start", "end"}
_LABELS = ("cls", "txt")  # members of a WebDataset that are a label
_LONGEST = 70  # of a key that is made of a path


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One clip to extract."""

    key: str  # in the store
    path: Path  # a video, or a tar file that has it in it
    inside: tuple[int, int] | None = None  # where in the tar file: offset and length
    label: str | None = None
    cut: Cut = WHOLE
    about: dict[str, Any] = field(default_factory=dict)  # what the store is told besides


def read_source(source: Path) -> list[Wanted]:
    """The clips of a source, in its order. Raises InputError where there is none, for a list that
    cannot be read, and for two clips with one key.
    """
    wanted = list(_read(source))
    if not wanted:
        raise InputError(f"{source} has no clips; expected {EXPECTED}")
    key, times = Counter(each.key for each in wanted).most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{source} has {times} clips with the key {key!r}; give each a key of its own",
            value=key,
        )
    return wanted


def key_of(name: str, cut: Cut = WHOLE) -> str:
    """A key for a clip by the name it has, without its suffix; other names make other keys.

    A name that is no key is made one, and a digest of the whole name is added to it.
    """
    told = str(PurePosixPath(name).with_suffix("")) + str(cut)
    plain = re.sub(r"[^A-Za-z0-9_/-]+", "-", told).strip("/")[-_LONGEST:].lstrip("/")
    if plain == told:
        return told
    return f"{plain}-{hashlib.sha256(f'{name}{cut}'.encode()).hexdigest()[:12]}"


def _read(source: Path) -> Iterator[Wanted]:
    if source.is_dir():
        tars = sorted(each for each in source.rglob("*.tar") if not _is_stored(each))
        return _of_tars(tars, source) if tars else _of_folder(source)
    if not source.is_file():
        raise InputError(f"{source} is not there; expected {EXPECTED}", kind="no-such-file")
    match source.suffix.lower():
        case ".tar":
            return _of_tars([source], source.parent)
        case ".csv":
            return _of_rows(source, _csv_rows(source))
        case ".jsonl":
            return _of_rows(source, _json_rows(source))
    raise InputError(f"{source} is not one of: {EXPECTED}")


def _is_stored(tar: Path) -> bool:
    """Whether it belongs to a store of tracks, which may lie in the folder that it was made of."""
    return (tar.parent / STORE).exists()


def _of_folder(folder: Path) -> Iterator[Wanted]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            inner = path.relative_to(folder)
            label = inner.parts[0] if len(inner.parts) > 1 else None
            yield Wanted(
                key=key_of(inner.as_posix()),
                path=path,
                label=label,
                about={"source": inner.as_posix()},
            )


def _of_rows(table: Path, rows: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[Wanted]:
    for line, row in rows:
        try:
            path = str(row["path"])
            cut = Cut(start=_seconds(row.get("start")), end=_seconds(row.get("end")))
            key = str(row.get("key") or key_of(path.lstrip("/"), cut))
            check_key(key)
        except (KeyError, ValueError, InputError) as error:
            raise InputError(f"{table} line {line}: {_said(error)}") from error
        label = row.get("label")
        about = {name: value for name, value in row.items() if name not in _KNOWN}
        if row.get("split"):
            about["split"] = str(row["split"])
        yield Wanted(
            key=key,
            path=table.parent / path,
            label=str(label) if label not in (None, "") else None,
            cut=cut,
            about={"source": path, **about},
        )


def _csv_rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if "path" not in (reader.fieldnames or ()):
                raise InputError(f"{table} has no column path; it begins {reader.fieldnames}")
            for row in reader:
                yield reader.line_num, {name: value for name, value in row.items() if name}
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} is not a table in UTF-8: {error}") from error


def _json_rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with table.open(encoding="utf-8") as file:
            for line, text in enumerate(file, 1):
                if text.strip():
                    row = json.loads(text)
                    if not isinstance(row, dict):
                        raise InputError(f"{table} line {line} is no JSON object")
                    yield line, row
    except ValueError as error:  # of JSON, or of UTF-8
        raise InputError(f"{table} is not a JSON object a line: {error}") from error


def _of_tars(tars: list[Path], folder: Path) -> Iterator[Wanted]:
    for tar in tars:
        for key, members in _grouped(tar):
            video = next((suffix for suffix in members if f".{suffix}" in SUFFIXES), None)
            if video is None:
                continue
            told = _told(tar, members)
            label = told.pop("label", None)
            place = tar.relative_to(folder).with_suffix("").as_posix()
            yield Wanted(
                key=key_of(f"{place}/{key}.{video}"),
                path=tar,
                inside=(members[video].offset_data, members[video].size),
                label=None if label is None else str(label),
                about={"source": f"{tar.relative_to(folder).as_posix()}/{key}.{video}", **told},
            )


def _grouped(tar: Path) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """Members that belong together, by WebDataset's rule, under what follows their first dot."""
    clip: str | None = None
    members: dict[str, tarfile.TarInfo] = {}
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                stem, _, suffix = name.partition(".")
                key = f"{folder}/{stem}".strip("/")
                if key != clip and members:
                    yield str(clip), members
                    members = {}
                clip = key
                if member.isreg():
                    members[suffix.lower()] = member
    except tarfile.TarError as error:
        raise InputError(f"{tar} is not a tar file that is read here: {error}") from error
    if members:
        yield str(clip), members


def _told(tar: Path, members: dict[str, tarfile.TarInfo]) -> dict[str, Any]:
    """What the members beside a video say of it."""
    with tar.open("rb") as file:

        def text(suffix: str) -> str:
            file.seek(members[suffix].offset_data)
            return file.read(members[suffix].size).decode("utf-8", "replace").strip()

        if "json" in members:
            try:
                told = json.loads(text("json"))
            except ValueError:
                told = None
            if isinstance(told, dict):
                return told
        return next(({"label": text(suffix)} for suffix in _LABELS if suffix in members), {})


def _seconds(told: object) -> float | None:
    return None if told in (None, "") else float(str(told))


def _said(error: Exception) -> str:
    return "it has no path" if isinstance(error, KeyError) else str(error)
