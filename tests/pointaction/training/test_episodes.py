import csv
import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import pytest
import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.evaluation.fewshot import FewShot, Trial
from pointaction.fewshot.track_features import PATCH_WIDTH
from pointaction.models.fewshot import load_network, load_strm
from pointaction.models.files import save_network
from pointaction.models.strm import STRM, STRMConfig
from pointaction.models.trokens import Trokens, TrokensConfig
from pointaction.models.trx import TRX, TRXConfig
from pointaction.training import episodes as module
from pointaction.training.batch import Batch
from pointaction.training.episodes import (
    EpisodeRecipe,
    Exam,
    Learnt,
    Pupil,
    ask,
    balance,
    best_so_far,
    episodes,
    pupil_for,
    together,
    train_episodes,
)
from pointaction.training.loop import Report, Run, optimise

ROOT = Path(__file__).resolve().parents[3]
KILLED = """
import os, sys
from pathlib import Path
import torch
from tests.pointaction.training.test_episodes import learn, small_run

torch.set_num_threads(int(sys.argv[2]))
learn(small_run(Path(sys.argv[1])), lambda step, told: step == 5 and os.kill(os.getpid(), 9))
"""
TROKENS = TrokensConfig(
    appearance=None, anchors=3, within_picture=True, width=16, heads=2, grid=4, classes=125
)
STRM_SMALL = STRMConfig(
    inputs=PATCH_WIDTH, width=16, projection=16, bottleneck=8, query_class_width=8, dropout=0.0
)


TRIAL = Trial(ways=3, queries=1, episodes=5)


def small_recipe() -> EpisodeRecipe:
    return EpisodeRecipe(
        builder="strm",
        steps=6,
        learning_rate=1e-3,
        batch=4,
        programs=2,
        performances=2,
        ways=3,
        episodes=2,
        every=2,
        exam=2,
        tracks=(6,),
    )


def small_run(folder: Path) -> Run:
    return Run(recipe=small_recipe(), folder=folder, seed=3, workers=0, save_every=3)


def silent(step: int, told: object) -> None:
    """What nobody listens to."""


def learn(run: Run, report: Report = silent) -> Learnt:
    with patch.dict(module.NEW, {"strm": lambda: STRM(STRM_SMALL)}):
        return train_episodes(run, report, trial=TRIAL, examined=silent)


def told(run: Run) -> list[str]:
    """All figures of a run: of its steps, and of its examinations."""
    return [(run.folder / part / "losses.csv").read_text() for part in ("", "validation")]


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """kill -9 in step 5: the checkpoint is from step 3, and step 4 was examined."""
    whole, parts = small_run(tmp_path / "whole"), small_run(tmp_path / "parts")
    best = learn(whole)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(parts.folder), str(torch.get_num_threads())], cwd=ROOT
    )
    assert killed.returncode == -signal.SIGKILL
    resumed = learn(parts)
    assert told(parts) == told(whole)
    assert resumed.best == best.best
    for name, value in best.network.state_dict().items():
        assert resumed.network.state_dict()[name].equal(value)


