"""A standard benchmark on a tiny made-up copy: classes that move so differently that anyone can
tell them apart, whatever the weights.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from typer.testing import CliRunner

from pointaction.errors import InputError
from pointaction.evaluation.benchmark_commands import fewshot_benchmark
from pointaction.evaluation.fewshot_benchmark import Entrant, measured
from pointaction.fewshot.track_features import PATCH_WIDTH
from pointaction.models.catalog import DEFAULT_STORE, find
from pointaction.models.files import save_network
from pointaction.models.strm import strm_tiny
from tests.pointaction.evaluation.sliding import write_slide

WAYS = {"Rolling left": -3, "Rolling right": 3}  # pixels a frame


@pytest.fixture(scope="module")
def ucf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of three clips to be measured on, of which one cannot be read and one is gone."""
    root = tmp_path_factory.mktemp("ucf")
    lines = []
    for label, way in WAYS.items():
        for number in range(3):
            path = write_slide(root / label / f"{number}.mp4", right=way, seed=number)
            path.rename(path.with_suffix(".avi"))
            lines.append(f"{label}/{number}")
    (root / "Rolling left" / "bad.avi").write_bytes(b"no clip")
    lines += ["Rolling left/bad", "Rolling right/gone"]
    (root / "testlist03.txt").write_text("\n".join(lines) + "\n")
    (root / "trainlist03.txt").write_text("Falling/1\n")
    (root / "vallist03.txt").write_text("Rising/2\n")
    return root


def run(ucf: Path, folder: Path, *words: object) -> tuple[dict[str, Any], str]:
    app = typer.Typer()
    app.command()(fewshot_benchmark)
    asked = ["ucf101-arn", str(ucf), str(ucf), "--ways", "2", "--episodes", "8", "--tracks", "32"]
    asked += ["--cache", str(ucf / "cache"), "--report", str(folder), *map(str, words)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    (file,) = folder.glob("*-fewshot-ucf101-arn.json")
    return json.loads(file.read_text()), done.stderr


def test_the_protocol_is_that_of_the_papers(ucf: Path, tmp_path: Path) -> None:
    words = ("--shots", 1, "--shots", 2, "--matcher", "prototype")
    report, told = run(ucf, tmp_path, *words)
    assert "bad.avi is left out" in told
    assert report["conditions"] == {
        "part": "test",
        "clips": "6 of 8",
        "classes": "2 of 2",
        "tracks": 32,
        "episodes": "8 of 1 queries per class, seed 0",
    }
    (rows,) = report["tables"].values()
    (found,) = rows.values()
    assert {name: cell["mean"] for name, cell in found.items()} == {
        "2-way 1-shot": 1.0,
        "2-way 2-shot": 1.0,
    }
    assert len(list((ucf / "cache").iterdir())) == 6


def test_a_network_of_episodes_is_measured_as_it_is_trained(ucf: Path, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_network(strm_tiny(PATCH_WIDTH), tmp_path / "mine.safetensors")
    report, _ = run(ucf, tmp_path, "--shots", 1, "--weights", tmp_path / "mine.safetensors")
    (rows,) = report["tables"].values()
    assert list(rows) == ["mine, its own way"]
    assert report["conditions"]["clips"] == "6 of 8"


def test_a_matcher_is_given_what_it_compares() -> None:
    entrant = Entrant.open(DEFAULT_STORE, model="traction-tiny", weights=None, matcher="otam")
    assert entrant.name == f"traction-tiny {find(DEFAULT_STORE, 'traction-tiny').version}, otam"
    assert entrant.parts == ("frames",)


def test_a_part_that_there_is_not_is_refused(ucf: Path) -> None:
    assert [item.label for item in measured("ucf101-arn", ucf, ucf, "train").items] == ["Falling"]
    with pytest.raises(InputError, match="the parts train, validation, test, not 'dev'"):
        measured("ucf101-arn", ucf, ucf, "dev")


def test_a_folder_without_any_of_the_clips_is_refused(ucf: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the 8 clips that are asked for is in"):
        fewshot_benchmark("ucf101-arn", ucf, tmp_path)
