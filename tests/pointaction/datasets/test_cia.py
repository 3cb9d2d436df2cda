from pathlib import Path

from pointaction.datasets.cia import read_cia_ssv2

HEADING = ",id,chiral_triplet_id,chiral_label\n"


def test_clips_belong_to_a_group_with_two_labels(tmp_path: Path) -> None:
    (tmp_path / "cia-ssv2-train.csv").write_text(HEADING + "0,78687,3,0\n1,42326,3,1\n")
    (tmp_path / "cia-ssv2-validation.csv").write_text(HEADING + "0,1420,3,1\n")
    read = read_cia_ssv2(tmp_path, Path("ssv2"))
    assert read.labels == ("3: 0", "3: 1")
    assert {item.group for item in read.items} == {"3"}
    (held_out,) = read.of("validation")
    assert (held_out.path, held_out.label) == (Path("ssv2/1420.webm"), "3: 1")
