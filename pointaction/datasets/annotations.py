"""What every data set comes down to: clips with a label each. No video is opened here.

Readers take the annotation files as their owners publish them and say where each clip should lie;
whether it does is asked afterwards, because owners withdraw clips.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pointaction.errors import InputError

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One labelled clip, or a piece of a longer video."""

    path: Path
    label: str
    split: str | None  # train, validation or test; None where the data set leaves it open
    start: float | None = None  # seconds into the video; None: from its beginning
    end: float | None = None  # seconds into the video; None: to its end
    group: str | None = None  # what it is compared within: IARD's actor, CiA's chiral pair
    # What it is called and what else is told of it make it no other clip.
    name: str | None = field(default=None, compare=False)  # None: that of its file
    about: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """A data set's clips and its labels in the owner's order."""

    items: tuple[Item, ...]
    labels: tuple[str, ...]

    def of(self, split: str) -> tuple[Item, ...]:
        """The clips of one split."""
        return tuple(item for item in self.items if item.split == split)

    def present(self) -> "Annotations":
        """Only what lies on this disk."""
        there = {path for path in {item.path for item in self.items} if path.is_file()}
        return replace(self, items=tuple(item for item in self.items if item.path in there))


def rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file with a heading; InputError when a column is not there."""
    with found(path).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path} lacks the columns {', '.join(missing)}")
        yield from reader


def found(*choices: Path) -> Path:
    """The first of some places that a file may be in; InputError names the first when none is."""
    for path in choices:
        if path.is_file():
            return path
    raise InputError(f"there is no file {choices[0]}", kind="no-such-file")
