"""A store of tracks: what a data set comes to once all of its clips have been followed.

    STORE/manifest.json          how the tracks were made
    STORE/shards/NAME.tar        the clips, some thousand each; WebDataset reads them
    STORE/shards/NAME.jsonl      where in it each clip lies
    STORE/shards/NAME.json       its seal

STORE is a folder or an address of fsspec's such as s3://bucket/folder. Shards never change once
they are there, so that anybody may read while others write.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pointaction.errors import InputError
from pointaction.tracks import Tracks
from pointaction.trackstore.encoding import decode
from pointaction.trackstore.features import StoredFeatures
from pointaction.trackstore.files import Files, open_files
from pointaction.trackstore.index import FOLDER, Entry, Seal, read_index
from pointaction.trackstore.manifest import NAME, Making
from pointaction.trackstore.sample import FEATURES, TRACKS

_INDEXES = 32  # of shards that are kept in memory
_PIECE = 1 << 24  # bytes of a shard that are compared at a time


@dataclass(frozen=True, slots=True)
class Place:
    """Where a clip is: the shard's number in `TrackStore.shards`, and its row there."""

    shard: int
    row: int


class TrackStore:
    """A store that is there, as it was when it was opened."""

    def __init__(self, url: str | Path) -> None:
        """Raises InputError where there is no store, or one of another release."""
        self.files: Files = open_files(url)
        self.url = self.files.url
        try:
            manifest = self.files.read(NAME)
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                f"{self.url} is no track store: it has no {NAME}", kind="no-such-file"
            ) from None
        self.making = Making.from_bytes(manifest, of=self.url)
        self.shards = _sealed(self.files)
        self._indexes: OrderedDict[int, list[Entry]] = OrderedDict()

    @classmethod
    def create(cls, url: str | Path, making: Making) -> "TrackStore":
        """The store at `url`, begun where there is none; InputError for one of another making."""
        there = cls.find(url, making)
        if there is None:
            open_files(url).write(NAME, making.to_bytes())
        return there or cls(url)

    @classmethod
    def find(cls, url: str | Path, making: Making) -> "TrackStore | None":
        """The store at `url`, if one was begun there; InputError for one of another making."""
        files = open_files(url)
        try:
            there = files.read(NAME)
        except FileNotFoundError:
            return None
        Making.from_bytes(there, of=files.url).expect(making, of=files.url)
        return cls(url)

    def __len__(self) -> int:
        """How many clips there are."""
        return sum(seal.clips for seal in self.shards)

    @property
    def digest(self) -> str:
        """SHA-256 that changes with every clip and their order, and with how they were made."""
        told = hashlib.sha256(self.making.digest.encode())
        for seal in self.shards:
            told.update(f"{seal.name} {seal.sha256}\n".encode())
        return told.hexdigest()

    @cached_property
    def places(self) -> dict[str, Place]:
        """Every clip by its key: reads all of the index."""
        found: dict[str, Place] = {}
        for number in range(len(self.shards)):
            for row, entry in enumerate(self._read_index(number)):
                found.setdefault(entry.key, Place(number, row))
        return found

    def entries(self, shard: int) -> list[Entry]:
        """The clips of a shard in order; InputError where its index is damaged."""
        if shard not in self._indexes:
            self._indexes[shard] = self._read_index(shard)
            while len(self._indexes) > _INDEXES:
                self._indexes.popitem(last=False)
        self._indexes.move_to_end(shard)
        return self._indexes[shard]

    def __iter__(self) -> Iterator[Entry]:
        """All clips, shard by shard."""
        for number in range(len(self.shards)):
            yield from self._read_index(number)

    def entry(self, key: str) -> Entry:
        place = self._place(key)
        return self.entries(place.shard)[place.row]

    def read(self, key: str) -> Tracks:
        """The tracks of one clip; InputError where there is none, or its bytes are damaged."""
        return decode(self.read_part(key, TRACKS))

    def features(self, key: str) -> StoredFeatures | None:
        """What the store's backbone found in one clip; None where it was not asked."""
        return self.features_at(self._place(key))

    def features_at(self, place: Place) -> StoredFeatures | None:
        """The same of the clip that lies there."""
        if self.entries(place.shard)[place.row].features is None:
            return None
        return StoredFeatures.unpack(self.read_rows(place.shard, [place.row], FEATURES)[0])

    def read_part(self, key: str, suffix: str) -> bytes:
        """One member of a clip, by a ranged read."""
        place = self._place(key)
        return self.read_rows(place.shard, [place.row], suffix)[0]

    def read_rows(self, shard: int, rows: Sequence[int], suffix: str = TRACKS) -> list[bytes]:
        """That member of some clips of a shard, each compared with its checksum.

        Raises InputError that names the clip and the file where one is another.
        """
        entries = [self.entries(shard)[row] for row in rows]
        parts = [entry.parts[suffix] for entry in entries]
        file = self.shards[shard].tar
        found = self.files.read_ranges(file, [part.range for part in parts])
        for entry, part, data in zip(entries, parts, found, strict=True):
            fault = _fault(data, part.sha256)
            if fault:
                raise InputError(
                    f"{self.url}/{file} is damaged: {entry.key}.{suffix} {fault}; restore the "
                    "file from a copy, or remove the shard and make its clips again",
                    limit=part.sha256,
                    value=hashlib.sha256(data).hexdigest(),
                )
        return found

    def faults(self, shard: int, *, decoding: bool = False) -> list[str]:
        """What is wrong with a shard, all of it; nothing where it is as it was sealed.

        decoding: open the tracks and features too.
        """
        seal, whole, faults = self.shards[shard], hashlib.sha256(), []
        try:
            entries = self._read_index(shard)
            if len(entries) != seal.clips:
                faults.append(f"{seal.index} has {len(entries)} clips, the seal says {seal.clips}")
            for start, end, few in _pieces(entries, seal.length):
                data = self.files.read_ranges(seal.tar, [(start, end)])[0]
                whole.update(data)
                for entry in few:
                    own = _own_faults(entry, data, start, self.making, decoding=decoding)
                    faults += [f"{seal.tar}: {entry.key}{fault}" for fault in own]
        except (InputError, OSError) as error:
            return [str(error)]
        if not faults and whole.hexdigest() != seal.sha256:
            faults = [f"{seal.tar} {_other(whole.hexdigest(), seal.sha256)}"]
        return faults

    def repeated(self) -> list[str]:
        """Keys that more than one clip has: two writers were given the same one."""
        seen: set[str] = set()
        twice: dict[str, None] = {}
        for entry in self:
            if entry.key in seen:
                twice[entry.key] = None
            seen.add(entry.key)
        return list(twice)

    def _read_index(self, shard: int) -> list[Entry]:
        seal = self.shards[shard]
        data = self.files.read(seal.index)
        fault = _fault(data, seal.index_sha256)
        if fault:
            raise InputError(
                f"{self.url}/{seal.index} is damaged: it {fault}; restore it from a copy, or "
                "remove the shard and make its clips again"
            )
        return read_index(data)

    def _place(self, key: str) -> Place:
        try:
            return self.places[key]
        except KeyError:
            raise InputError(f"{self.url} has no clip {key!r}", value=key) from None


