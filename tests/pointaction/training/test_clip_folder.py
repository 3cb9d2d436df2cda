from pathlib import Path

import pytest

from pointaction.errors import InputError, UnsupportedClip
from pointaction.training.clip_folder import (
    LabelledClip,
    divide,
    expect_lessons,
    follow_clips,
    read_clips,
)
from tests.pointaction.test_tracks import make_tracks


def clips(label: str, count: int) -> list[LabelledClip]:
    return [
        LabelledClip(path=Path(label) / f"{number}.mp4", label=label) for number in range(count)
    ]


def test_a_folder_is_read_label_by_label(tmp_path: Path) -> None:
    for name in ("wave/b.mp4", "wave/a.MOV", "wave/notes.txt", "nod/a.tracks.npz", "read me.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [(clip.label, clip.path.name) for clip in read_clips(tmp_path)]
    assert found == [("nod", "a.tracks.npz"), ("wave", "a.MOV"), ("wave", "b.mp4")]


def test_a_label_without_clips_is_named(tmp_path: Path) -> None:
    (tmp_path / "wave").mkdir()
    with pytest.raises(InputError, match="wave has no clips.*add some or remove"):
        read_clips(tmp_path)


def test_a_table_is_read_with_paths_beside_it(tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text("path,label,split\na.mp4,wave,train\n/b.mp4,nod,val\nc.mp4,nod,\n")
    a, b, c = read_clips(table)
    assert (a.path, a.label, a.validation) == (tmp_path / "a.mp4", "wave", False)
    assert (b.path, b.validation) == (Path("/b.mp4"), True)
    assert c.validation is None
    assert [clip.validation for clip in divide([a, b, c], share=0.5)] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.mp4,wave\n", "begins with a.mp4,wave; expected path,label"),
        ("file,label\na.mp4,wave\n", "begins with file,label; expected path,label"),
        ("path,label\na.mp4,\n", "line 2: expected a path and a label"),
        ("path,label,split\na.mp4,wave,test\n", "split is 'test', expected train or val"),
    ],
)
def test_a_table_that_is_laid_out_otherwise_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    table = tmp_path / "clips.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=said):
        read_clips(table)


def test_each_label_gives_its_share_and_keeps_one_to_learn_from() -> None:
    divided = divide([*clips("wave", 10), *clips("nod", 1)], share=0.3)
    kept = [clip for clip in divided if clip.validation]
    assert [clip.label for clip in kept] == ["wave"] * 3


def test_a_clip_more_moves_no_other() -> None:
    """Of 10 and of 11 clips three are kept: two of them at least are the same."""
    before, after = (divide(clips("wave", count), share=0.3) for count in (10, 11))
    kept = [{clip.path for clip in some if clip.validation} for some in (before, after)]
    assert len(kept[0] & kept[1]) >= 2


def test_one_label_or_an_untaught_one_is_refused() -> None:
    with pytest.raises(InputError, match="two or more"):
        expect_lessons(Path("x"), {"wave"}, clips("wave", 3))
    with pytest.raises(InputError, match="no readable clip to learn nod from"):
        expect_lessons(Path("x"), {"wave", "nod"}, clips("wave", 3))


def test_a_clip_that_cannot_be_read_does_not_stop_the_rest(tmp_path: Path) -> None:
    good, bad, missing = (tmp_path / name for name in ("good.tracks.npz", "bad.mp4", "none.mp4"))
    make_tracks().save(good)
    bad.write_text("no clip")
    failures: list[tuple[Path, type[Exception]]] = []

    def failed(path: Path, error: Exception) -> None:
        failures.append((path, type(error)))

    progress: list[tuple[int, int]] = []
    followed = follow_clips(
        [LabelledClip(path=path, label="wave") for path in (bad, missing, good)],
        tracks=16,
        cache=tmp_path / "cache",
        progress=lambda done, total: progress.append((done, total)),
        failed=failed,
    )
    assert [each.clip.path for each in followed] == [good]
    assert failures == [(bad, UnsupportedClip), (missing, FileNotFoundError)]
    assert progress == [(1, 3), (2, 3), (3, 3)]
