"""The published data sets that `pointaction extract` and `finetune` know by `--layout`, and how
papers look at their clips.

TrAction tells its sampling in appendix E, of EPIC-Kitchens also in appendix A. It extracts no
UCF101, HMDB51 and FineGym; Trokens, TRX and STRM spread the frames that they take over the clip.
`docs/datasets.md` has the same for reading.
"""

import json
from functools import partial
from pathlib import Path

from pointaction.choices import chosen
from pointaction.datasets.annotations import Annotations
from pointaction.datasets.cia import read_cia_ssv2
from pointaction.datasets.cuts import EVERY_FRAME
from pointaction.datasets.epic_kitchens import NOUN_CLASSES, read_epic_kitchens
from pointaction.datasets.fewshot_splits import read_benchmark
from pointaction.datasets.finegym import read_finegym
from pointaction.datasets.finegym_elements import read_finegym_elements
from pointaction.datasets.hmdb51 import read_hmdb51
from pointaction.datasets.iard import read_iard
from pointaction.datasets.kinetics import read_kinetics
from pointaction.datasets.ssv2 import VIDEOS as SSV2_VIDEOS
from pointaction.datasets.ssv2 import read_ssv2
from pointaction.datasets.trokens_tables import read_trokens_csv, read_trokens_ssv2
from pointaction.datasets.ucf101 import read_ucf101
from pointaction.errors import InputError
from pointaction.extraction.layout import Division, Found, Layout, Listing, look_up
from pointaction.extraction.sources import Wanted, read_source
from pointaction.trackstore.files import open_files
from pointaction.video.cut import WHOLE, Cut

AUTO, FILES = "auto", "files"  # of `--layout`: what is recognised, and what just lies there
MISSING = "missing.jsonl"  # in the store, of the last run
_EVERY = "every frame, interpolated to 32 (TrAction, E)"
_SPREAD = "32 frames over the clip; papers take 8 over it (Trokens, TRX, STRM)"
_SSV2_PACKAGE = "20bn-something-something-download-package-labels"
_SSV2_LISTS = f"in {_SSV2_PACKAGE}.zip of the official download"
_TRX = "the folder splits of TRX or STRM on GitHub, put beside the videos"
_TROKENS = "few_shot_info in Trokens' data on Hugging Face, put beside the videos"


def read_layout(name: str, root: Path, *, split: str | None = None) -> list[Wanted]:
    """The clips of one of LAYOUTS that are there, in the order of its lists.

    split: `train`, `validation`, `test`; `2:test` of another division, `ssv2-otam:test` of a
    few-shot one; all of the first division, if None. Equal clips have equal keys in all divisions.
    Raises as `look_up`, and InputError for a name that there is not.
    """
    return look_up(name, chosen(name, LAYOUTS), root, split=split).wanted


def find_clips(
    source: Path, *, layout: str = AUTO, split: str | None = None, videos: Path | None = None
) -> tuple[str, Found]:
    """The clips of a source and the layout that they were found by; FILES is that of `read_source`.

    Raises InputError as `look_up` and `read_source` do, and for a split of what has none.
    """
    if layout not in (AUTO, FILES):
        chosen(layout, LAYOUTS)
    name = (recognise(source) or FILES) if layout == AUTO else layout
    if name != FILES:
        return name, look_up(name, LAYOUTS[name], source, split=split, videos=videos)
    if split or videos:
        told = " or ".join(LAYOUTS)
        raise InputError(f"--split and --videos need --layout: {told}; {source} told none")
    return name, Found(wanted=read_source(source), missing=[])


def report_missing(url: str | Path, found: Found) -> None:
    """Write which listed clips were not there into the store, a JSON object a line."""
    lines = [
        json.dumps({"key": clip.key, **clip.about}, sort_keys=True, ensure_ascii=False)
        for clip in found.missing
    ]
    open_files(url).write(MISSING, "".join(f"{line}\n" for line in lines).encode())


def recognise(source: Path) -> str | None:
    """The layout of a folder, if its files leave no doubt; InputError where two left marks."""
    if not source.is_dir():
        return None
    names = [
        name
        for name, layout in LAYOUTS.items()
        if any(next(source.glob(mark), None) for mark in layout.marks)
    ]
    if len(names) > 1:  # videos of one data set with the lists of another
        names = [name for name in names if _first(name).found(source)] or names
    if len(names) > 1:
        raise InputError(f"{source} looks like {' and '.join(names)}; say which with --layout")
    return names[0] if names else None


