"""A published data set as a source of clips: where its lists and videos lie, and how it is divided.

Lists are read by `pointaction.datasets`. Here is what extraction needs besides: which files there
should be and where they come from, keys that stay the same, and which clips are not there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointaction.datasets.annotations import TEST, TRAIN, VALIDATION, Annotations, Item
from pointaction.datasets.cuts import cut_of
from pointaction.errors import InputError
from pointaction.extraction.sources import Wanted, key_of
from pointaction.video.cut import WHOLE, Cut

PARTS = (TRAIN, VALIDATION, TEST)
UNUSED = "unused"  # the part of clips that a division leaves out
_SHORT = {"val": VALIDATION, "validate": VALIDATION}


@dataclass(frozen=True, slots=True)
class Listing:
    """A file that a data set is read from."""

    names: tuple[str, ...]  # any of them will do; with * where versions differ
    origin: str  # where it comes from

    def within(self, folder: Path) -> bool:
        return any(next(folder.glob(name), None) for name in self.names)


@dataclass(frozen=True, kw_only=True)
class Division:
    """One way in which a data set's clips are told apart into parts."""

    read: Callable[[Path, Path], Annotations]  # the folder of the lists, that of the videos
    listings: tuple[Listing, ...]  # all of them are needed
    lists: tuple[str, ...] = (".",)  # where they may be below the data set's folder
    videos: tuple[str, ...] = (".",)  # likewise; the first where there is a folder, else the first

    def found(self, root: Path) -> Path | None:
        """The folder with all lists."""
        folders = [root / name for name in self.lists]
        return next((folder for folder in folders if not self._missing(folder)), None)

    def folder(self, root: Path) -> Path:
        """As `found`; InputError says which file is missing, and where it comes from."""
        found = self.found(root)
        if found is not None:
            return found
        # The folder where most of them are is the one that was meant.
        meant = min((root / name for name in self.lists), key=lambda each: len(self._missing(each)))
        lacking = self._missing(meant)[0]
        raise InputError(
            f"{meant} lacks {' or '.join(lacking.names)}: {lacking.origin}", kind="no-such-file"
        )

    def place(self, root: Path) -> Path:
        places = [root / name for name in self.videos]
        return next((place for place in places if place.is_dir()), places[0])

    def _missing(self, folder: Path) -> list[Listing]:
        return [listing for listing in self.listings if not listing.within(folder)]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A published data set, in the form in which its owners hand it out."""

    title: str
    source: str  # where it is got
    licence: str
    commercial: str  # whether it may be used commercially: yes, no, or why that is not known
    sampling: str  # what the paper says, and which
    cut: Cut  # that in our terms; flags override it
    divisions: Mapping[str, Division]  # the first is meant where none is named
    marks: tuple[str, ...] = ()  # files that no other layout has; () where there are none


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a layout comes to on this machine."""

    wanted: list[Wanted]  # in the order of the lists
    missing: list[Wanted]  # listed, but without a file
    cut: Cut = WHOLE


def look_up(
    name: str, layout: Layout, root: Path, *, split: str | None = None, videos: Path | None = None
) -> Found:
    """The clips of a layout, or of one split of it: `test`, `2`, `2:test` (a division, a part).

    videos: where they lie, if not where the owner's archives put them.

    Raises InputError where a list is missing or cannot be read, there is no such split, or none of
    its clips is there.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder with {layout.title} in it", kind="no-such-file")
    which, part = _divided(name, layout, split)
    division = layout.divisions[which]
    lists, place = division.folder(root), videos or division.place(root)
    items = _read(layout, division, lists, place)
    parted = any(item.split for item in items)
    chosen = [item for item in items if part in (None, item.split)]
    if not chosen:
        there_are = [known for known in PARTS if any(item.split == known for item in items)]
        raise InputError(
            f"{lists} lists no clip of {layout.title} for {part or 'any part'}; "
            f"it has some for: {', '.join(there_are) or 'no part, it is not divided'}"
        )
    clips = list(_clips(name, which, chosen, place, parted=parted))
    there = {path: path.is_file() for path in {clip.path for clip in clips}}
    found = Found(
        wanted=[clip for clip in clips if there[clip.path]],
        missing=[clip for clip in clips if not there[clip.path]],
        cut=layout.cut,
    )
    if not found.wanted:
        raise InputError(
            f"none of the {len(clips):,} clips that {lists} lists is in {place}; the first would "
            f"be {clips[0].path}; say where they are with --videos"
        )
    return found


def _read(layout: Layout, division: Division, lists: Path, place: Path) -> tuple[Item, ...]:
    try:
        return division.read(lists, place).items
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # Whatever the lists are, they are not those that their readers were written for.
        raise InputError(
            f"what {lists} holds cannot be read as the lists of {layout.title}: {error!r}"
        ) from error


def _divided(name: str, layout: Layout, split: str | None) -> tuple[str, str | None]:
    """Which division is meant, and which part of it; None: all."""
    first = next(iter(layout.divisions))
    which, _, part = (split or "").rpartition(":")
    if not which and part in layout.divisions:
        which, part = part, ""
    which, part = which or first, _SHORT.get(part, part)
    if which not in layout.divisions or part not in ("", *PARTS):
        more = [f"{other} or {other}:{PARTS[-1]}" for other in layout.divisions if other != first]
        raise InputError(
            f"{split!r} is no split of {name}; there are {', '.join([*PARTS, *more])}", value=split
        )
    return which, part or None


def _clips(
    name: str, which: str, items: Iterable[Item], place: Path, *, parted: bool
) -> Iterator[Wanted]:
    """A clip for each key; one that is listed more than once has all its labels in `labels`."""
    by_key: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_key[_key(item)].append(item)
    for key, listed in by_key.items():
        first = listed[0]
        if any(_piece(each) != _piece(first) for each in listed):
            raise InputError(f"{first.path} and another clip have the key {key!r}", value=key)
        about: dict[str, Any] = {
            "source": first.path.relative_to(place).as_posix(),
            "dataset": name,
            "division": which,
            **first.about,
        }
        if parted:
            about["split"] = first.split or UNUSED
        if first.group is not None:
            about["group"] = first.group
        labels = list(dict.fromkeys(each.label for each in listed))
        if len(labels) > 1:
            about["labels"] = labels
        # How densely it is looked at is the store's; where it begins and ends is the clip's.
        yield Wanted(
            key=key, path=first.path, label=first.label, cut=cut_of(first, WHOLE), about=about
        )


def _key(item: Item) -> str:
    """The owner's name for the clip. Where it is a piece without a name, its times are added."""
    name = item.name or item.path.stem
    piece = cut_of(item, WHOLE) if item.name is None else WHOLE
    return key_of(f"{name}{item.path.suffix}", piece)


def _piece(item: Item) -> tuple[Path, float | None, float | None]:
    return item.path, item.start, item.end
