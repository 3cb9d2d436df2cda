from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import one_hot
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.errors import InputError
from pointaction.models.emim import EMIMConfig, load_emim
from pointaction.models.trajectorynet import TrajectoryNet, TrajectoryNetConfig
from pointaction.synthetic.vocabulary import LABELS
from pointaction.training.loop import Run
from pointaction.training.reel_batches import Cutting
from pointaction.training.reels import HELD_OUT, TRAINING
from pointaction.training.video import (
    VIDEO_RECIPES,
    VideoRecipe,
    answers,
    judge,
    told_from_opposites,
    train_video,
)
from tests.pointaction.training.drawn import sliding

TRAJECTORYNET = TrajectoryNetConfig(width=4, blocks=(1, 1), follow=(1, 2))
EMIM = EMIMConfig(width=12, layers=2, heads=2, patch=4, local=1, radius=1)


def silent(step: int, told: dict[str, float]) -> None:
    """A report that nobody reads."""


def a_run(folder: Path, config: TrajectoryNetConfig | EMIMConfig, steps: int) -> Run:
    recipe = VideoRecipe(
        builder="",
        steps=steps,
        batch=8,
        learning_rate=1e-2,
        config=config,
        cutting=Cutting(cells=8),
    )
    return Run(recipe=recipe, folder=folder, workers=0, save_every=1)


def test_a_few_steps_teach_left_from_right(tmp_path: Path) -> None:
    reels = sliding(8)
    run = replace(a_run(tmp_path, TRAJECTORYNET, 40), save_every=40)
    network, steps = train_video(run, silent, reels=reels)
    assert steps == 40
    assert network.config.classes == 3
    judged = judge(network, reels)
    assert judged.top1.share == judged.opposites.share == 1


@pytest.mark.parametrize("config", [TRAJECTORYNET, EMIM], ids=["trajectorynet", "emim"])
def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(
    config: TrajectoryNetConfig | EMIMConfig, tmp_path: Path
) -> None:
    """In step 2: the checkpoint is from step 1."""
    reels = sliding(8)
    learnt, _ = train_video(a_run(tmp_path / "whole", config, 3), silent, reels=reels)

    def interrupt(step: int, told: dict[str, float]) -> None:
        if step == 2:
            raise KeyboardInterrupt

    parts = a_run(tmp_path / "parts", config, 3)
    with pytest.raises(KeyboardInterrupt):
        train_video(parts, interrupt, reels=reels)
    resumed, _ = train_video(parts, silent, reels=reels)
    assert (parts.folder / "losses.csv").read_text().startswith("step,loss,right\n1,")
    for name, value in learnt.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value)


def test_each_baseline_differs_from_its_network_in_one_thing() -> None:
    """And all of a kind begin with as many steps, the same rate and the same clips."""
    recipes = [build() for build in VIDEO_RECIPES.values()]
    for kind in (recipes[:3], recipes[3:]):
        last = kind[-1]
        for recipe in kind:
            assert replace(recipe, config=last.config, builder=last.builder) == last
    follows = [recipe.build(2) for recipe in recipes[:3]]
    assert [network.config.follow for network in follows if isinstance(network, TrajectoryNet)] == [
        (),
        (1, 2, 3),
        (1, 2, 3),
    ]


def test_answers_come_in_the_order_of_the_clips() -> None:
    network = TrajectoryNet(TRAJECTORYNET).eval()
    reels = sliding(5)
    together = answers(network, reels)
    torch.testing.assert_close(answers(network, reels, batch=2), together)
    assert together.shape == (5, 174)


def test_a_network_is_asked_about_its_own_labels_alone() -> None:
    with pytest.raises(InputError, match="knows 174 labels and the reels have 3"):
        judge(TrajectoryNet(TRAJECTORYNET), sliding(2))


def test_only_motions_with_an_opposite_are_told_from_it() -> None:
    """Labels left, right, left, and one that is no motion; the third is taken for right."""
    reels = replace(sliding(4), label=torch.tensor([0, 1, 0, 2]))
    told = told_from_opposites(one_hot(torch.tensor([0, 1, 1, 0]), 3).float(), reels)
    assert told.tolist() == [True, True, False]


def test_the_command_trains_and_asks_about_held_out_reels(tmp_path: Path) -> None:
    reels = sliding(4)
    number = torch.tensor([LABELS.index("moving left"), LABELS.index("moving right")])
    for folder in (TRAINING, HELD_OUT):
        (tmp_path / folder).mkdir()
        save_file(
            {"frames": reels.frames, "motion": reels.motion, "label": number[reels.label]},
            tmp_path / folder / "reels-1-00000.safetensors",
        )
    asked = ["--reels", str(tmp_path), "--out", str(tmp_path), "--workers", "0"]
    asked += ["--steps", "1", "--width", "12"]
    done = CliRunner().invoke(app, ["train-video", "emim", *asked])
    assert done.exit_code == 0, done.output
    assert "of 4, told from the opposite" in done.output
    labels = (tmp_path / "emim-seed1" / "labels.txt").read_text()
    assert labels == "moving left\nmoving right\n"
    weights = tmp_path / "emim-seed1" / "weights.safetensors"
    assert load_emim(weights).config.classes == 2
    done = CliRunner().invoke(app, ["train-video", "motionnet", *asked])
    assert done.exit_code == 0, done.output
    assert "pixels from what the reels say" in done.output
