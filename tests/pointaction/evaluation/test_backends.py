from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pointaction.errors import MissingExtra
from pointaction.evaluation import backends
from pointaction.evaluation.backends import choose, milliseconds, open_backends, points_gained
from pointaction.evaluation.metrics import Estimate
from pointaction.evaluation.performances import Programme, Sight
from pointaction.models.backends import BACKENDS
from pointaction.models.catalog import TORCH
from pointaction.models.traction import Answer, TrAction
from pointaction.synthetic.vocabulary import LABELS
from tests.pointaction.models.onnx.models import ENTRY, small_model

LEFT, RIGHT = "moving left", "moving right"
TWO = replace(ENTRY, labels=(LEFT, RIGHT))


def uncounted(done: int, total: int) -> None:
    """Nobody looks."""


@dataclass
class Always:
    """Says the same of every clip."""

    number: int

    def answer(self, geometry: Tensor, visible: Tensor) -> Answer:
        clips, tracks = geometry.shape[:2]
        logits = torch.zeros(clips, 2)
        logits[:, self.number] = 1
        return Answer(logits, torch.full((clips, 1, tracks), 1 / tracks), torch.zeros(clips, 1))


@pytest.fixture(scope="module")
def model() -> TrAction:
    """Says left of every clip."""
    model = small_model()
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
    return model


def test_accuracy_is_compared_clip_by_clip(model: TrAction) -> None:
    """Three clips go left and one goes right."""
    wanted = [LABELS.index(label) for label in (LEFT, LEFT, LEFT, RIGHT)]
    gained = points_gained(
        model,
        {"same": Always(0), "opposite": Always(1)},
        TWO,
        Programme(labels=torch.tensor(wanted)),
        Sight(points=8),
        progress=uncounted,
    )
    assert gained["same"] == Estimate(value=0, low=0, high=0)
    assert gained["opposite"].value == 25 - 75
    assert gained["opposite"].low < -50 < gained["opposite"].high


def test_ways_take_turns() -> None:
    asked: list[str] = []
    ways: dict[str, Callable[[], object]] = {
        TORCH: lambda: asked.append("a"),
        "onnx": lambda: asked.append("b"),
    }
    assert milliseconds(ways, budget_s=0).keys() == ways.keys()
    assert asked == ["a", "b"] * 4  # the first time does not count


@pytest.mark.parametrize(
    ("ms", "points", "best"),
    [
        ({TORCH: 100, "onnx": 60, "onnx-int8": 40}, 0.0, "onnx-int8"),
        ({TORCH: 100, "onnx": 60, "onnx-int8": 40}, -0.2, "onnx-int8"),
        ({TORCH: 100, "onnx": 60, "onnx-int8": 40}, -0.3, "onnx"),
        ({TORCH: 100, "onnx": 97, "onnx-int8": 99}, 0.0, TORCH),  # not clearly faster
        ({TORCH: 100, "onnx": 120, "onnx-int8": 130}, 0.0, TORCH),
    ],
)
def test_the_fastest_that_keeps_the_accuracy_is_chosen(
    model: TrAction,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ms: dict[str, float],
    points: float,
    best: str,
) -> None:
    def gained(model: object, others: Mapping[str, object], *_: object, **__: object) -> object:
        return {name: Estimate(value=points, low=points, high=points) for name in others}

    monkeypatch.setattr(backends, "open_backends", lambda *_: dict.fromkeys(ms, Always(0)))
    monkeypatch.setattr(backends, "milliseconds", lambda ways: ms)
    monkeypatch.setattr(backends, "points_gained", gained)
    choice = choose(model, TWO, tmp_path, tracks=8, per_class=1, seed=0, progress=uncounted)
    assert choice.backend == best
    assert {name: figures["ms"] for name, figures in choice.figures.items()} == ms


def test_what_is_not_installed_is_left_out(
    model: TrAction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> Always:
        raise MissingExtra("ONNX Runtime", "onnx")

    for name in ("onnx", "onnx-int8"):
        monkeypatch.setitem(BACKENDS, name, replace(BACKENDS[name], open=missing))
    assert list(open_backends(model, TWO, tmp_path)) == [TORCH, "torch-bf16"]
