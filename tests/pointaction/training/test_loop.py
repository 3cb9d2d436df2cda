import csv
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pointaction.errors import InputError
from pointaction.training.batch import Batch
from pointaction.training.loop import Report, Run, in_halves, optimise
from pointaction.training.objectives import recognise
from tests.pointaction.training.worlds import LeftOrRight, small_run, tiny

ROOT = Path(__file__).resolve().parents[3]
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from tests.pointaction.training.test_loop import learn
from tests.pointaction.training.worlds import small_run

torch.set_num_threads(int(sys.argv[2]))
learn(small_run(Path(sys.argv[1]), 9), lambda step, told: step == 7 and os.kill(os.getpid(), 9))
"""


def silent(step: int, told: dict[str, float]) -> None:
    """A report that nobody reads."""


def learn(run: Run, report: Report = silent) -> dict[str, Tensor]:
    model = tiny()
    optimise(run, model, recognise(model, label_smoothing=0, contrast=0), LeftOrRight(), report)
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor], *, atol: float = 0) -> None:
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=atol)


def losses(run: Run) -> str:
    return (run.folder / "losses.csv").read_text()


def told(run: Run, name: str) -> list[float]:
    """A column of losses.csv."""
    with (run.folder / "losses.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """kill -9 in step 7: the checkpoint is from step 6, and dropout is on."""
    whole, parts = small_run(tmp_path / "whole", 9), small_run(tmp_path / "parts", 9)
    weights = learn(whole)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(parts.folder), str(torch.get_num_threads())], cwd=ROOT
    )
    assert killed.returncode == -signal.SIGKILL
    assert losses(parts) == "".join(losses(whole).splitlines(keepends=True)[:8])
    resumed = learn(parts)
    assert losses(parts) == losses(whole)
    assert losses(whole).startswith("step,loss,right\n1,")
    assert_equal(resumed, weights)


def test_halves_point_the_same_way_on_a_cpu() -> None:
    """And whoever comes after finds torch as it was."""
    model = tiny(dropout=0)
    objective = recognise(model, label_smoothing=0, contrast=0)
    batch = LeftOrRight()[0]

    def gradient(precision: AbstractContextManager[None]) -> Tensor:
        model.zero_grad()
        with precision:
            loss = objective(batch, 0)["loss"]
        loss.backward()
        return torch.cat(
            [each.grad.flatten() for each in model.parameters() if each.grad is not None]
        )

    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    exact, halved = gradient(nullcontext()), gradient(in_halves(torch.device("cpu")))
    assert torch.cosine_similarity(halved, exact, dim=0) > 0.999
    assert torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed() == before


def test_a_recipe_may_ask_for_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*given: Any) -> Any:
            asked.append(given)
            return function(*given)

        return ask

    monkeypatch.setattr(torch, "compile", counted)
    run = small_run(tmp_path, 2)
    learn(replace(run, recipe=replace(run.recipe, compile=True)))
    assert len(asked) == 2


def test_rows_after_the_checkpoint_are_written_once(tmp_path: Path) -> None:
    """Also where the last row was cut off in the middle of a number."""
    run = small_run(tmp_path, 4)
    learn(run)
    before = losses(run)
    with (tmp_path / "losses.csv").open("a") as file:
        file.write("5,0.1,0.5\n2")
    learn(run)
    assert losses(run) == before


def test_a_checkpoint_of_another_run_says_what_differs(tmp_path: Path) -> None:
    learn(small_run(tmp_path, 1))
    with pytest.raises(InputError, match="seed was 3 and is 4, steps was 1 and is 2"):
        learn(replace(small_run(tmp_path, 2), seed=4))
    start = tmp_path / "start.safetensors"
    start.write_bytes(b"")
    with pytest.raises(InputError, match="start was None and is e3b0c44298fc"):
        learn(replace(small_run(tmp_path, 1), start=start))


def test_it_learns_which_way(tmp_path: Path) -> None:
    run = small_run(tmp_path, 50)
    learn(run)
    assert sum(told(run, "loss")[-5:]) / 5 < 0.3
    assert sum(told(run, "right")[-5:]) / 5 > 0.9


def test_half_precision_learns_nearly_the_same(tmp_path: Path) -> None:
    exact = small_run(tmp_path / "exact", 3)
    half = replace(exact, folder=tmp_path / "half", recipe=replace(exact.recipe, precision="bf16"))
    weights = learn(exact), learn(half)
    assert told(half, "loss") == pytest.approx(told(exact, "loss"), rel=0.02)
    assert told(half, "loss") != told(exact, "loss")
    assert {value.dtype for value in weights[1].values()} == {torch.float32}


def test_batches_added_up_are_one_large_batch(tmp_path: Path) -> None:
    """Without dropout two batches of four make the gradient of one of eight."""

    class Pairs(LeftOrRight):
        def __getitem__(self, number: int) -> Batch:
            halves = [super(Pairs, self).__getitem__(2 * number + part) for part in range(2)]
            return Batch(
                **{
                    name: torch.cat([getattr(half, name) for half in halves])
                    for name in ("geometry", "visible", "present", "label")
                }
            )

    rows = []
    for accumulate, batches in ((2, LeftOrRight()), (1, Pairs())):
        model = tiny(dropout=0)
        run = small_run(tmp_path / str(accumulate), 3, accumulate=accumulate)
        optimise(run, model, recognise(model, label_smoothing=0, contrast=0), batches, silent)
        rows.append(told(run, "loss"))
    assert rows[0] == pytest.approx(rows[1], rel=1e-4)


def test_a_run_stops_when_its_time_is_over_and_goes_on_later(tmp_path: Path) -> None:
    whole = small_run(tmp_path / "whole", 4)
    hasty = replace(whole, folder=tmp_path / "hasty", minutes=0)
    weights = learn(whole)
    for done in range(1, 5):
        last = learn(hasty)
        assert losses(hasty).splitlines() == losses(whole).splitlines()[: done + 1]
    assert_equal(last, weights)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    run = small_run(tmp_path, 9)
    mad = replace(run, recipe=replace(run.recipe, learning_rate=1e30))
    with pytest.raises(InputError, match="lower learning rate"):
        learn(mad)


def test_losses_are_events_for_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = small_run(tmp_path, 2)
    learn(run)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["loss", "right"]
    assert [event.step for event in events.Scalars("loss")] == [1, 2]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(told(run, "loss"))
