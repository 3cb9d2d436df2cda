"""A user's own labelled clips: a folder with one folder per label, or a CSV."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pointaction.count import Count
from pointaction.errors import InputError, PointActionError
from pointaction.evaluation.followed import follow_file
from pointaction.tracks import Tracks
from pointaction.video.container import SUFFIXES
from pointaction.video.cut import WHOLE, Cut

SPLITS = {"": None, "train": False, "val": True}
READ = (*SUFFIXES, ".npz")
LAYOUT = "one folder per label with clips in it, or a CSV with the columns path,label[,split]"


@dataclass(frozen=True, kw_only=True)
class LabelledClip:
    path: Path  # a clip or a .tracks.npz
    label: str
    validation: bool | None = None  # whether it is kept from training; None: not decided
    cut: Cut = WHOLE  # of a clip


@dataclass(frozen=True, kw_only=True)
class FollowedClip:
    """A labelled clip with its tracks, which have depth."""

    clip: LabelledClip
    tracks: Tracks


def read_clips(source: Path) -> list[LabelledClip]:
    """The clips of a folder or a CSV, in order; InputError says how either is laid out."""
    if source.is_dir():
        return _read_folder(source)
    if source.is_file():
        return _read_csv(source)
    raise InputError(f"{source} is not there; expected {LAYOUT}")


def expect_lessons(source: Path, labels: set[str], clips: Sequence[LabelledClip]) -> None:
    """InputError where there is nothing to tell apart, or no clip to learn one of `labels` from."""
    if len(labels) < 2:
        raise InputError(
            f"{source} has clips of {len(labels)} label(s), and a model tells apart two or more; "
            f"expected {LAYOUT}"
        )
    untaught = labels - {clip.label for clip in clips if not clip.validation}
    if untaught:
        raise InputError(
            f"no readable clip to learn {', '.join(sorted(untaught))} from; add some that are not "
            "kept for validation, or leave the label out"
        )


def divide(clips: Sequence[LabelledClip], *, share: float) -> list[LabelledClip]:
    """Keep the share of each label's clips from training where none are kept from it yet.

    Which ones depends on the clips' names alone, and at least one of a label is trained on. A
    clip that is added to a folder so moves no other.
    """
    if any(clip.validation is not None for clip in clips):
        return [replace(clip, validation=bool(clip.validation)) for clip in clips]
    by_label = defaultdict(list)
    for clip in clips:
        by_label[clip.label].append(clip)
    kept: set[LabelledClip] = set()
    for members in by_label.values():
        count = min(round(share * len(members)), len(members) - 1)
        kept |= set(sorted(members, key=_draw)[:count])
    return [replace(clip, validation=clip in kept) for clip in clips]


def follow_clips(
    clips: Sequence[LabelledClip],
    *,
    tracks: int,
    cache: Path,
    progress: Count,
    failed: Callable[[Path, Exception], None],
) -> list[FollowedClip]:
    """The clips with their tracks; one that cannot be read is told to `failed` and left out."""
    followed = []
    for done, clip in enumerate(clips, 1):
        try:
            own = clip.path.suffix.lower() == ".npz"
            seen = (
                Tracks.load(clip.path)
                if own
                else follow_file(clip.path, tracks=tracks, cache=cache, cut=clip.cut)
            )
            followed.append(FollowedClip(clip=clip, tracks=seen))
        except (PointActionError, OSError) as error:
            failed(clip.path, error)
        progress(done, len(clips))
    return followed


def _draw(clip: LabelledClip) -> str:
    return hashlib.sha256(f"{clip.label}/{clip.path.name}".encode()).hexdigest()


def _read_folder(folder: Path) -> list[LabelledClip]:
    clips = []
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        paths = sorted(path for path in inner.iterdir() if path.suffix.lower() in READ)
        if not paths:
            raise InputError(
                f"{inner} has no clips ({' '.join(READ)}); add some or remove the folder"
            )
        clips += [LabelledClip(path=path, label=inner.name) for path in paths]
    return clips


def _read_csv(table: Path) -> list[LabelledClip]:
    """Paths are relative to the table."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, header = list(reader), reader.fieldnames or []
    except UnicodeDecodeError as error:
        raise InputError(f"{table} is not text in UTF-8; expected {LAYOUT}") from error
    if not {"path", "label"} <= set(header):
        raise InputError(f"{table} begins with {','.join(header)}; expected path,label[,split]")
    clips = []
    for number, row in enumerate(rows, 2):
        path, label, split = ((row.get(name) or "").strip() for name in ("path", "label", "split"))
        if not path or not label:
            raise InputError(f"{table} line {number}: expected a path and a label")
        if split not in SPLITS:
            raise InputError(f"{table} line {number}: split is {split!r}, expected train or val")
        clips.append(LabelledClip(path=table.parent / path, label=label, validation=SPLITS[split]))
    return clips
