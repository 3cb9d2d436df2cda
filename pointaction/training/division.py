"""Which clips of a store are learned from, and which are kept to be asked about."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointaction.errors import InputError
from pointaction.trackstore.manifest import NAME as MANIFEST
from pointaction.trackstore.part import Part
from pointaction.trackstore.store import TrackStore
from pointaction.training.clip_folder import LabelledClip, divide

_TAUGHT = ("", "train", "training")
_KEPT = (("validation", "val", "validate"), ("test", "testing"))  # the first of which there are any


@dataclass(frozen=True, kw_only=True)
class Division:
    labels: tuple[str, ...]
    taught: Part
    kept: Part
    clips: tuple[LabelledClip, ...]  # of both; their paths are their keys
    unnamed: int  # that have no label and are in neither

    @property
    def digest(self) -> str:
        """A word that changes with the clips and with what is kept."""
        return f"{self.taught.digest[:12]} {self.kept.digest[:12]}"


@dataclass(frozen=True, slots=True)
class _Spot:
    shard: int
    row: int
    clip: LabelledClip


def find_store(source: str) -> TrackStore | None:
    """The store of tracks at a folder or an address; None for a folder or a file that is none.

    Raises InputError for an address without a store.
    """
    if "://" in source or (Path(source) / MANIFEST).is_file():
        return TrackStore(source)
    return None


def divide_store(
    store: TrackStore, *, share: float, among: Container[str] | None = None
) -> Division:
    """As the store's clips say themselves (`split`), else a share of each label is kept.

    among: the keys that count; None: all of them.

    The latter as for folders: which ones depends on their keys alone. What the store calls test is
    kept where there is no validation, and is left out where there is.

    Raises InputError where there is nothing to tell apart, or no clip to learn some label from.
    """
    named, splits = _named(store, among)
    told = sorted({split for split in splits if split})
    if told:
        flags = _as_told(splits)
    else:
        divided = {each.path: each for each in divide([spot.clip for spot in named], share=share)}
        flags = [bool(divided[spot.clip.path].validation) for spot in named]
    taught = [spot for spot, flag in zip(named, flags, strict=True) if flag is False]
    kept = [spot for spot, flag in zip(named, flags, strict=True) if flag]
    labels = tuple(sorted({spot.clip.label for spot in taught}))
    _expect(store, labels, [spot.clip.label for spot in kept], told)
    clips = [_marked(spot, validation=False) for spot in taught]
    clips += [_marked(spot, validation=True) for spot in kept]
    return Division(
        labels=labels,
        taught=_part(store, taught),
        kept=_part(store, kept),
        clips=tuple(clips),
        unnamed=len(store) - len(named),
    )


def to_pretrain(store: TrackStore) -> Part:
    """The clips that need no name to be learned from: all but those of another split than train.

    InputError where there is none.
    """
    part = Part.of(store, lambda entry: str(entry.about.get("split") or "") in _TAUGHT)
    if not len(part):
        raise InputError(f"{store.url} has {len(store)} clips, and none of them to learn from")
    return part


def split_of(store: TrackStore, split: str) -> Part:
    """The clips that say they are of a split; InputError names those there are."""
    words = next((words for words in (_TAUGHT[1:], *_KEPT) if split in words), (split,))
    part = Part.of(store, lambda entry: entry.about.get("split") in words)
    if not len(part):
        there = sorted({str(entry.about.get("split")) for entry in store})
        raise InputError(
            f"{store.url} has no clip of the split {split!r}; it has {', '.join(there) or 'none'}",
            value=split,
        )
    return part


def _named(store: TrackStore, among: Container[str] | None) -> tuple[list[_Spot], list[str]]:
    """The clips with a label, and the split that each says it is of."""
    spots, splits = [], []
    for shard in range(len(store.shards)):
        for row, entry in enumerate(store.entries(shard)):
            if entry.label is not None and (among is None or entry.key in among):
                clip = LabelledClip(path=Path(entry.key), label=entry.label)
                spots.append(_Spot(shard, row, clip))
                splits.append(str(entry.about.get("split") or ""))
    return spots, splits


def _as_told(splits: Sequence[str]) -> list[bool | None]:
    """Whether each is kept; None: neither kept nor learned from."""
    there = set(splits)
    held = next((words for words in _KEPT if there & set(words)), ())
    return [False if split in _TAUGHT else True if split in held else None for split in splits]


def _part(store: TrackStore, spots: Sequence[_Spot]) -> Part:
    rows: list[list[int]] = [[] for _ in store.shards]
    for spot in spots:
        rows[spot.shard].append(spot.row)
    return Part(store, tuple(np.array(each, np.int64) for each in rows))


def _marked(spot: _Spot, *, validation: bool) -> LabelledClip:
    return LabelledClip(path=spot.clip.path, label=spot.clip.label, validation=validation)


def _expect(
    store: TrackStore, labels: Sequence[str], kept: Sequence[str], told: Sequence[str]
) -> None:
    if len(labels) < 2:
        splits = f" (their splits are {', '.join(told)})" if told else ""
        raise InputError(
            f"{store.url} has clips of {len(labels)} label(s) to learn from{splits}, and a model "
            "tells apart two or more"
        )
    untaught = sorted(set(kept) - set(labels))
    if untaught and not told:
        raise InputError(
            f"{store.url} has no clip to learn {', '.join(untaught)} from; keep fewer of them"
        )
