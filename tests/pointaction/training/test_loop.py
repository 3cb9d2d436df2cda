from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pointaction.errors import InputError
from pointaction.models.masked_pretraining import MaskedConfig, MaskedPretraining
from pointaction.models.traction import TrAction, traction, traction_tiny
from pointaction.training.checkpoints import export_weights, load_encoder
from pointaction.training.loop import pretrain, train
from pointaction.training.recipes import Recipe, pretrain_quick, quick
from pointaction.training.schedule import warmup_cosine


def small(steps: int) -> Recipe:
    return replace(quick(), steps=steps, batch=4)


def run(recipe: Recipe, checkpoint: Path, losses: list[float], *, stop_after: int = 99) -> TrAction:
    def report(step: int, loss: float, right: float | None) -> None:
        losses.append(loss)
        if step == stop_after:
            raise KeyboardInterrupt

    cpu = torch.device("cpu")
    return train(
        recipe, seed=3, device=cpu, checkpoint=checkpoint, report=report, save_every=1, workers=0
    )


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole: list[float] = []
    model = run(small(4), tmp_path / "whole.pt", whole)
    parts: list[float] = []
    with pytest.raises(KeyboardInterrupt):
        run(small(4), tmp_path / "parts.pt", parts, stop_after=3)
    resumed = run(small(4), tmp_path / "parts.pt", parts)
    assert parts[:2] == whole[:2]  # step 3 is done again: its checkpoint was not written
    assert parts[3:] == whole[2:]
    state: dict[str, Tensor] = resumed.state_dict()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=0)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    run(small(1), tmp_path / "run.pt", [])
    with pytest.raises(InputError, match="is of another run"):
        run(small(2), tmp_path / "run.pt", [])


def test_it_learns(tmp_path: Path) -> None:
    """After a few small steps the loss is on its way down."""
    losses: list[float] = []
    recipe = replace(quick(), steps=24, batch=8)
    run(recipe, tmp_path / "run.pt", losses)
    assert sum(losses[-5:]) / 5 < sum(losses[:5]) / 5 - 0.1


def test_pretraining_is_the_same_run_each_time_and_gets_better(tmp_path: Path) -> None:
    def run_once(name: str) -> list[float]:
        losses: list[float] = []
        pretrain(
            replace(pretrain_quick(), steps=24, batch=8),
            seed=3,
            device=torch.device("cpu"),
            checkpoint=tmp_path / name,
            report=lambda step, loss, right: losses.append(loss),
            workers=0,
        )
        return losses

    losses = run_once("one.pt")
    assert losses == run_once("other.pt")
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_a_training_may_start_with_a_pretrained_encoder(tmp_path: Path) -> None:
    torch.manual_seed(5)
    pretrained = MaskedPretraining(traction_tiny(3).encoder, MaskedConfig())
    export_weights(pretrained, tmp_path / "start.safetensors")
    encoder = traction_tiny(33).encoder
    load_encoder(encoder, tmp_path / "start.safetensors")
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(
            value, pretrained.encoder.state_dict()[name], rtol=1e-3, atol=1e-4
        )  # it was stored in half precision


def test_an_encoder_of_another_size_is_refused(tmp_path: Path) -> None:
    export_weights(traction_tiny(3), tmp_path / "start.safetensors")
    with pytest.raises(InputError, match="another encoder"):
        load_encoder(traction(3).encoder, tmp_path / "start.safetensors")


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [warmup_cosine(step, steps=100) for step in range(100)]
    assert rates[0] == 0.1
    assert rates[9] == 1.0
    assert rates[10] == 1.0
    assert all(after <= before for before, after in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] < 0.001
