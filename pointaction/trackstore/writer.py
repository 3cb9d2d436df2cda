"""Clips into a store, each once, whatever happens meanwhile.

A writer that is killed leaves a shard open. The next one of its name goes on with it, so that in
the end the shards are, byte for byte, those of a writer that nobody disturbed.
"""

import fcntl
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from pointaction.errors import InputError
from pointaction.trackstore.index import FOLDER, Seal, find_seal
from pointaction.trackstore.sample import Sample
from pointaction.trackstore.shard import OpenShard, left_open
from pointaction.trackstore.store import TrackStore

CLIPS_PER_SHARD = 2000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class StoreWriter:
    """Puts clips into shards NAME-00000, NAME-00001, ... of a store.

    Several may write to one store under names of their own; they do not know of each other's
    clips until these are sealed and the store is opened again.

        with StoreWriter(TrackStore.create(url, making)) as writer:
            for sample in samples:
                writer.add(sample)

    Left by an exception, the last shard stays open for the next writer.
    """

    def __init__(
        self,
        store: TrackStore,
        *,
        name: str = "shard",
        clips_per_shard: int = CLIPS_PER_SHARD,
        spool: Path | None = None,
    ) -> None:
        """spool: a folder of this machine to collect a shard in, which a bucket needs; it has to
        outlast the process. Raises InputError while another process writes under the name.
        """
        self.name = name
        self.clips_per_shard = clips_per_shard
        self._spool = _spool(store, spool)
        self._lock = _locked(self._spool, store, name)
        self.store = store = TrackStore(store.url)  # another may have written until now
        self._known = set(store.places)
        self._sealed = {seal.name for seal in store.shards}
        self._open: OpenShard | None = None
        for begun in left_open(store.files, self._spool, f"{name}-[0-9]{{5}}", self._sealed):
            self._open = OpenShard(self._spool, begun)
            self._known |= {entry.key for entry in self._open.entries}
            self._seal_if_full()

    def __contains__(self, key: str) -> bool:
        """Whether the clip is there already, or in the shard that is open."""
        return key in self._known

    def add(self, sample: Sample) -> bool:
        """Put the clip into the store; False where it has been there already."""
        return sample.key not in self and self.add_members(sample.key, sample.members())

    def add_members(self, key: str, members: Mapping[str, bytes]) -> bool:
        """As `add`, of what `Sample.members` told, in another process perhaps."""
        if key in self:
            return False
        if self._open is None:
            self._open = OpenShard(self._spool, self._free)
        self._open.add(key, members)
        self._known.add(key)
        self._seal_if_full()
        return True

    def close(self, *, seal: bool = True) -> None:
        """Seal the shard that is open, or leave it to be gone on with."""
        if self._open is not None:
            if seal and self._open.entries:
                self._seal(self._open)
            else:
                self._open.close()
                self._open = None
        self._lock.close()

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(seal=error is None)

    @property
    def _free(self) -> str:
        """The first name that no shard has: the next one, or that of one that was removed."""
        number = 0
        while f"{self.name}-{number:05d}" in self._sealed:
            number += 1
        return f"{self.name}-{number:05d}"

    def _seal_if_full(self) -> None:
        if self._open is not None and len(self._open.entries) >= self.clips_per_shard:
            self._seal(self._open)

    def _seal(self, shard: OpenShard) -> None:
        self._sealed.add(shard.seal(self.store.files).name)
        self._open = None


def write_shard(
    store: TrackStore, name: str, samples: Iterable[Sample], *, spool: Path | None = None
) -> Seal:
    """One whole shard of a name that was planned; nothing is done where it is there already.

    For work that is shared out beforehand: whoever makes it, and however often, it is the same.
    An interrupted one goes on behind the clips that it has. Raises InputError without a clip.
    """
    folder = _spool(store, spool)
    with _locked(folder, store, name):
        there = find_seal(store.files, name)
        if there is not None:
            return there
        left_open(store.files, folder, name, set())
        shard = OpenShard(folder, name)
        done = {entry.key for entry in shard.entries}
        for sample in samples:
            if sample.key not in done:
                shard.add(sample.key, sample.members())
                done.add(sample.key)
        if not done:
            shard.discard()
            raise InputError(f"no clip was given for the shard {name} of {store.url}")
        return shard.seal(store.files)


def _spool(store: TrackStore, given: Path | None) -> Path:
    """Where shards lie while they are open: in the store itself where it is a folder."""
    if store.files.folder is not None:
        return store.files.folder / FOLDER
    if given is None:
        raise InputError(
            f"{store.url} takes whole shards only; say in which folder of this machine to collect "
            "them (spool)"
        )
    of = hashlib.sha256(f"{store.url} {store.making.digest}".encode())
    return given / of.hexdigest()[:16]


def _locked(folder: Path, store: TrackStore, name: str) -> IO[str]:
    """A lock that this process holds until it closes it or ends, by whatever end."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name for shards: at most 64 letters, digits, - and _", value=name
        )
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / f"{name}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise InputError(
            f"another process writes to {store.url} under the name {name!r}; wait for it, or "
            "choose another name"
        ) from None
    return file
