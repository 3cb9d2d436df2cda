"""Clips, tracks and earlier jobs as parts of a form."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from pointaction.client.steps import Part
from pointaction.errors import InputError
from pointaction.tracks import Tracks

_ZIP = b"PK\x03\x04"  # what a .tracks.npz begins with, and no video
_FILES_AT_ONCE = 100
_BYTES_AT_ONCE = 64 * 1024 * 1024  # well below what a server takes


@runtime_checkable
class HasId(Protocol):
    """A job, or what stands for one."""

    @property
    def id(self) -> str: ...


Video: TypeAlias = str | Path | bytes
Clip: TypeAlias = Video | Tracks
Source: TypeAlias = Clip | HasId  # of an example
Teaching: TypeAlias = Mapping[str, Iterable[Source]]  # label -> examples


@dataclass(frozen=True, slots=True)
class Sample:
    """An example and its label."""

    label: str
    source: Source

    @property
    def size(self) -> int:
        """Bytes that are sent for it, but for tracks, which are few."""
        if isinstance(self.source, bytes):
            return len(self.source)
        return _path(self.source).stat().st_size if isinstance(self.source, str | Path) else 0


def file_part(clip: Clip, opened: ExitStack, *, part: str | None = None) -> Part:
    """The part of a form that carries it: `part`, or `clip` or `tracks` by its first bytes.

    A file is read as it is sent, and stays open as long as `opened`. Raises InputError.
    """
    if isinstance(clip, Tracks):
        return part or "tracks", ("clip.tracks.npz", clip.to_bytes())
    if isinstance(clip, bytes):
        tracks = clip.startswith(_ZIP)
        return part or ("tracks" if tracks else "clip"), ("clip", clip)
    path = _path(clip)
    file = opened.enter_context(path.open("rb"))
    tracks = file.read(len(_ZIP)) == _ZIP
    file.seek(0)
    return part or ("tracks" if tracks else "clip"), (path.name, file)


def _path(source: str | Path) -> Path:
    path = Path(source)
    if not path.is_file():
        raise InputError(f"there is no file {path.name!r}", kind="no-such-file")
    return path


def samples_of(teaching: Teaching) -> list[Sample]:
    """One of each label, then the next of each: so the first are of several classes. Jobs last.

    Raises InputError.
    """
    for label, sources in teaching.items():
        if isinstance(sources, str | bytes | Path):
            raise InputError(f"{label!r} needs a list of clips, got {type(sources).__name__}")
    columns = [[Sample(label, each) for each in sources] for label, sources in teaching.items()]
    samples = [each for row in zip_longest(*columns) for each in row if each is not None]
    return sorted(samples, key=_is_job)


def portions(samples: Sequence[Sample], *, first: int = 1) -> Iterator[list[Sample]]:
    """As many at once as a request should have; the first portion has at least `first`.

    Jobs and files do not share one where that can be, since a form takes either.
    """
    portion: list[Sample] = []
    size = 0
    for sample in samples:
        full = len(portion) == _FILES_AT_ONCE or size + sample.size > _BYTES_AT_ONCE
        other = bool(portion) and _is_job(portion[0]) != _is_job(sample)
        if len(portion) >= first and (full or other):
            yield portion
            portion, size, first = [], 0, 1
        portion.append(sample)
        size += sample.size
    if portion:
        yield portion


def support(portion: Sequence[Sample], opened: ExitStack) -> list[Part]:
    """The parts of a form that carry examples with their labels."""
    labels: list[Part] = [("labels", (None, sample.label)) for sample in portion]
    return labels + [_example(sample.source, opened) for sample in portion]


def _example(source: Source, opened: ExitStack) -> Part:
    if isinstance(source, HasId):
        return "jobs", (None, source.id)
    return file_part(source, opened, part="support")


def _is_job(sample: Sample) -> bool:
    return isinstance(sample.source, HasId)
