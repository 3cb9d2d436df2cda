"""Learning from a store of tracks: to the left or to the right."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.models.catalog import find
from pointaction.pipeline import Recogniser
from pointaction.training.pretrain_store import whose_turn
from tests.pointaction.training.stored import sliding, store_of


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 clips of which every sixth is kept."""
    folder = tmp_path_factory.mktemp("clips")
    store_of(folder, 24, split=lambda number: "validation" if number // 2 % 6 == 5 else "train")
    return folder


def run(*words: object) -> str:
    done = CliRunner().invoke(app, list(map(str, words)))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


SMALL = ("--variant", "paper", "--small", "--tracks", 16, "--batch", 8, "--workers", 0)


def losses(folder: Path, name: str) -> str:
    return (folder / f"{name}-seed1" / "losses.csv").read_text()


def test_a_store_becomes_a_model_that_is_served(clips: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    words = ("--store", models, "--out", tmp_path, "--name", "ways", "--batch", 8)
    said = run("finetune", clips, *words, "--steps", 8, "--learning-rate", 1e-3, "--tracks", 16)
    assert "validation: 100.0%" in said
    assert "of 4" in said
    entry = find(models, "ways")
    assert entry.labels == ("left", "right")
    assert entry.builder == "traction_tiny"
    assert "| left | 10 | 2 |" in (models / entry.card).read_text()
    recogniser = Recogniser.load(models, "ways")
    answers = [next(iter(recogniser.recognise(sliding(99, way)).scores)) for way in (-1, 1)]
    assert answers == ["left", "right"]


def test_a_run_that_was_stopped_has_the_losses_of_one_that_was_not(
    clips: Path, tmp_path: Path
) -> None:
    """Of pretraining and of fine-tuning from it."""
    for name, stops in (("whole", 0), ("parts", 1)):
        out = tmp_path / name
        for minutes in [("--minutes", 0)] * stops + [()]:
            run("pretrain", clips, "--name", "p", "--steps", 3, "--out", out, *SMALL, *minutes)
    assert losses(tmp_path / "whole", "pretrain-p") == losses(tmp_path / "parts", "pretrain-p")
    weights = tmp_path / "whole" / "pretrain-p-seed1" / "weights.safetensors"
    for name, stops in (("whole", 0), ("parts", 1)):
        out = tmp_path / name
        for minutes in [("--minutes", 0)] * stops + [()]:
            words = ("--name", "f", "--steps", 3, "--out", out, "--from", weights)
            run("finetune", clips, *words, *SMALL, *minutes)
    assert losses(tmp_path / "whole", "finetune-f") == losses(tmp_path / "parts", "finetune-f")
    assert len(losses(tmp_path / "parts", "finetune-f").splitlines()) == 4
    first, second = (
        load_file(tmp_path / name / "finetune-f-seed1" / "weights.safetensors")
        for name in ("whole", "parts")
    )
    for part, value in first.items():
        assert torch.equal(second[part], value), part


def test_another_store_is_another_run(clips: Path, tmp_path: Path) -> None:
    words = ("--name", "p", "--steps", 1, "--out", tmp_path / "runs", *SMALL)
    run("pretrain", clips, *words)
    store_of(tmp_path / "other", 24)
    with pytest.raises(InputError, match="is of another run: data was"):
        run("pretrain", tmp_path / "other", *words)


def test_a_variant_is_left_in_its_folder(clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "finetune-v-seed1"
    small = ("--variant", "relative", *SMALL[2:])
    run("finetune", clips, "--name", "v", "--steps", 2, "--out", tmp_path, *small)
    assert (folder / "labels.txt").read_text() == "left\nright\n"
    measure = ("evaluate", "stored", "accuracy", clips, "--weights", folder / "weights.safetensors")
    said = run(*measure, "--variant", "relative", "--small", "--figures", tmp_path / "f.json")
    assert "top-1: " in said
    assert "of 4 clips" in said
    with pytest.raises(InputError, match="holds another model"):
        run(*measure, "--variant", "without-position")


def test_a_sample_can_be_asked_about_several_times(clips: Path, tmp_path: Path) -> None:
    run("finetune", clips, "--name", "v", "--steps", 1, "--out", tmp_path, *SMALL)
    weights = tmp_path / "finetune-v-seed1" / "weights.safetensors"
    words = ("--weights", weights, "--small", "--sample", 4, "--times", 3)
    assert "top-5: 100.0" in run("evaluate", "stored", "accuracy", clips, *words)


def test_stores_take_turns_as_often_as_they_have_clips() -> None:
    turns = [whose_turn(number, [1, 3, 2]) for number in range(12)]
    assert [sum(which == store for which, _ in turns) for store in range(3)] == [2, 6, 4]
    for store in range(3):
        own = [number for which, number in turns if which == store]
        assert own == list(range(len(own)))


def test_two_stores_are_pretrained_on_together(clips: Path, tmp_path: Path) -> None:
    store_of(tmp_path / "other", 8)
    said = run(
        "pretrain",
        clips,
        tmp_path / "other",
        "--steps",
        3,
        "--out",
        tmp_path,
        "--name",
        "b",
        *SMALL,
    )
    assert "pretrain-b-seed1/weights.safetensors" in said.replace("\n", "")


def test_what_a_store_has_of_its_own_is_not_asked_for(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a store has tracks, splits and features of its own"):
        run("finetune", clips, "--layout", "ssv2", "--out", tmp_path)
    with pytest.raises(InputError, match="--small is for a --variant"):
        run("finetune", clips, "--small", "--out", tmp_path)