def test_examinations_are_figures_with_an_interval_and_events(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, heard = small_run(tmp_path), dict[int, FewShot]()
    train_episodes(run, silent, trial=TRIAL, examined=heard.__setitem__)
    with (tmp_path / "validation" / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [2, 4, 6] == list(heard)
    assert [float(row["accuracy"]) for row in rows] == [each.mean for each in heard.values()]
    assert [float(row["half_width"]) for row in rows] == [
        each.half_width for each in heard.values()
    ]
    events = EventAccumulator(str(tmp_path / "validation" / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["accuracy", "half_width"]


def test_the_best_are_the_first_of_those_that_did_best(tmp_path: Path) -> None:
    assert best_so_far(tmp_path, 9) is None
    (tmp_path / "validation").mkdir()
    (tmp_path / "validation" / "losses.csv").write_text(
        "step,accuracy,half_width\n2,0.5,0.1\n4,0.75,0.1\n6,0.75,0.1\n8,0.875,0.1\n"
    )
    assert best_so_far(tmp_path, 1) is None
    assert best_so_far(tmp_path, 3) == (2, 0.5)
    assert best_so_far(tmp_path, 7) == (4, 0.75)
    assert best_so_far(tmp_path, 8) == (8, 0.875)


def test_training_begins_with_given_weights(tmp_path: Path) -> None:
    learn(small_run(tmp_path / "first"))
    start = tmp_path / "first" / "best.safetensors"
    still = replace(small_recipe(), learning_rate=0.0, weight_decay=0.0)
    learnt = learn(replace(small_run(tmp_path / "then"), recipe=still, start=start))
    for name, value in load_network(start).state_dict().items():
        assert learnt.network.state_dict()[name].equal(value)


def test_loud_inputs_do_not_drown_the_others() -> None:
    """What the balanced layer says of inputs is what it would have said of standard scores."""
    chance = Generator().manual_seed(0)
    scores = torch.randn(50, 4, 3, generator=chance)
    scores = (scores - scores.mean((0, 1))) / scores.flatten(0, 1).std(0)
    layer = torch.nn.Linear(3, 2)
    before = layer.weight.clone()
    loud = scores * torch.tensor([1.0, 100, 0.01]) + torch.tensor([0, 7, 0.5])
    balance(layer, loud)
    torch.testing.assert_close(layer(loud), scores @ before.T, rtol=1e-3, atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    start = tmp_path / "trokens.safetensors"
    save_network(Trokens(TROKENS), start)
    with pytest.raises(InputError, match="holds trokens, not strm"):
        learn(replace(small_run(tmp_path), start=start))


class Ways(Dataset[Batch]):
    """`batches[number]`: two clips each of tracks that go left, right, up and down."""

    def __getitem__(self, number: int) -> Batch:
        chance = Generator().manual_seed(number)
        group = torch.arange(4).repeat_interleave(2)
        way = torch.tensor([[-1.0, 0], [1, 0], [0, -1], [0, 1]])[group]
        start = torch.rand(8, 6, 1, 3, generator=chance)
        geometry = start.repeat(1, 1, 32, 1)
        # Half of the tracks stay where they are, or there would be no picture to move against.
        moved = way[:, None, None] * torch.linspace(0, 0.3, 32)[:, None]
        geometry[:, :2, :, :2] += moved
        seen = torch.ones(8, 6, 32).bool()
        return Batch(
            geometry=geometry,
            visible=seen,
            present=seen[..., 0],
            label=torch.full((8,), -1),
            group=group,
        )


@pytest.mark.parametrize("kind", ["trokens", "strm"])
def test_it_learns_to_tell_ways_apart_that_it_saw_once(kind: str, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Trokens(TROKENS) if kind == "trokens" else STRM(STRM_SMALL)
    recipe = replace(small_recipe(), steps=40, learning_rate=3e-3, ways=4)
    run = replace(small_run(tmp_path), recipe=recipe)
    optimise(run, network, episodes(pupil_for(network), recipe, seed=1), Ways(), silent)
    with (tmp_path / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    last = [float(row["right"]) for row in rows[-5:]]
    assert sum(last) / 5 > 0.9
    assert float(rows[-1]["loss"]) < 0.7 * float(rows[0]["loss"])


def test_only_what_has_a_name_is_to_be_named() -> None:
    pupil = pupil_for(Trokens(TROKENS))
    batch = Ways()[0]
    assert pupil.beside(pupil.describe(batch), batch) == 0
    logits = torch.zeros(8, 125)
    named = replace(batch, label=torch.tensor([7] + [-1] * 7))
    frames = torch.zeros(8, 8, 16)
    # One of eight has a name, and all names are as likely.
    assert pupil.beside((frames, logits), named).item() == pytest.approx(math.log(125) / 8)


class Says:
    """A pupil of two classifiers: one knows the clips' numbers, the other the opposite."""

    shares: ClassVar[tuple[float, ...]] = (1.0, 0.25)
    network = STRM(STRM_SMALL)

    def describe(self, batch: Batch) -> tuple[Tensor, ...]:
        return (torch.zeros(len(batch.label)),)

    def compare(
        self, support: tuple[Tensor, ...], labels: Tensor, query: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        near = -(query[0][:, None] - support[0][None]).abs()
        return near, -near

    def beside(self, told: tuple[Tensor, ...], batch: Batch) -> Tensor:
        return told[0].new_zeros(())


def test_classifiers_count_as_they_are_shared() -> None:
    pupil: Pupil = Says()
    numbers = (torch.tensor([0.0, 10.0, 4.0]),)
    said = ask(pupil, numbers, torch.tensor([[0], [1]]), torch.tensor([2]))
    assert [each.tolist() for each in said] == [[[-4, -6]], [[4, 6]]]
    assert together(pupil, said).tolist() == [[-3, -4.5]]


def test_an_exam_leaves_the_network_as_it_was_and_is_always_the_same() -> None:
    pupil = pupil_for(STRM(STRM_SMALL))
    exam = Exam.of(small_recipe(), "validation", TRIAL)
    # Two names and two programs, twice each, in each of two batches.
    assert exam.labels.view(-1, 2).unique(dim=1).shape == (8, 1)
    assert (exam.labels[[4, 6, 12, 14]] >= 125).all()
    assert exam.labels[[4, 6, 12, 14]].unique().numel() == 4
    assert pupil.network.training
    assert exam.sit(pupil, shots=1) == exam.sit(pupil, shots=1)
    assert pupil.network.training


def test_what_needs_pictures_or_another_encoder_is_refused() -> None:
    with pytest.raises(InputError, match="TRX does not learn from tracks alone"):
        pupil_for(TRX(TRXConfig(frames=5, width=12, projection=16)))
    with pytest.raises(InputError, match="Trokens does not learn"):
        pupil_for(Trokens(replace(TROKENS, appearance=3)))


def test_the_command_trains_and_says_where_the_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.RECIPES, "strm", small_recipe)
    monkeypatch.setitem(module.NEW, "strm", lambda: STRM(STRM_SMALL))
    asked = ["--out", str(tmp_path), "--episodes", "3", "--ways", "3", "--tested", "2"]
    done = CliRunner().invoke(app, ["train-episodes", "strm", *asked])
    assert done.exit_code == 0, done.exception
    assert "5-way 5-shot on test classes" in done.output
    weights = tmp_path / "strm-episodes-seed1" / "weights.safetensors"
    assert str(weights) in done.output.replace("\n", "")
    assert load_strm(weights).config.inputs == PATCH_WIDTH
    assert len((weights.parent / "losses.csv").read_text().splitlines()) == 3  # two of two each


def test_a_network_that_is_not_there_is_answered_with_those_there_are() -> None:
    done = CliRunner().invoke(app, ["train-episodes", "huge"])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("'huge' is not one of: trokens, strm")
