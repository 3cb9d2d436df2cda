"""A shard that is being written: `NAME.tar.part` in a folder of this machine, until it is full.

Clips are put at its end, each by one write. If the process dies in the midst of one, or the
machine before the disk has it, the next one that opens the shard takes the broken end away and
goes on behind the last clip that is whole. Whoever reads the store sees nothing of it.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from pointaction.trackstore.files import Files
from pointaction.trackstore.index import FOLDER, Entry, Part, Seal, scan
from pointaction.trackstore.sample import JSON
from pointaction.trackstore.tar import BLOCK, END, packed

SUFFIX = ".tar.part"


class OpenShard:
    """Opened again, it has the clips that were put into it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.path = folder / f"{name}{SUFFIX}"
        folder.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b", buffering=0)
        self.entries: list[Entry] = []
        self.bytes = 0
        for entry, end in scan(self._file, self.path.stat().st_size):
            self.entries.append(entry)
            self.bytes = end
        self._file.truncate(self.bytes)

    def add(self, key: str, members: Mapping[str, bytes]) -> Entry:
        """Put a clip at the end; `members` as `Sample.members` tells them."""
        written, parts = b"", {}
        for suffix, data in members.items():
            offset = self.bytes + len(written) + BLOCK
            parts[suffix] = Part(offset, len(data), hashlib.sha256(data).hexdigest())
            written += packed(f"{key}.{suffix}", data)
        entry = Entry.from_members(members[JSON], parts)
        try:
            _write(self._file.fileno(), written)
        except OSError:  # a full disk, say: what there was room for goes again
            self._file.truncate(self.bytes)
            raise
        self.bytes += len(written)
        self.entries.append(entry)
        return entry

    def seal(self, files: Files) -> Seal:
        """Make it a shard of the store, which has all of it or nothing whatever happens."""
        _write(self._file.fileno(), END)
        os.fsync(self._file.fileno())
        self._file.seek(0)
        index = b"".join(entry.to_line() for entry in self.entries)
        seal = Seal(
            name=self.name,
            clips=len(self.entries),
            length=self.bytes + len(END),
            sha256=hashlib.file_digest(self._file, "sha256").hexdigest(),
            index_sha256=hashlib.sha256(index).hexdigest(),
        )
        self._file.close()
        files.write(seal.index, index)
        files.take(self.path, seal.tar)
        files.write(seal.file, seal.to_bytes())
        self.path.unlink(missing_ok=True)
        return seal

    def close(self) -> None:
        """Leave it as it is, to go on later."""
        self._file.close()

    def discard(self) -> None:
        """Leave nothing of it."""
        self._file.close()
        self.path.unlink()


def left_open(files: Files, folder: Path, pattern: str, sealed: set[str]) -> list[str]:
    """Names like `pattern` of shards that were begun in `folder` and not sealed.

    A file that was moved to its place, but whose seal was not written any more, is open again; one
    that lies here still, but is in the store already, is removed.
    """
    if files.folder is not None:
        for tar in (files.folder / FOLDER).glob("*.tar"):
            if re.fullmatch(pattern, tar.stem) and not tar.with_suffix(".json").exists():
                tar.replace(folder / f"{tar.stem}{SUFFIX}")
    begun = []
    for part in folder.glob("*.part"):  # of an index or a seal whose writer was killed over it
        if re.fullmatch(rf"({pattern})\.jsonl?\.[0-9]+\.part", part.name):
            part.unlink()
    for part in sorted(folder.glob(f"*{SUFFIX}")):
        name = part.name.removesuffix(SUFFIX)
        if name in sealed:
            part.unlink()
        elif re.fullmatch(pattern, name):
            begun.append(name)
    return begun


def _write(file: int, data: bytes) -> None:
    """All of it: one write takes 2 GiB at most, and less where the disk is full."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
