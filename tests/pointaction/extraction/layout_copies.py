"""Tiny made-up copies of published data sets, laid out as their owners lay them out.

Clips are of 12 frames in which everything slides one way. Where few-shot papers divide a data set,
there are six classes, two for each part, and the lists of that division are written as well.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.pointaction.evaluation.sliding import write_slide

_WAYS = (3, -3, 2, -2, 4, -4)  # pixels a frame, one for each class
_PARTS = ("train", "val", "test")
_EPIC_HEADING = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,"
    "start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes"
)

SSV2_LABELS = tuple(
    f"{doing} something"
    for doing in ("Pushing", "Pulling", "Lifting", "Dropping", "Turning", "Holding")
)
KINETICS_LABELS = ("abseiling", "air drumming", "archery", "arm wrestling", "auctioning", "bowling")
UCF101_LABELS = ("Archery", "Basketball", "Biking", "Bowling", "Diving", "Fencing")
HMDB51_LABELS = ("brush_hair", "cartwheel", "catch", "chew", "clap", "climb")
GYM99_LABELS = tuple(f"(VT) round-off, with {turns} turn" for turns in range(6))
IARD_ACTIONS = ("drink", "eat", "jump", "run", "walk")
IARD_ACTORS = ("andrea", "haim", "oren", "tomaso", "yair")


def write_ssv2(root: Path, *, train: int = 2, validation: int = 1) -> None:
    """So many clips of each of SSV2_LABELS, one for testing, and OTAM's few-shot lists."""
    lists: dict[str, list[dict[str, str]]] = {"train": [], "validation": [], "test": []}
    answers, ids = [], []
    for number, (kind, split) in enumerate(_each(6, train=train, validation=validation, test=1)):
        name = str(1001 + number)
        _clip(root / "20bn-something-something-v2" / f"{name}.webm", kind, number)
        label = SSV2_LABELS[kind]
        ids.append((kind, label, name))
        if split == "test":
            lists[split].append({"id": name})
            answers.append(f"{name};{label}")
        else:
            template = label.replace("something", "[something]")
            lists[split].append({"id": name, "label": label.lower(), "template": template})
    for split, clips in lists.items():
        _write(root / f"{split}.json", json.dumps(clips))
    _write(root / "test-answers.csv", *answers)
    numbers = {label: str(number) for number, label in enumerate(SSV2_LABELS)}
    _write(root / "labels.json", json.dumps(numbers))
    _write_few_shot(root / "splits" / "ssv2_OTAM", ids)


def write_kinetics400(root: Path, *, train: int = 2, validation: int = 1) -> None:
    """So many clips of each of KINETICS_LABELS, and CMN's few-shot lists."""
    rows: dict[str, list[str]] = {"train": [], "val": []}
    clips = []
    for number, (kind, split) in enumerate(_each(6, train=train, val=validation)):
        video, start = f"made_-up{number:03d}", 10 * number
        name = f"{video}_{start:06d}_{start + 10:06d}"
        _clip(root / split / f"{name}.mp4", kind, number)
        label = KINETICS_LABELS[kind]
        clips.append((kind, label, name))
        told = "validate" if split == "val" else split
        rows[split].append(f"{label},{video},{start},{start + 10},{told},0")
    for split, lines in rows.items():
        heading = "label,youtube_id,time_start,time_end,split,is_cc"
        _write(root / "annotations" / f"{split}.csv", heading, *lines)
    _write_few_shot(root / "splits" / "kinetics_CMN", clips)


