"""Uploaded clips, drawn overlays and examples, behind fsspec: a local folder or s3://.

Names: `clips/{sha256}`, `overlays/{result_key}-{head}.{format}`, in `timelines/` the scores of a
video's windows, `{cached_as}.{key}.npz` of all and `{cached_as}.{job}.{turn}.npz` of some, and in
`episodes/{episode}/` for each example `{example}.tracks.npz` and `{example}.{made_by}.features`;
nothing else is accepted, so no name can lead out of the store. Examples stay until they are
deleted; the rest is swept.
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

_ID = "[0-9a-f]{32}"
_NAME = re.compile(
    r"clips/[0-9a-f]{64}|overlays/[0-9a-f]{64}-(mean|[0-9]{1,3})\.(mp4|png)"
    rf"|timelines/[0-9a-f]{{64}}\.([0-9a-f]{{64}}|{_ID}\.{_ID})\.npz"
    rf"|episodes/{_ID}/{_ID}\.(tracks\.npz|[0-9a-f]{{16}}\.features)"
)
_EPISODE = re.compile(_ID)
_SIGN = ".pointaction"  # lies in a store that would else be empty


def clip_name(content: str) -> str:
    """Where the uploaded bytes with this SHA-256 lie, be they a clip or a tracks file."""
    return f"clips/{content}"


def overlay_name(result_key: str, *, head: str, format: str) -> str:
    return f"overlays/{result_key}-{head}.{format}"


def timeline_name(cached_as: str, key: str) -> str:
    """The scores of all windows of a video; `key` is a digest of the whole question."""
    return f"timelines/{cached_as}.{key}.npz"


def part_name(cached_as: str, job: str, turn: str) -> str:
    """The scores that a job has found in one of its turns, which has a name like no other."""
    return f"timelines/{cached_as}.{job}.{turn}.npz"


def example_tracks_name(episode: str, example: str) -> str:
    """The tracks of an example: what its features are made of, by today's model or a later one."""
    return f"episodes/{episode}/{example}.tracks.npz"


def features_name(episode: str, example: str, *, made_by: str) -> str:
    """What a model made of an example; `made_by` is a digest."""
    return f"episodes/{episode}/{example}.{made_by[:16]}.features"


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

    def put(self, data: bytes, name: str) -> None:
        """Write `data` as `name`, as `put_file` does."""
        with tempfile.TemporaryDirectory(prefix="pointaction-") as folder:
            path = Path(folder) / "blob"
            path.write_bytes(data)
            self.put_file(path, name)

    def get(self, name: str) -> bytes | None:
        """The whole blob, or None when there is none."""
        try:
            with self.open(name) as file:
                return file.read()
        except FileNotFoundError:
            return None

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

    def delete_timelines(self, cached_as: str, job: str = "") -> None:
        """Remove the scores that were found in a video; of one job, what is not all of them."""
        begin = f"timelines/{cached_as}.{job and job + '.'}"
        for path in self.fs.find(f"{self.root}/timelines"):
            if path.startswith(f"{self.root}/{begin}"):
                with suppress(FileNotFoundError):
                    self.fs.rm_file(path)

    def delete_example(self, episode: str, example: str) -> None:
        """Remove what is kept of one example."""
        folder = self._folder(episode)
        for path in self.fs.find(folder):
            if path.startswith(f"{folder}/{example}."):
                self.fs.rm_file(path)

    def delete_episode(self, episode: str) -> None:
        """Remove what is kept of all its examples."""
        with suppress(FileNotFoundError):
            self.fs.rm(self._folder(episode), recursive=True)

    def episodes(self) -> list[str]:
        """Ids of the episodes of which something is kept."""
        try:
            folders = self.fs.ls(f"{self.root}/episodes", detail=False, refresh=True)
        except FileNotFoundError:
            return []
        names = [folder.rstrip("/").rpartition("/")[2] for folder in folders]
        return [name for name in names if _EPISODE.fullmatch(name)]

    def sweep(self, older_than_s: float) -> int:
        """Remove what was last written so long ago; the number of files removed."""
        limit = time.time() - older_than_s
        removed = 0
        for folder in ("clips", "overlays", "timelines"):
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
        try:
            self.fs.ls(self.root)
        except FileNotFoundError:  # an object store has no empty folders
            self.fs.makedirs(self.root, exist_ok=True)
            self.fs.touch(f"{self.root}/{_SIGN}")

    def _folder(self, episode: str) -> str:
        if not _EPISODE.fullmatch(episode):
            raise ValueError(f"{episode!r} is not an episode's id")
        return f"{self.root}/episodes/{episode}"

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a blob's name")
        return f"{self.root}/{name}"


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
    shutil.move(path, part)  # may copy, from another file system
    part.replace(target)
