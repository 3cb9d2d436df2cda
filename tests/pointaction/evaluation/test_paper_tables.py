"""TrAction's table 2 with one command each, on tiny made-up copies of the data sets.

Left and right are so different there that random weights tell them apart.
"""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from pointaction.cli import app
from tests.pointaction.evaluation.sliding import write_slide

WAYS = {"drink": -3, "run": 3}  # pixels a frame to the right


def evaluate(*words: object, folder: Path) -> tuple[dict[str, Any], str]:
    asked = ["evaluate", *map(str, words), "--untrained", "--tracks", "32"]
    done = CliRunner().invoke(app, [*asked, "--report", str(folder)])
    assert done.exit_code == 0, done.output
    (file,) = folder.glob("*.json")
    return json.loads(file.read_text()), done.stderr


def test_iard_finds_the_motion_and_leaves_out_what_it_cannot_read(tmp_path: Path) -> None:
    root = tmp_path / "iard"
    for action, way in WAYS.items():
        for number, actor in enumerate(("haim", "oren", "yair")):
            name = f"{action}_{actor}_0_90_2_0.mp4"
            write_slide(root / f"{action}1" / name, right=way, seed=number)
    (root / "drink1" / "drink_noam_0_90_2_0.mp4").write_bytes(b"no clip")
    report, told = evaluate("iard", root, "--k", 1, folder=tmp_path / "report")
    assert "drink_noam_0_90_2_0.mp4 is left out" in told
    assert report["conditions"]["clips"] == "6 of 7"
    (rows,) = report["tables"].values()
    assert set(rows) == {
        "traction_tiny, untrained, CLS",
        "traction_tiny, untrained, mean of tracks",
    }
    found = rows["traction_tiny, untrained, CLS"]
    assert found["motion"] == {"right": 6, "total": 6}  # left and right are far apart
    assert found["identity"]["total"] == 6
    assert found["identity by chance"] == 1 / 3


def test_cia_probes_each_group(tmp_path: Path) -> None:
    root, number = tmp_path / "cia", 0
    videos = root / "20bn-something-something-v2"
    for split, count in (("train", 2), ("validation", 1)):
        lines = ["id,chiral_triplet_id,chiral_label"]
        for group in (0, 1):
            for label, way in enumerate((-3, 3)):
                for _ in range(count):
                    number += 1
                    write_slide(videos / f"{number}.webm", right=way - group, seed=number)
                    lines.append(f"{number},{group},{label}")
        lines.append(f"{1000 + number},0,1")  # withdrawn
        (root / f"cia-ssv2-{split}.csv").write_text("\n".join(lines) + "\n")
    cache = tmp_path / "tracks"
    report, _ = evaluate("cia", root, "--cache", cache, folder=tmp_path / "report")
    assert report["conditions"]["clips"] == "12 of 14"
    assert report["conditions"]["groups"] == "2 of 2"
    summary = report["tables"]["One of two, by a linear probe per chiral group"]
    found = summary["traction_tiny, untrained, CLS"]
    assert found["of all clips"] == {"right": 4, "total": 4}
    assert found["mean over groups"]["value"] == 1.0
    assert len(list(cache.iterdir())) == 12