def write_epic_kitchens_100(root: Path) -> None:
    """Two videos; in each are two segments of `take` and two of `put`, half a second long."""
    for split, kitchen in (("train", "P01"), ("validation", "P02")):
        video = f"{kitchen}_101"
        _clip(root / "EPIC-KITCHENS" / kitchen / "videos" / f"{video}.MP4", 0, int(kitchen[1:]))
        rows = []
        for number in range(4):
            verb, start = ("take", "put")[number % 2], 0.2 * number
            noun = ("knife", "plate")[number // 2]
            rows.append(
                f"{video}_{number},{kitchen},{video},00:00:00.100,"
                f"00:00:{start:05.2f},00:00:{start + 0.5:05.2f},1,2,{verb} {noun},"
                f"{verb},{number % 2},{noun},{number // 2},\"['{noun}']\",[{number // 2}]"
            )
        _write(root / f"EPIC_100_{split}.csv", _EPIC_HEADING, *rows)
    for kind, keys in (("verb", ("take", "put")), ("noun", ("knife", "plate"))):
        lines = (f"{number},{key},\"['{key}']\",made up" for number, key in enumerate(keys))
        _write(root / f"EPIC_100_{kind}_classes.csv", "id,key,instances,category", *lines)


def write_ucf101(root: Path, *, train: int = 2, test: int = 1) -> None:
    """So many clips of each of UCF101_LABELS in split 1, which is split 2 too, and ARN's lists."""
    lists: dict[str, list[str]] = {"train": [], "test": []}
    clips = []
    for number, (kind, split) in enumerate(_each(6, train=train, test=test)):
        label = UCF101_LABELS[kind]
        name = f"v_{label}_g{number:02d}_c01"
        _clip(root / "UCF-101" / label / f"{name}.avi", kind, number)
        clips.append((kind, label, name))
        suffix = f" {kind + 1}" if split == "train" else ""
        lists[split].append(f"{label}/{name}.avi{suffix}")
    for split, lines in lists.items():
        for number in (1, 2):
            _write(root / "ucfTrainTestlist" / f"{split}list{number:02d}.txt", *lines)
    numbers = (f"{number} {label}" for number, label in enumerate(UCF101_LABELS, 1))
    _write(root / "ucfTrainTestlist" / "classInd.txt", *numbers)
    _write_few_shot(root / "splits" / "ucf_ARN", clips)


def write_hmdb51(root: Path, *, train: int = 2, test: int = 1) -> None:
    """So many clips of each of HMDB51_LABELS in split 1, one in neither part, and ARN's lists."""
    lines: dict[str, list[str]] = {label: [] for label in HMDB51_LABELS}
    clips = []
    for number, (kind, split) in enumerate(_each(6, train=train, test=test, unused=1)):
        label = HMDB51_LABELS[kind]
        name = f"#{number}_Made_up_(again)!_{label}_f_cm_np1_le_med_0"
        _clip(root / "hmdb51_org" / label / f"{name}.avi", kind, number)
        clips.append((kind, label, name))
        flag = {"train": 1, "test": 2, "unused": 0}[split]
        lines[label].append(f"{name}.avi {flag} ")
    for label, told in lines.items():
        _write(root / "testTrainMulti_7030_splits" / f"{label}_test_split1.txt", *told)
    _write_few_shot(root / "splits" / "hmdb_ARN", clips)


def write_finegym(root: Path, *, train: int = 2, validation: int = 1) -> None:
    """So many elements of each of GYM99_LABELS: all are cut, but for the last of training and of
    validation, of which the whole video is there. And Trokens' few-shot table.
    """
    lists: dict[str, list[str]] = {"train": [], "val": []}
    times: dict[str, dict[str, object]] = {}
    table = []
    for number, (kind, split) in enumerate(_each(6, train=train, val=validation)):
        video, event, action = f"madeupVid{number:02d}", "E_000000_000001", "A_0000_0001"
        name = f"{video}_{event}_{action}"
        lists[split].append(f"{name} {kind}")
        last = len(lists[split]) == 6 * (train if split == "train" else validation)
        _clip(root / "videos" / f"{video if last else name}.mp4", kind, number)
        segment = {"stages": 1, "timestamps": [[0.1, 0.6]]}
        times[video] = {
            event: {"event": 1, "timestamps": [[0.2, 1.0]], "segments": {action: segment}}
        }
        # Trokens' classes for testing are those that its table calls val.
        table.append(
            {"id": name, "label_id": kind, "new_split": "train" if kind < 3 else "val"},
        )
    _write(root / "gym99_train_element_v1.1.txt", *lists["train"])
    _write(root / "gym99_val_element.txt", *lists["val"])
    categories = (
        f"Clabel: {number:>3}; set: 1; Glabel: {number + 1:>3}; {label}"
        for number, label in enumerate(GYM99_LABELS)
    )
    _write(root / "gym99_categories.txt", *categories)
    _write(root / "finegym_annotation_info_v1.1.json", json.dumps(times))
    _write(root / "few_shot_info" / "finegym" / "master_few_shot.json", json.dumps(table))


def write_iard(root: Path, *, actors: Sequence[str] = IARD_ACTORS) -> None:
    """A clip of each actor doing each of IARD_ACTIONS."""
    for number, action in enumerate(IARD_ACTIONS):
        for seed, actor in enumerate(actors):
            name = f"{action}_{actor}_0_90_2_{seed}.avi"
            _clip(root / f"{action}1" / name, number, seed)


def write_cia(root: Path, *, train: int = 2, validation: int = 1) -> None:
    """Two groups of two chiral labels with so many clips each; the first clip is in both groups."""
    lines: dict[str, list[str]] = {"train": [], "validation": []}
    for number, (kind, split) in enumerate(_each(4, train=train, validation=validation)):
        name = 2001 + number
        _clip(root / "20bn-something-something-v2" / f"{name}.webm", kind, number)
        lines[split].append(f"{len(lines[split])},{name},{kind // 2},{kind % 2}")
        if number == 0:
            lines[split].append(f"{len(lines[split])},{name},1,0")
    for split, told in lines.items():
        _write(root / f"cia-ssv2-{split}.csv", ",id,chiral_triplet_id,chiral_label", *told)


WRITE: dict[str, Callable[[Path], None]] = {
    "ssv2": write_ssv2,
    "kinetics400": write_kinetics400,
    "epic-kitchens-100": write_epic_kitchens_100,
    "ucf101": write_ucf101,
    "hmdb51": write_hmdb51,
    "finegym": write_finegym,
    "iard": write_iard,
    "cia": write_cia,
}


def _each(kinds: int, **counts: int) -> Iterator[tuple[int, str]]:
    """Class and split of every clip: of each split as many of each class as it is told."""
    for split, count in counts.items():
        for _ in range(count):
            for kind in range(kinds):
                yield kind, split


def _clip(path: Path, kind: int, seed: int) -> None:
    write_slide(path, right=_WAYS[kind], seed=seed)


def _write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_few_shot(folder: Path, clips: Sequence[tuple[int, str, str]]) -> None:
    """Lists as TRX and STRM hand them on, of clips told by class, label and name."""
    for number, part in enumerate(_PARTS):
        own = (f"{label}/{name}" for kind, label, name in clips if kind // 2 == number)
        _write(folder / f"{part}list03.txt", *own)
