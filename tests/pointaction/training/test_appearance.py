from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor
from typer.testing import CliRunner

from pointaction.appearance.dinov2 import own_backbone
from pointaction.cli import app
from pointaction.models.dinov2 import DINOv2, DINOv2Config, begin
from pointaction.training.appearance import (
    LooksRecipe,
    embed,
    find_again,
    recognise_looks,
    train_looks,
)
from pointaction.training.appearance_batches import Album, LooksBatches, Pictures
from pointaction.training.loop import Run

SMALL = Album(identities=2, views=2, drawn=48, sides=(28, 42))


@pytest.fixture(scope="module")
def batch() -> Pictures:
    """Three views of each of four identities."""
    return LooksBatches(replace(SMALL, identities=4, views=3), seed=1)[0]


def network() -> DINOv2:
    return DINOv2(DINOv2Config(width=24, layers=2, heads=2))


def silent(step: int, told: dict[str, float]) -> None:
    """A report that nobody reads."""


def a_run(folder: Path, steps: int) -> Run:
    recipe = LooksRecipe(builder="", steps=steps, batch=2, learning_rate=1e-3, album=SMALL)
    return Run(recipe=recipe, folder=folder, workers=0, save_every=1)


def distances(features: Tensor, identity: Tensor) -> tuple[float, float]:
    """Mean distance of pictures of the same identity, and of others."""
    apart = torch.cdist(features, features)
    same = identity[:, None] == identity
    itself = torch.eye(len(identity)).bool()
    return apart[same & ~itself].mean().item(), apart[~same].mean().item()


def test_a_batch_has_so_many_views_of_each_identity_in_squares_of_the_size_whose_turn_it_is() -> (
    None
):
    batches = LooksBatches(SMALL, seed=1)
    for number, side in enumerate((28, 42)):
        batch = batches[number]
        assert batch.identity.tolist() == [0, 0, 1, 1]
        assert batch.pictures.shape == (4, 3, side, side)


def test_views_of_an_identity_differ_less_in_colour_than_those_of_others(batch: Pictures) -> None:
    same, others = distances(batch.pictures.mean((2, 3)), batch.identity)
    assert 0 < same < others


def test_a_batch_is_always_the_same_and_no_other() -> None:
    one, same, other = (LooksBatches(SMALL, seed=1)[number].pictures for number in (4, 4, 6))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_few_steps_pull_pictures_of_one_identity_together(batch: Pictures) -> None:
    model = network()
    begin(model, Generator().manual_seed(0))
    objective = recognise_looks(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)

    def ratio() -> float:
        with torch.no_grad():
            same, others = distances(embed(model, batch.pictures), batch.identity)
        return same / others

    before = ratio()
    for step in range(40):
        optimiser.zero_grad()
        measures = objective(batch, step)
        measures["loss"].backward()
        optimiser.step()
    assert ratio() < 2 / 3 * before
    assert measures["found"] == 1


def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """In step 2: the checkpoint is from step 1."""
    whole, parts = a_run(tmp_path / "whole", 3), a_run(tmp_path / "parts", 3)
    learnt, steps = train_looks(whole, silent, build=network)
    assert steps == 3

    def interrupt(step: int, told: dict[str, float]) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_looks(parts, interrupt, build=network)
    resumed, _ = train_looks(parts, silent, build=network)
    losses = (whole.folder / "losses.csv").read_text()
    assert (parts.folder / "losses.csv").read_text() == losses
    assert losses.startswith("step,loss,found\n1,")
    for name, value in learnt.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value)


def test_the_test_asks_about_every_picture_of_an_unseen_batch(tmp_path: Path) -> None:
    model = network()
    begin(model, Generator().manual_seed(0))
    found = find_again(model, a_run(tmp_path, 4), batches=1)
    assert found.total == 4
    assert 0 <= found.right <= found.total


def test_the_command_leaves_a_backbone(tmp_path: Path) -> None:
    asked = ["--steps", "1", "--identities", "2", "--workers", "0", "--tested", "1"]
    done = CliRunner().invoke(app, ["train-appearance", "--out", str(tmp_path), *asked])
    assert done.exit_code == 0, done.output
    assert "found again among 2 unseen identities" in done.output
    backbone = own_backbone(tmp_path / "appearance-seed1" / "weights.safetensors", frames=2)
    frames = torch.zeros(2, 30, 40, 3, dtype=torch.uint8).numpy()
    assert backbone.features(frames).tokens.shape == (1, 2 * 8 * 8, 192)
