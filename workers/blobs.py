"""Uploaded clips and drawn overlays, behind fsspec: a local folder or s3://.

Names: `clips/{sha256}` and `overlays/{result_key}-{head}.{format}`; nothing else is accepted, so
no name can lead out of the store.
"""

import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import fsspec
from fsspec.implementations.local import LocalFileSystem

_NAME = re.compile(r"clips/[0-9a-f]{64}|overlays/[0-9a-f]{64}-(mean|[0-9]{1,3})\.(mp4|png)")


def clip_name(content: str) -> str:
    """Where the uploaded bytes with this SHA-256 lie, be they a clip or a tracks file."""
    return f"clips/{content}"


def overlay_name(result_key: str, *, head: str, format: str) -> str:
    return f"overlays/{result_key}-{head}.{format}"


class BlobStore:
    """Files by name. Raises ValueError on a name of another form, OSError as files do."""

    def __init__(self, url: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.local = isinstance(self.fs, LocalFileSystem)

    def put_file(self, path: Path, name: str) -> None:
        """Move the local file `path` to `name`. A reader sees all of it or nothing.

        Put again, it replaces what was there, and its life begins anew.
        """
        target = self._path(name)
        if self.local:
            _move(path, Path(target))
        else:
            self.fs.makedirs(self.fs._parent(target), exist_ok=True)
            self.fs.put_file(str(path), target)
            path.unlink()

    def exists(self, name: str) -> bool:
        return bool(self.fs.exists(self._path(name)))

    def size(self, name: str) -> int:
        """Bytes; FileNotFoundError when there is no such blob."""
        return int(self.fs.size(self._path(name)))

    def open(self, name: str) -> IO[bytes]:
        """Open for reading; FileNotFoundError when there is no such blob."""
        file: IO[bytes] = self.fs.open(self._path(name), "rb")
        return file

    @contextmanager
    def local_path(self, name: str) -> Iterator[Path]:
        """A path to read the blob from while the context lasts."""
        path = self._path(name)
        if self.local:
            if not Path(path).is_file():
                raise FileNotFoundError(f"no blob {name}")
            yield Path(path)
            return
        with tempfile.TemporaryDirectory(prefix="pointaction-") as folder:
            copy = Path(folder) / "blob"
            self.fs.get_file(path, str(copy))
            yield copy

    def delete(self, name: str) -> None:
        """Remove it; nothing happens when it is not there."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self._path(name))

    def sweep(self, older_than_s: float) -> int:
        """Remove what was last written so long ago; the number of files removed."""
        limit = time.time() - older_than_s
        removed = 0
        for folder in ("clips", "overlays"):
            for path in self.fs.find(f"{self.root}/{folder}"):
                with suppress(FileNotFoundError):
                    if self.fs.modified(path).timestamp() < limit:
                        self.fs.rm_file(path)
                        removed += 1
        return removed

    def check(self) -> None:
        """Raise OSError when the store cannot be reached."""
        if self.local:
            Path(self.root).mkdir(parents=True, exist_ok=True)
        self.fs.invalidate_cache()
        self.fs.ls(self.root)

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a blob's name")
        return f"{self.root}/{name}"


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
    shutil.move(path, part)  # may copy, from another file system
    part.replace(target)
