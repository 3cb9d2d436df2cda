"""Where a store lies: a folder of this machine, or a bucket behind fsspec (s3://).

Either way a file is there as a whole or not at all.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pointaction.errors import InputError, MissingExtra

Range = tuple[int, int]
"""First byte, and the one after the last."""

# What lies nearer together than this is fetched at once: a request costs more than such a gap.
_GAP = 1 << 16


class Files(Protocol):
    """Files by names such as `shards/shard-00000.tar`. Raises FileNotFoundError and OSError."""

    url: str
    folder: Path | None  # where it is one of this machine

    def names(self, folder: str) -> list[str]:
        """Of the files right in `folder`, in order; none where there is no such folder."""
        ...

    def read(self, name: str) -> bytes: ...

    def read_all(self, names: Sequence[str]) -> list[bytes]:
        """Many small files, in the order of their names here."""
        ...

    def read_ranges(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        """The bytes of each range; fewer of one that goes past the end."""
        ...

    def write(self, name: str, data: bytes) -> None: ...

    def take(self, path: Path, name: str) -> None:
        """Make the local file `path` the file `name`; `path` may be gone afterwards."""
        ...


def open_files(url: str | Path) -> Files:
    """The files of a folder or of an address such as s3://bucket/folder."""
    text = str(url)
    if "://" not in text:
        return Folder(Path(text))
    return Bucket(text.rstrip("/"))


class Folder:
    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder
        self.url = str(folder)
        self._root = folder

    def names(self, folder: str) -> list[str]:
        place = self._root / folder
        if not place.is_dir():
            return []
        return sorted(entry.name for entry in os.scandir(place) if entry.is_file())

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()

    def read_all(self, names: Sequence[str]) -> list[bytes]:
        return [self.read(name) for name in names]

    def read_ranges(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        with (self._root / name).open("rb", buffering=0) as file:
            return [os.pread(file.fileno(), end - start, start) for start, end in ranges]

    def write(self, name: str, data: bytes) -> None:
        target = self._root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)

    def take(self, path: Path, name: str) -> None:
        path.replace(self._root / name)  # of the same folder


class Bucket:
    """An object store: what is put there appears whole, as object stores have it."""

    def __init__(self, url: str) -> None:
        self.folder: Path | None = None
        self.url = url
        self._opened: tuple[int, Any, str] | None = None
        self._connect()  # tells at once of an address that cannot be

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}

    def _connect(self) -> tuple[Any, str]:
        """fsspec's file system and the path in it. A process that was forked has one of its own:
        the threads that the other one's answers come from are not forked with it.
        """
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                from fsspec.core import url_to_fs

                files, root = url_to_fs(self.url, use_listings_cache=False)
            except ImportError as missing:
                raise MissingExtra(f"a store at {self.url}", extra="s3") from missing
            except ValueError as error:
                raise InputError(f"{self.url} is no address of a store: {error}") from error
            self._opened = os.getpid(), files, root.rstrip("/")
        return self._opened[1:]

    def names(self, folder: str) -> list[str]:
        files, root = self._connect()
        try:
            found = files.ls(f"{root}/{folder}".rstrip("/"), detail=True)
        except FileNotFoundError:
            return []
        return sorted(
            entry["name"].rpartition("/")[2] for entry in found if entry["type"] == "file"
        )

    def read(self, name: str) -> bytes:
        files, root = self._connect()
        data: bytes = files.cat_file(f"{root}/{name}")
        return data

    def read_all(self, names: Sequence[str]) -> list[bytes]:
        if not names:
            return []
        files, root = self._connect()
        paths = [f"{root}/{name}" for name in names]
        found: dict[str, bytes] = files.cat(paths)  # at once, where there are several
        return [found[path] for path in paths]

    def read_ranges(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        files, root = self._connect()
        near = _together(ranges)
        path = f"{root}/{name}"
        fetched: list[bytes] = files.cat_ranges(
            [path] * len(near), *map(list, zip(*near, strict=True)), on_error="raise"
        )
        whole = dict(zip(near, fetched, strict=True))
        parts = []
        for start, end in ranges:
            first, last = next(each for each in near if each[0] <= start and end <= each[1])
            parts.append(whole[first, last][start - first : end - first])
        return parts

    def write(self, name: str, data: bytes) -> None:
        files, root = self._connect()
        files.makedirs(files._parent(f"{root}/{name}"), exist_ok=True)
        files.pipe_file(f"{root}/{name}", data)

    def take(self, path: Path, name: str) -> None:
        files, root = self._connect()
        files.makedirs(files._parent(f"{root}/{name}"), exist_ok=True)
        files.put_file(str(path), f"{root}/{name}")


def _together(ranges: Sequence[Range]) -> list[Range]:
    """The ranges with those that are near each other made one, in order."""
    near: list[Range] = []
    for start, end in sorted(ranges):
        if near and start - near[-1][1] <= _GAP:
            near[-1] = near[-1][0], max(near[-1][1], end)
        else:
            near.append((start, end))
    return near
