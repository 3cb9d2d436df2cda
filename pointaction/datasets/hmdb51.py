"""HMDB51 as the Serre lab publishes it, divided in three ways.

testTrainMulti_7030_splits/brush_hair_test_split1.txt     a clip a line: CLIP.avi FLAG
hmdb51_org/brush_hair/CLIP.avi                            from an archive for each class

The flag is 1 for training, 2 for testing, and 0 for what that way leaves out.
"""

from pathlib import Path

from pointaction.datasets.annotations import TEST, TRAIN, Annotations, Item
from pointaction.errors import InputError

_SPLITS = {"0": None, "1": TRAIN, "2": TEST}


def read_hmdb51(annotations: Path, videos: Path, *, way: int = 1) -> Annotations:
    """All clips as one of the three ways divides them, labels by alphabet."""
    ending = f"_test_split{way}.txt"
    lists = sorted(annotations.glob(f"*{ending}"))
    if not lists:
        raise InputError(f"{annotations} holds no brush_hair{ending}", kind="no-such-file")
    items = tuple(
        item for path in lists for item in _items(path, path.name.removesuffix(ending), videos)
    )
    return Annotations(items=items, labels=tuple(path.name.removesuffix(ending) for path in lists))


def _items(path: Path, label: str, videos: Path) -> list[Item]:
    items = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        clip, _, flag = line.strip().rpartition(" ")
        if not clip or flag not in _SPLITS:
            raise InputError(f"{path} line {number}: expected CLIP.avi and 0, 1 or 2, got {line!r}")
        items.append(Item(path=videos / label / clip.strip(), label=label, split=_SPLITS[flag]))
    return items
