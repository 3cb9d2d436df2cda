"""FineGym as its owners publish it: elements of routines, in 99 or in 288 classes.

gym99_train_element_v1.1.txt      YOUTUBE_ID_E_000147_000152_A_0003_0005 38
gym99_val_element.txt             the same
gym99_categories.txt              Clabel: 38; set: 21; Glabel: 93; (FX) leap forward with ...
finegym_annotation_info_v1.1.json {YOUTUBE_ID: {"E_000147_000152": {"timestamps": [[147.2, 152.1]],
                                  "segments": {"A_0003_0005": {"timestamps": [[3.1, 5.0]]}}}}}

The owners publish no videos. An element is looked for under its name, as programs that cut them
write it, and else within the video that it is from: it begins so long after its event does.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointaction.datasets.annotations import TRAIN, VALIDATION, Annotations, Item
from pointaction.errors import InputError

_NAME = re.compile(r"(.{11})_(E_\d+_\d+)_(A_\d+_\d+)")
_CATEGORY = re.compile(r"Clabel:\s*(\d+)\s*;.*;\s*([^;\n]+)")
_FOLDERS = ("subactions", "videos", ".")  # below that of the videos
_SUFFIXES = (".mp4", ".mkv", ".webm")  # what YouTube gives


def read_finegym_elements(
    annotations: Path, videos: Path, *, classes: str = "gym99"
) -> Annotations:
    """The elements of `gym99` or `gym288`; a label is the class's number and name, because some
    names of gym288 are given twice.
    """
    labels = _labels(_newest(annotations, f"{classes}_categories*.txt"))
    places = _Places(annotations, videos)
    items = []
    for split, word in ((TRAIN, "train"), (VALIDATION, "val")):
        path = _newest(annotations, f"{classes}_{word}_element*.txt")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            name, _, label = line.strip().rpartition(" ")
            if not _NAME.fullmatch(name) or label not in labels:
                raise InputError(f"{path} line {number}: expected an element and its class")
            items.append(places.item(name, labels[label], split))
    return Annotations(items=tuple(items), labels=tuple(labels.values()))


class _Places:
    """Where elements lie. The times are read once one of them is not cut."""

    def __init__(self, annotations: Path, videos: Path) -> None:
        self._annotations = annotations
        self._videos = videos
        self._times: dict[str, Any] | None = None

    def item(self, name: str, label: str, split: str) -> Item:
        video = name[:11]
        cut, whole = self._file(name, _SUFFIXES[:1]), self._file(video, _SUFFIXES)
        if cut is None and whole is not None:
            start, end = self._seconds(name)
            return Item(path=whole, label=label, split=split, start=start, end=end, name=name)
        missing = self._videos / "videos" / f"{name}.mp4"
        return Item(path=cut or missing, label=label, split=split, name=name)

    def _file(self, stem: str, suffixes: tuple[str, ...]) -> Path | None:
        paths = (self._videos / folder / f"{stem}{end}" for folder in _FOLDERS for end in suffixes)
        return next((path for path in paths if path.is_file()), None)

    def _seconds(self, name: str) -> tuple[float, float]:
        if self._times is None:
            self._times = _json(_newest(self._annotations, "finegym_annotation_info*.json"))
        event, _, action = name[12:].partition("_A_")
        try:
            told: Mapping[str, Any] = self._times[name[:11]][event]
            begun = float(told["timestamps"][0][0])
            stages = told["segments"][f"A_{action}"]["timestamps"]
            return begun + float(stages[0][0]), begun + float(stages[-1][1])
        except (KeyError, IndexError, TypeError, ValueError):
            raise InputError(f"the FineGym annotation has no times for {name}") from None


def _labels(path: Path) -> dict[str, str]:
    """Labels by their numbers as the lists write them."""
    found = _CATEGORY.finditer(path.read_text(encoding="utf-8"))
    labels = {told[1]: f"{told[1]} {told[2].strip()}" for told in found}
    if not labels:
        raise InputError(f"{path} has no line like: Clabel: 0; set: 1; Glabel: 1; (VT) round-off")
    return labels


def _newest(folder: Path, pattern: str) -> Path:
    """The lists were mended; a later version comes later by alphabet."""
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise InputError(f"{folder} holds no {pattern}", kind="no-such-file")
    return paths[-1]


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise InputError(f"{path} is no JSON object of videos")
    return told
