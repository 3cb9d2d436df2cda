"""EPIC-KITCHENS-100 as in the repository epic-kitchens-100-annotations; its labels are verbs.

EPIC_100_train.csv, EPIC_100_validation.csv    narration_id,participant_id,video_id,
                          narration_timestamp,start_timestamp,stop_timestamp,...,verb_class,noun,
                          noun_class,...
EPIC_100_verb_classes.csv     id,key,instances,category
EPIC_100_noun_classes.csv     the same
P01/videos/P01_01.MP4         as the official download script lays them out

The test split is published without labels, so that there is nothing to read.
"""

from collections.abc import Mapping
from pathlib import Path

from pointaction.datasets.annotations import TRAIN, VALIDATION, Annotations, Item, rows
from pointaction.errors import InputError

NOUN_CLASSES = ("EPIC_100_noun_classes.csv", "EPIC_100_noun_classes_v2.csv")  # old and new name
_COLUMNS = ("participant_id", "video_id", "start_timestamp", "stop_timestamp", "verb_class")


def read_epic_kitchens(annotations: Path, videos: Path) -> Annotations:
    """The action segments, each with its verb's key, in the order of the verbs' numbers.

    A segment's name is its narration's; where the lists have nouns, it tells its `noun` and its
    `action`, which is both.
    """
    verbs = _keys(annotations / "EPIC_100_verb_classes.csv")
    nouns = next(
        (_keys(path) for name in NOUN_CLASSES if (path := annotations / name).exists()), {}
    )
    items = tuple(
        _item(row, verbs, nouns, videos, split)
        for split in (TRAIN, VALIDATION)
        for row in rows(annotations / f"EPIC_100_{split}.csv", _COLUMNS)
    )
    return Annotations(items=items, labels=tuple(verbs[number] for number in sorted(verbs)))


def seconds(timestamp: str) -> float:
    """Seconds of a time of day such as 00:01:03.37; InputError when it is none."""
    try:
        hours, minutes, rest = timestamp.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(rest)
    except ValueError:
        raise InputError(f"{timestamp!r} is not a time like 00:01:03.37") from None


def _item(
    row: Mapping[str, str],
    verbs: Mapping[int, str],
    nouns: Mapping[int, str],
    videos: Path,
    split: str,
) -> Item:
    verb = verbs[int(row["verb_class"])]
    about = {"verb": verb}
    if nouns and row.get("noun_class"):
        noun = nouns[int(row["noun_class"])]
        about |= {"noun": noun, "action": f"{verb} {noun}"}
    return Item(
        path=videos / row["participant_id"] / "videos" / f"{row['video_id']}.MP4",
        label=verb,
        split=split,
        start=seconds(row["start_timestamp"]),
        end=seconds(row["stop_timestamp"]),
        name=row.get("narration_id"),
        about=about,
    )


def _keys(classes: Path) -> dict[int, str]:
    return {int(row["id"]): row["key"] for row in rows(classes, ("id", "key"))}
