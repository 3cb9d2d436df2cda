from pathlib import Path

import pytest

from pointaction.datasets.epic_kitchens import read_epic_kitchens, seconds
from pointaction.errors import InputError

HEADING = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,"
    "start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
)


def test_segments_are_read_with_their_verbs(tmp_path: Path) -> None:
    (tmp_path / "EPIC_100_verb_classes.csv").write_text(
        "id,key,instances,category\n1,put,\"['put', 'place']\",leave\n0,take,['take'],retrieve\n"
    )
    (tmp_path / "EPIC_100_train.csv").write_text(
        HEADING + "P01_102_0,P01,P01_102,00:00:01.100,00:00:00.54,00:01:02.23,27,111,"
        "take knife and plate,take,0,knife,4,\"['knife', 'plate']\",\"[4, 2]\"\n"
    )
    (tmp_path / "EPIC_100_validation.csv").write_text(
        HEADING + "P02_01_3,P02,P02_01,00:00:09.000,01:00:00.00,01:00:01.5,1,2,"
        "put cup,place,1,cup,5,['cup'],[5]\n"
    )
    read = read_epic_kitchens(tmp_path, Path("EPIC-KITCHENS"))
    assert read.labels == ("take", "put")
    train, validation = read.items
    assert train.path == Path("EPIC-KITCHENS/P01/videos/P01_102.MP4")
    assert (train.label, train.split, train.start, train.end) == ("take", "train", 0.54, 62.23)
    assert (validation.label, validation.start, validation.end) == ("put", 3600.0, 3601.5)
    assert (train.name, dict(train.about)) == ("P01_102_0", {"verb": "take"})


@pytest.mark.parametrize("name", ["EPIC_100_noun_classes.csv", "EPIC_100_noun_classes_v2.csv"])
def test_nouns_are_told_where_there_is_a_list_of_them(name: str, tmp_path: Path) -> None:
    heading = "id,key,instances,category\n"
    (tmp_path / "EPIC_100_verb_classes.csv").write_text(heading + "0,take,['take'],retrieve\n")
    (tmp_path / name).write_text(heading + "4,knife,['knife'],cutlery\n")
    row = (
        "P01_102_0,P01,P01_102,00:00:01.100,00:00:00.54,00:01:02.23,27,111,take it,take,0,it,4,,\n"
    )
    (tmp_path / "EPIC_100_train.csv").write_text(HEADING + row)
    (tmp_path / "EPIC_100_validation.csv").write_text(HEADING)
    (item,) = read_epic_kitchens(tmp_path, Path()).items
    assert item.about == {"verb": "take", "noun": "knife", "action": "take knife"}


@pytest.mark.parametrize("text", ["", "12", "00:xx:01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a time"):
        seconds(text)
