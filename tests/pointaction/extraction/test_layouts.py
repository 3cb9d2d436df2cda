"""Published data sets as sources, on tiny made-up copies of them."""

import json
import shutil
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from pointaction.errors import InputError
from pointaction.extraction.commands import extract as command
from pointaction.extraction.extract import extract
from pointaction.extraction.follower import Failure, Followed, Follower, How
from pointaction.extraction.layout import look_up
from pointaction.extraction.layouts import (
    FILES,
    LAYOUTS,
    MISSING,
    find_clips,
    read_layout,
    recognise,
)
from pointaction.extraction.sources import Wanted
from pointaction.trackstore.sample import check_key
from pointaction.trackstore.store import TrackStore
from pointaction.video.cut import Cut
from tests.pointaction.extraction.layout_copies import SSV2_LABELS, WRITE

DOCS = Path(__file__).parents[3] / "docs" / "datasets.md"
LISTS = {
    "ssv2": ("validation.json", "download-package-labels.zip"),
    "kinetics400": ("annotations", "of the CVD archive"),
    "epic-kitchens-100": ("EPIC_100_noun_classes.csv", "epic-kitchens-100-annotations"),
    "ucf101": ("ucfTrainTestlist/trainlist01.txt", "UCF101TrainTestSplits"),
    "hmdb51": ("testTrainMulti_7030_splits", "test_train_splits.rar"),
    "finegym": ("gym99_categories.txt", "on the page of FineGym"),
    "cia": ("cia-ssv2-validation.csv", "bpiyush/chirality-in-action"),
}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each layout. Who changes one takes a copy of it."""
    root = tmp_path_factory.mktemp("layouts")
    for name, write in WRITE.items():
        write(root / name)
    return root


@pytest.fixture
def own(copies: Path, tmp_path: Path) -> Path:
    return shutil.copytree(copies, tmp_path / "own")


def in_this_process(
    missing: Sequence[Wanted], how: How
) -> Generator[Followed | Failure, None, None]:
    follower = Follower(how)
    for each in missing:
        yield follower.follow(each)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_clip_has_a_key_a_file_and_a_label(name: str, copies: Path) -> None:
    clips = read_layout(name, copies / name)
    assert len({clip.key for clip in clips}) == len(clips) > 1
    for clip in clips:
        check_key(clip.key)
        assert clip.path.is_file()
        assert clip.label
        assert clip.about["dataset"] == name
        assert str(clip.path).endswith(clip.about["source"])


@pytest.mark.parametrize(
    ("name", "split", "clips"),
    [
        ("ssv2", None, 24),
        ("ssv2", "train", 12),
        ("ssv2", "val", 6),
        ("ssv2", "test", 6),
        ("ssv2", "ssv2-otam", 24),
        ("ssv2", "ssv2-otam:test", 8),
        ("kinetics400", "validation", 6),
        ("kinetics400", "kinetics-cmn:train", 6),
        ("epic-kitchens-100", "validation", 4),
        ("ucf101", "test", 6),
        ("ucf101", "2", 18),
        ("ucf101", "2:train", 12),
        ("ucf101", "ucf101-arn:validation", 6),
        ("hmdb51", None, 24),
        ("hmdb51", "train", 12),
        ("hmdb51", "hmdb51-arn:test", 8),
        ("finegym", "gym99:train", 12),
        ("iard", None, 25),
        ("cia", "train", 8),
    ],
)
def test_a_split_is_a_division_and_a_part(
    name: str, split: str | None, clips: int, copies: Path
) -> None:
    found = read_layout(name, copies / name, split=split)
    assert len(found) == clips
    if split and ":" in split:
        which, _, part = split.partition(":")
        assert {clip.about["division"] for clip in found} == {which}
        assert {clip.about["split"] for clip in found} == {part}


@pytest.mark.parametrize(
    ("name", "division"),
    [
        ("ssv2", "ssv2-otam"),
        ("kinetics400", "kinetics-cmn"),
        ("ucf101", "2"),
        ("ucf101", "ucf101-arn"),
        ("hmdb51", "hmdb51-arn"),
        ("finegym", "trokens"),
    ],
)
def test_a_clip_has_one_key_in_all_divisions(name: str, division: str, copies: Path) -> None:
    paths = {clip.key: clip.path for clip in read_layout(name, copies / name)}
    divided = read_layout(name, copies / name, split=division)
    assert {paths[clip.key] == clip.path for clip in divided} == {True}


def test_keys_are_the_owners_names_where_they_can_be(copies: Path) -> None:
    first = {name: read_layout(name, copies / name)[0].key for name in LAYOUTS}
    assert first.pop("hmdb51").startswith("-0_Made_up_-again-_brush_hair_f_cm_np1_le_med_0-")
    assert first == {
        "ssv2": "1001",
        "kinetics400": "made_-up000_000000_000010",
        "epic-kitchens-100": "P01_101_0",
        "ucf101": "v_Archery_g00_c01",
        "finegym": "madeupVid00_E_000000_000001_A_0000_0001",
        "iard": "drink1/drink_andrea_0_90_2_0",
        "cia": "2001",
    }


def test_a_segment_of_a_kitchen_knows_its_times_its_noun_and_its_action(copies: Path) -> None:
    clip = read_layout("epic-kitchens-100", copies / "epic-kitchens-100", split="train")[3]
    assert (clip.label, clip.cut) == ("put", Cut(start=0.6, end=1.1))
    assert clip.about == {
        "source": "P01/videos/P01_101.MP4",
        "dataset": "epic-kitchens-100",
        "division": "official",
        "split": "train",
        "verb": "put",
        "noun": "plate",
        "action": "put plate",
    }


def test_an_element_that_is_not_cut_is_a_piece(copies: Path) -> None:
    cuts = Counter(clip.cut for clip in read_layout("finegym", copies / "finegym"))
    assert cuts == {Cut(): 16, Cut(start=0.2 + 0.1, end=0.2 + 0.6): 2}


def test_a_clip_of_two_groups_is_there_once_with_both_labels(copies: Path) -> None:
    clips = {clip.key: clip for clip in read_layout("cia", copies / "cia")}
    assert (clips["2001"].label, clips["2001"].about["group"]) == ("0: 0", "0")
    assert clips["2001"].about["labels"] == ["0: 0", "1: 0"]
    assert "labels" not in clips["2002"].about


def test_what_a_division_leaves_out_says_so(copies: Path) -> None:
    splits = Counter(clip.about["split"] for clip in read_layout("hmdb51", copies / "hmdb51"))
    assert splits == {"train": 12, "test": 6, "unused": 6}
    assert "split" not in read_layout("iard", copies / "iard")[0].about


def test_clips_that_are_not_there_are_told_apart(own: Path) -> None:
    (own / "ssv2" / "20bn-something-something-v2" / "1002.webm").unlink()
    found = look_up("ssv2", LAYOUTS["ssv2"], own / "ssv2", split="train")
    assert [(clip.key, clip.label) for clip in found.missing] == [("1002", SSV2_LABELS[1])]
    assert len(found.wanted) == 11


def test_videos_may_lie_elsewhere(own: Path) -> None:
    (own / "ucf101" / "UCF-101").rename(own / "elsewhere")
    with pytest.raises(InputError, match=r"none of the 18 clips .* is in .*UCF-101; .*--videos"):
        read_layout("ucf101", own / "ucf101")
    name, found = find_clips(own / "ucf101", videos=own / "elsewhere")
    assert (name, len(found.wanted), found.missing) == ("ucf101", 18, [])
    assert found.wanted[0].about["source"] == "Archery/v_Archery_g00_c01.avi"


def test_lists_may_lie_in_a_folder_of_their_own(own: Path) -> None:
    root = own / "epic-kitchens-100"
    (root / "epic-kitchens-100-annotations").mkdir()
    for path in root.glob("*.csv"):
        path.rename(root / "epic-kitchens-100-annotations" / path.name)
    assert len(read_layout("epic-kitchens-100", root)) == 8


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_missing_is_named_with_where_it_comes_from(name: str, own: Path) -> None:
    listed, origin = LISTS[name]
    path = own / name / listed
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(InputError, match=f"lacks .*{origin}") as refused:
        read_layout(name, own / name)
    assert refused.value.kind == "no-such-file"
    if path.suffix:
        assert path.stem in str(refused.value)


@pytest.mark.parametrize(
    ("name", "listed", "text"),
    [
        ("ssv2", "train.json", '[{"id": "1001"}]'),
        ("ssv2", "labels.json", "{"),
        (
            "kinetics400",
            "annotations/train.csv",
            "label,youtube_id,time_start,time_end,split\na,b,soon,2,train\n",
        ),
        ("epic-kitchens-100", "EPIC_100_verb_classes.csv", "id,key\n0,take\n"),
        ("cia", "cia-ssv2-train.csv", "id,chiral_triplet_id,chiral_label\n\xff\n"),
    ],
)
def test_a_list_of_another_form_is_refused(name: str, listed: str, text: str, own: Path) -> None:
    (own / name / listed).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=f"cannot be read as the lists of {LAYOUTS[name].title}"):
        read_layout(name, own / name)


def test_two_clips_of_one_name_are_refused(own: Path) -> None:
    lists = own / "ucf101" / "ucfTrainTestlist"
    first = (lists / "trainlist01.txt").read_text().splitlines()[0].split()[0]
    with (lists / "testlist01.txt").open("a") as file:
        file.write(first.replace("Archery/", "Fencing/") + "\n")
    with pytest.raises(InputError, match="another clip have the key 'v_Archery_g00_c01'"):
        read_layout("ucf101", own / "ucf101")


@pytest.mark.parametrize(
    ("name", "split", "why"),
    [
        ("ssv2", "holdout", "'holdout' is no split of ssv2; there are train, validation, test, "),
        ("ucf101", "4:test", "2 or 2:test, 3 or 3:test, ucf101-arn or ucf101-arn:test"),
        ("ucf101", "validation", "has some for: train, test"),
        ("ucf101", "3", "lacks trainlist03.txt"),
        ("ssv2", "trokens-small", "lacks ssv2_small/train_few_shot.json: few_shot_info"),
        ("iard", "test", "it is not divided"),
    ],
)
def test_a_split_that_there_is_not_is_refused(
    name: str, split: str, why: str, copies: Path
) -> None:
    with pytest.raises(InputError) as refused:
        read_layout(name, copies / name, split=split)
    assert why in str(refused.value)


def test_a_layout_or_a_folder_that_there_is_not_is_refused(copies: Path) -> None:
    with pytest.raises(InputError, match="'ucf' is not one of: ssv2, kinetics400, "):
        read_layout("ucf", copies)
    with pytest.raises(InputError, match="'ucf' is not one of: "):
        find_clips(copies, layout="ucf")
    with pytest.raises(InputError, match="is no folder with UCF101 in it"):
        read_layout("ucf101", copies / "nowhere")


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_recognised_where_nothing_else_looks_like_it(name: str, copies: Path) -> None:
    # Kinetics-600 has the same lists, and IARD has none.
    certain = name not in ("kinetics400", "iard")
    assert recognise(copies / name) == (name if certain else None)


def test_what_two_layouts_are_in_is_not_guessed(own: Path) -> None:
    for path in (own / "cia").glob("*.csv"):
        shutil.copy(path, own / "ssv2")
    with pytest.raises(InputError, match="looks like ssv2 and cia; say which with --layout"):
        find_clips(own / "ssv2")
    with pytest.raises(InputError, match="none of the 12 clips"):  # 2001 and on are not there
        read_layout("cia", own / "ssv2")


def test_other_folders_are_taken_as_they_are(copies: Path) -> None:
    name, found = find_clips(copies / "ucf101", layout=FILES)
    assert (name, len(found.wanted), found.wanted[0].label) == (FILES, 18, "UCF-101")
    name, found = find_clips(copies / "iard")
    assert (name, found.wanted[0].label, found.cut) == (FILES, "drink1", Cut())
    with pytest.raises(InputError, match="--split and --videos need --layout"):
        find_clips(copies / "iard", split="test")


@pytest.mark.parametrize(
    ("name", "split", "frames", "seconds", "sampling"),
    [
        ("ssv2", "validation", 12, 1.1, "every frame"),
        ("kinetics400", "val", 32, 1.1, "32 frames spread over the clip, at most 2 frames apart"),
        (
            "epic-kitchens-100",
            "validation",
            32,
            0.5,
            "32 frames spread over the clip, at most 20 frames apart",
        ),
        ("finegym", "validation", 32, 1.1, "32 frames spread over the clip"),
    ],
)
def test_clips_are_sampled_as_the_paper_says(
    name: str, split: str, frames: int, seconds: float, sampling: str, copies: Path, tmp_path: Path
) -> None:
    found = look_up(name, LAYOUTS[name], copies / name, split=split)
    how = How(tracks=4, cut=found.cut)
    done = extract(found.wanted[:2], tmp_path, how, followers=in_this_process)
    assert (done.added, done.failures) == (2, [])
    store = TrackStore(tmp_path)
    assert store.making.sampling == sampling
    for clip in found.wanted[:2]:
        tracks = store.read(clip.key)
        assert tracks.xy.shape == (4, frames, 2)
        assert tracks.duration_s == pytest.approx(seconds, abs=0.05)
        assert store.entry(clip.key).label == clip.label


def test_a_command_takes_a_data_set_and_its_flags_override_the_paper(
    own: Path, tmp_path: Path
) -> None:
    (own / "kinetics400" / "val" / "made_-up013_000130_000140.mp4").unlink()
    app = Typer()
    app.command()(command)
    words = [str(own / "kinetics400"), "-o", str(tmp_path / "store"), "--tracks", "4"]
    words += ["--layout", "kinetics400", "--split", "val", "--spread", "--no-estimate"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "Kinetics-400 (--layout kinetics400): 32 frames at a stride of 2" in done.output
    assert "commercial use: lists yes, videos not cleared" in done.output
    assert "1 of 6 listed clips are not there, such as" in done.output
    store = TrackStore(tmp_path / "store")
    assert len(list(store)) == 5
    assert store.making.sampling == "32 frames spread over the clip"
    (line,) = (tmp_path / "store" / MISSING).read_text().splitlines()
    told = json.loads(line)
    assert (told["key"], told["split"]) == ("made_-up013_000130_000140", "validation")


def test_every_frame_and_a_stride_are_not_asked_for_at_once(copies: Path, tmp_path: Path) -> None:
    app = Typer()
    app.command()(command)
    words = [str(copies / "iard"), "-o", str(tmp_path), "--every", "--stride", "2"]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, InputError)
    assert "give one of them" in str(done.exception)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_page_has_what_the_program_says(name: str) -> None:
    layout, text = LAYOUTS[name], " ".join(DOCS.read_text().split())
    for told in (layout.title, layout.source, layout.licence, layout.sampling):
        assert told in text
    assert f"`{name}`" in text
    assert f"| {layout.commercial} |" in text
    listings = [each for division in layout.divisions.values() for each in division.listings]
    for file in {name for listing in listings for name in listing.names}:
        assert f"`{file}`" in text, file
    for division in list(layout.divisions)[1:]:
        assert f"`{division}`" in text, division