def _first(name: str) -> Division:
    return next(iter(LAYOUTS[name].divisions.values()))


def _few_shot(benchmark: str, folder: str, *videos: str) -> Division:
    """A class split of `fewshot_splits`, as TRX and STRM hand it on."""
    return Division(
        read=partial(read_benchmark, benchmark),
        listings=tuple(
            Listing((f"{part}list*.txt",), f"{_TRX} ({folder})")
            for part in ("train", "val", "test")
        ),
        lists=(f"splits/{folder}",),
        videos=videos,
    )


def _trokens(table: str) -> Division:
    return Division(
        read=partial(read_trokens_csv, table=table),
        listings=(Listing((table,), _TROKENS),),
        lists=("few_shot_info",),
    )


def _trokens_ssv2(size: str) -> Division:
    folder = f"ssv2_{size}"
    return Division(
        read=partial(read_trokens_ssv2, folder=folder),
        listings=tuple(
            Listing((f"{folder}/{part}_few_shot.json",), _TROKENS)
            for part in ("train", "val", "test")
        ),
        lists=("few_shot_info",),
        videos=(SSV2_VIDEOS,),
    )


def _ucf101(way: int) -> Division:
    origin = "UCF101TrainTestSplits-RecognitionTask.zip of the official page"
    names = ("classInd.txt", f"trainlist{way:02d}.txt", f"testlist{way:02d}.txt")
    return Division(
        read=partial(read_ucf101, way=way),
        listings=tuple(Listing((name,), origin) for name in names),
        lists=("ucfTrainTestlist", "."),
        videos=("UCF-101", "videos"),
    )


def _hmdb51(way: int) -> Division:
    origin = "test_train_splits.rar of the official page"
    return Division(
        read=partial(read_hmdb51, way=way),
        listings=(Listing((f"*_test_split{way}.txt",), origin),),
        lists=("testTrainMulti_7030_splits", "."),
        videos=("hmdb51_org", "videos"),
    )


def _gym(classes: str) -> Division:
    names = ("train_element*.txt", "val_element*.txt", "categories*.txt")
    return Division(
        read=partial(read_finegym_elements, classes=classes),
        listings=tuple(
            Listing((f"{classes}_{name}",), "on the page of FineGym, among its annotations")
            for name in names
        ),
        lists=(".", "annotations"),
    )


def _iard(_: Path, videos: Path) -> Annotations:
    return read_iard(videos)


_SSV2 = Division(
    read=read_ssv2,
    listings=tuple(
        Listing((f"{name}.json", f"something-something-v2-{name}.json"), _SSV2_LISTS)
        for name in ("labels", "train", "validation")
    ),
    lists=(".", "labels", f"{_SSV2_PACKAGE}/labels", "annotations"),
    videos=(SSV2_VIDEOS,),
)
_KINETICS = Division(
    read=read_kinetics,
    listings=(
        Listing(("train.csv", "val.csv", "test.csv"), "k400/annotations of the CVD archive"),
    ),
    lists=(".", "annotations"),
)
_EPIC = Division(
    read=read_epic_kitchens,
    listings=tuple(
        Listing(names, "in the repository epic-kitchens-100-annotations on GitHub")
        for names in (
            ("EPIC_100_train.csv",),
            ("EPIC_100_validation.csv",),
            ("EPIC_100_verb_classes.csv",),
            NOUN_CLASSES,
        )
    ),
    lists=(".", "epic-kitchens-100-annotations", "annotations"),
    videos=("EPIC-KITCHENS", "."),
)
_CIA = Division(
    read=read_cia_ssv2,
    listings=tuple(
        Listing((f"cia-ssv2-{split}.csv",), "bpiyush/chirality-in-action on Hugging Face")
        for split in ("train", "validation")
    ),
    lists=(".", "chirality-in-action"),
    videos=(SSV2_VIDEOS,),
)

