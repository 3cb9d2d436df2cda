"""The class splits of few-shot papers, as TRX and STRM hand them on: a list of clips per part.

trainlist03.txt, vallist03.txt, testlist03.txt      one clip a line, as class/clip

    pouring out/12345           the class may have blanks in it; the clip's suffix is not told
    test4/12345                 SSv2 as OTAM divides it: a class has a number instead of a name

The number in the files' names is the owner's own (03, or 07 for OTAM's SSv2) and means nothing.
"""

from collections.abc import Iterator
from pathlib import Path

from pointaction.datasets.annotations import TEST, TRAIN, VALIDATION, Annotations, Item
from pointaction.errors import InputError
from pointaction.video.container import SUFFIXES

_WORDS = {TRAIN: "train", VALIDATION: "val", TEST: "test"}


def read_fewshot_lists(lists: Path, videos: Path, places: tuple[str, ...]) -> Annotations:
    """The clips of all parts, each once, labels by alphabet.

    `places` are where a clip may lie below `videos`, for str.format with its `label`, the same with
    `underscored` blanks, `clip` and `youtube`, a clip's first 11 letters. The first where there is
    a file is taken; else the first.
    """
    items = tuple(
        Item(
            path=_place(videos, places, label=label, clip=clip),
            label=label,
            split=part,
            name=clip,
        )
        for part, word in _WORDS.items()
        for label, clip in dict.fromkeys(_lines(_only(lists, word)))
    )
    return Annotations(items=items, labels=tuple(sorted({item.label for item in items})))


def _only(lists: Path, word: str) -> Path:
    paths = sorted(lists.glob(f"{word}list*.txt"))
    if not paths:
        raise InputError(f"{lists} holds no {word}list03.txt", kind="no-such-file")
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise InputError(f"{lists} holds {names}; give each split a folder of its own")
    return paths[0]


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Label and clip, without suffix, of each line."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        label, _, clip = line.strip().rpartition("/")
        if label and clip:
            suffix = Path(clip).suffix
            yield label, clip.removesuffix(suffix) if suffix.lower() in SUFFIXES else clip
        elif clip:
            raise InputError(f"{path} line {number}: expected class/clip, got {clip!r}")


def _place(videos: Path, places: tuple[str, ...], *, label: str, clip: str) -> Path:
    words = {"label": label, "underscored": label.replace(" ", "_")}
    words |= {"clip": clip, "youtube": clip[:11]}
    paths = [videos / place.format(**words) for place in places]
    return next((path for path in paths if path.is_file()), paths[0])
