"""What is in a shard, and where: a line for each clip, beside the shard that it was read from.

    shards/NAME.tar     the clips
    shards/NAME.jsonl   its index: one `Entry` a line, in the order of the tar file
    shards/NAME.json    its seal: counts, and the SHA-256 of the other two

The seal is written last. What has none is not part of the store.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any

from pointaction.errors import InputError
from pointaction.trackstore.files import Files
from pointaction.trackstore.sample import JSON
from pointaction.trackstore.tar import Member, members

FOLDER = "shards"


@dataclass(frozen=True, slots=True)
class Part:
    """One member of a shard."""

    offset: int  # of its bytes in the tar file
    length: int
    sha256: str

    @property
    def range(self) -> tuple[int, int]:
        return self.offset, self.offset + self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One clip of a shard."""

    key: str
    label: str | None
    tracks: int
    frames: int
    size: tuple[int, int]  # (height, width)
    duration_s: float
    features: tuple[int, int] | None  # tokens, and numbers in each; None: there are none
    about: dict[str, Any]
    parts: dict[str, Part]  # by suffix

    def to_line(self) -> bytes:
        told = {name: getattr(self, name) for name in self.__slots__}
        told["parts"] = {
            suffix: [part.offset, part.length, part.sha256] for suffix, part in self.parts.items()
        }
        return (json.dumps(told, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_line(cls, line: bytes) -> "Entry":
        told = json.loads(line)
        parts = {suffix: Part(*part) for suffix, part in told.pop("parts").items()}
        return cls(**_typed(told), parts=parts)

    @classmethod
    def from_members(cls, text: bytes, parts: dict[str, Part]) -> "Entry":
        """What the `json` of a clip says, whose members lie in `parts`.

        Raises ValueError, KeyError or TypeError where it is no such text, or is of other members.
        """
        told = json.loads(text)
        digests = {suffix: part.sha256 for suffix, part in parts.items() if suffix != JSON}
        if told.pop("sha256") != digests:
            raise ValueError("these are not the members that the json was written for")
        return cls(**_typed(told), parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One finished shard."""

    name: str
    clips: int
    length: int  # of the tar file, in bytes
    sha256: str  # of the tar file
    index_sha256: str

    @property
    def tar(self) -> str:
        return f"{FOLDER}/{self.name}.tar"

    @property
    def index(self) -> str:
        return f"{FOLDER}/{self.name}.jsonl"

    @property
    def file(self) -> str:
        """Where this seal lies."""
        return f"{FOLDER}/{self.name}.json"

    def to_bytes(self) -> bytes:
        return (json.dumps(asdict(self), sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, of: str) -> "Seal":
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError) as error:
            raise InputError(f"{of} is not the seal of a shard: {error}") from error


def find_seal(files: Files, name: str) -> Seal | None:
    """The seal of the shard of that name; None where it is not finished, or there is none."""
    path = f"{FOLDER}/{name}.json"
    try:
        return Seal.from_bytes(files.read(path), of=f"{files.url}/{path}")
    except FileNotFoundError:
        return None


def read_index(data: bytes) -> list[Entry]:
    """The lines of an index."""
    return [Entry.from_line(line) for line in data.splitlines()]


def scan(file: IO[bytes], length: int) -> Iterator[tuple[Entry, int]]:
    """The clips that are whole in the first `length` bytes of a shard, until one is not.

    Gives with each where the next one begins. Whole is a clip whose members are all there and are
    those that its `json` says.
    """
    pending: dict[str, Member] = {}
    clip = None
    for member in members(file, length):
        key, _, suffix = member.name.partition(".")
        if key != clip and pending:
            return
        clip = key
        pending[suffix] = member
        if suffix == JSON:
            entry = _entry(file, key, pending)
            if entry is None:
                return
            yield entry, member.end
            pending = {}


def _entry(file: IO[bytes], key: str, found: dict[str, Member]) -> Entry | None:
    """The clip that some members make; None where they are not those that its `json` says."""
    parts = {}
    for suffix, member in found.items():
        file.seek(member.offset)
        data = file.read(member.length)
        parts[suffix] = Part(member.offset, member.length, hashlib.sha256(data).hexdigest())
    try:
        entry = Entry.from_members(data, parts)  # the last one is the json
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return entry if entry.key == key else None


def _typed(told: dict[str, Any]) -> dict[str, Any]:
    """What JSON says of a clip, with pairs for its lists."""
    shape = told.get("features")
    return told | {"size": tuple(told["size"]), "features": tuple(shape) if shape else None}