LAYOUTS = {
    "ssv2": Layout(
        title="Something-Something V2",
        source="qualcomm.com, developer, Something-Something v2",
        licence="Qualcomm's licence for research",
        commercial="no",
        sampling=_EVERY,
        cut=EVERY_FRAME,
        divisions={
            "official": _SSV2,
            "ssv2-otam": _few_shot("ssv2-otam", "ssv2_OTAM", SSV2_VIDEOS),
            "ssv2-cmn": _few_shot("ssv2-cmn", "ssv2_CMN", SSV2_VIDEOS),
            "trokens-small": _trokens_ssv2("small"),
            "trokens-full": _trokens_ssv2("full"),
        },
        marks=("20bn-something-something-v2", "something-something-v2-labels.json"),
    ),
    "kinetics400": Layout(
        title="Kinetics-400",
        source="github.com/cvdfoundation/kinetics-dataset",
        licence="lists: CC BY 4.0; videos: as who uploaded them says",
        commercial="lists yes, videos not cleared",
        sampling="32 frames at a stride of 2, from the middle (TrAction, E)",
        cut=Cut(stride=2),
        divisions={
            "official": _KINETICS,
            "kinetics-cmn": _few_shot("kinetics-cmn", "kinetics_CMN", "."),
            "trokens": _trokens("kinetics100.csv"),
        },
    ),
    "epic-kitchens-100": Layout(
        title="EPIC-KITCHENS-100",
        source="epic-kitchens.github.io",
        licence="CC BY-NC 4.0",
        commercial="no",
        sampling="32 frames of the segment, at most 20 apart, from the middle (TrAction, A and E)",
        cut=Cut(stride=20),
        divisions={"official": _EPIC},
        marks=("EPIC_100_train.csv", "epic-kitchens-100-annotations/EPIC_100_train.csv"),
    ),
    "ucf101": Layout(
        title="UCF101",
        source="crcv.ucf.edu, UCF101",
        licence="none is told; the videos are from YouTube",
        commercial="not cleared",
        sampling=_SPREAD,
        cut=WHOLE,
        divisions={
            **{str(way): _ucf101(way) for way in (1, 2, 3)},
            "ucf101-arn": _few_shot("ucf101-arn", "ucf_ARN", "UCF-101", "videos"),
            "trokens": _trokens("ucf_few_shot.csv"),
        },
        marks=("ucfTrainTestlist",),
    ),
    "hmdb51": Layout(
        title="HMDB51",
        source="serre-lab.clps.brown.edu, HMDB",
        licence="CC BY 4.0; the videos are from films and YouTube",
        commercial="lists yes, videos not cleared",
        sampling=_SPREAD,
        cut=WHOLE,
        divisions={
            **{str(way): _hmdb51(way) for way in (1, 2, 3)},
            "hmdb51-arn": _few_shot("hmdb51-arn", "hmdb_ARN", "hmdb51_org", "videos"),
            "trokens": _trokens("hmdb_few_shot.csv"),
        },
        marks=("testTrainMulti_7030_splits",),
    ),
    "finegym": Layout(
        title="FineGym",
        source="sdolivia.github.io/FineGym",
        licence="annotations: CC BY-NC 4.0; videos are to be fetched from YouTube",
        commercial="no",
        sampling=_SPREAD,
        cut=WHOLE,
        divisions={
            "gym99": _gym("gym99"),
            "gym288": _gym("gym288"),
            "trokens": Division(
                read=read_finegym,
                listings=(Listing(("finegym/master_few_shot.json",), _TROKENS),),
                lists=("few_shot_info",),
            ),
        },
        marks=("finegym_annotation_info_*.json", "gym99_train_element*.txt"),
    ),
    "iard": Layout(
        title="Invariant Action Recognition Dataset",
        source="doi:10.7910/DVN/DMT0PG, Harvard Dataverse",
        licence="CC0 1.0",
        commercial="yes",
        sampling=_EVERY,
        cut=EVERY_FRAME,
        divisions={"official": Division(read=_iard, listings=())},
    ),
    "cia": Layout(
        title="Chirality in Action, Something-Something V2",
        source="bpiyush/chirality-in-action on Hugging Face; videos: Something-Something V2",
        licence="lists: MIT; videos: Qualcomm's licence for research",
        commercial="no",
        sampling=_EVERY,
        cut=EVERY_FRAME,
        divisions={"official": _CIA},
        marks=("cia-ssv2-train.csv",),
    ),
}