def _sealed(files: Files) -> tuple[Seal, ...]:
    """The shards that are finished, by name."""
    names = files.names(FOLDER)
    seals = [f"{FOLDER}/{name}" for name in names if os.path.splitext(name)[1] == ".json"]
    found = files.read_all(seals)
    return tuple(
        Seal.from_bytes(data, of=f"{files.url}/{name}")
        for name, data in zip(seals, found, strict=True)
    )


def _pieces(entries: Sequence[Entry], length: int) -> Iterator[tuple[int, int, list[Entry]]]:
    """A tar file of that length in pieces from one byte to another, each with its clips."""
    start, few = 0, []
    for entry in entries:
        few.append(entry)
        end = max(part.range[1] for part in entry.parts.values())
        if end - start >= _PIECE:
            yield start, end, few
            start, few = end, []
    yield start, length + 1, few  # there should be nothing at this last one


def _own_faults(
    entry: Entry, data: bytes, start: int, making: Making, *, decoding: bool
) -> list[str]:
    """What is wrong with a clip, of which `data` has all that there is from `start` on."""
    faults = []
    for suffix, part in entry.parts.items():
        piece = data[max(0, part.offset - start) : part.range[1] - start]
        fault = _fault(piece, part.sha256)
        if fault is None and decoding:
            fault = _unreadable(entry, suffix, piece)
        if fault:
            faults.append(f".{suffix} {fault}")
    if FEATURES in entry.parts and making.backbone is None:
        faults.append(" has features, and the manifest names no backbone")
    if FEATURES not in entry.parts and making.backbone is not None:
        faults.append(" has no features, and the manifest names a backbone")
    return faults


def _fault(data: bytes, sha256: str) -> str | None:
    found = hashlib.sha256(data).hexdigest()
    return None if found == sha256 else _other(found, sha256)


def _other(found: str, due: str) -> str:
    return f"has digest {found[:12]} and not {due[:12]}"


def _unreadable(entry: Entry, suffix: str, data: bytes) -> str | None:
    try:
        if suffix == TRACKS:
            decode(data)
        elif suffix == FEATURES:
            found = StoredFeatures.unpack(data).shape
            if found != entry.features:
                return f"is {found}, and the clip's json says {entry.features}"
    except InputError as error:
        return f"cannot be read: {error}"
    return None
