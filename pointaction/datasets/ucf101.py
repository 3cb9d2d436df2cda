"""UCF101 as the University of Central Florida publishes it, divided in three ways.

ucfTrainTestlist/classInd.txt        1 ApplyEyeMakeup
ucfTrainTestlist/trainlist01.txt     ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1
ucfTrainTestlist/testlist01.txt      ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi
UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi

Each way lists every clip, for training or for testing.
"""

from pathlib import Path

from pointaction.datasets.annotations import TEST, TRAIN, Annotations, Item, found
from pointaction.errors import InputError


def read_ucf101(annotations: Path, videos: Path, *, way: int = 1) -> Annotations:
    """The clips as one of the three ways divides them, labels in the owner's order."""
    labels = tuple(
        line.split(maxsplit=1)[-1] for line in _lines(annotations / "classInd.txt")
    )  # they are in the order of their numbers
    items = tuple(
        _item(line, path, videos, split)
        for split in (TRAIN, TEST)
        for path in [annotations / f"{split}list{way:02d}.txt"]
        for line in _lines(path)
    )
    unknown = {item.label for item in items} - set(labels)
    if unknown:
        raise InputError(f"{annotations / 'classInd.txt'} lacks {', '.join(sorted(unknown))}")
    return Annotations(items=items, labels=labels)


def _item(line: str, path: Path, videos: Path, split: str) -> Item:
    place = line.split()[0]  # in lists for training the class's number follows
    label, _, clip = place.rpartition("/")
    if not label:
        raise InputError(f"{path} has a line {line!r}; expected class/clip.avi")
    return Item(path=videos / label / clip, label=label, split=split)


def _lines(path: Path) -> list[str]:
    text = found(path).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]
