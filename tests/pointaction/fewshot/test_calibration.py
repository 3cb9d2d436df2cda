import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pointaction.errors import InputError
from pointaction.fewshot.calibration import (
    DEFAULT_TEMPERATURES,
    Belonging,
    EpisodeCalibration,
    calibration_of,
    read_episode_calibrations,
    save_episode_calibrations,
)
from pointaction.fewshot.closeness import Closeness
from pointaction.fewshot.heads import HEADS
from pointaction.fewshot.matchers import MATCHERS
from pointaction.models.catalog import DEFAULT_STORE

NOTHING = dict.fromkeys(("nearness", "closeness", "sparseness", "ways"), 0.0)
STRANGE = Closeness(own=torch.tensor([0.25, 0.75]), shots=torch.tensor([1, 4]))
SCORES = torch.tensor([[2.0, 1.0], [0.0, 0.5]])


def weighing(**weights: float) -> EpisodeCalibration:
    return EpisodeCalibration(
        temperature=1.0, belonging=Belonging(weights=NOTHING | weights, bias=0.0, threshold=0.6)
    )


def test_shares_are_a_softmax_at_the_temperature() -> None:
    shares = EpisodeCalibration(temperature=1 / math.log(3)).shares(SCORES[:1])
    torch.testing.assert_close(shares, torch.tensor([[0.75, 0.25]]))  # one more is thrice as likely


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ("nearness", [2.0, 0.5]),
        ("closeness", [0.25, 0.75]),  # of the class that is nearest
        ("sparseness", [1.0, 0.25]),
        ("ways", [math.log(2), math.log(2)]),
    ],
)
def test_each_evidence_counts_by_its_weight(evidence: str, said: list[float]) -> None:
    found = weighing(**{evidence: 3.0}).belongs(SCORES, STRANGE)
    assert found is not None
    torch.testing.assert_close(found.logit(), 3 * torch.tensor(said))


def test_a_query_below_the_threshold_is_none_of_these() -> None:
    none = weighing(nearness=1.0).none_of_these(SCORES - 1, STRANGE)
    assert none is not None
    assert none.tolist() == [False, True]  # sigmoid(1) = 0.73, sigmoid(-0.5) = 0.38


def test_a_model_without_a_file_has_shares_and_no_opinion_on_belonging() -> None:
    for name in (*MATCHERS, "strm"):
        usual = calibration_of(name, {})
        torch.testing.assert_close(usual.shares(SCORES).sum(-1), torch.ones(2))
        assert usual.belongs(SCORES, STRANGE) is None
        assert usual.none_of_these(SCORES, STRANGE) is None
    assert calibration_of("otam", {"otam": weighing()}) == weighing()
    assert DEFAULT_TEMPERATURES.keys() == MATCHERS.keys()


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    kept = {"otam": weighing(ways=-0.5), "strm": EpisodeCalibration(temperature=0.1)}
    save_episode_calibrations(tmp_path / "episodes.json", kept)
    assert read_episode_calibrations(tmp_path / "episodes.json") == kept
    assert [path.name for path in tmp_path.iterdir()] == ["episodes.json"]


BELONGING: dict[str, Any] = {"weights": NOTHING, "bias": 0.0, "threshold": 0.5}


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"temperature": 0.0},
        {"temperature": "warm"},
        {"temperature": 1.0, "belonging": {}},
        {"temperature": 1.0, "belonging": 3},
        {"temperature": 1.0, "belonging": BELONGING | {"threshold": 1.5}},
        {"temperature": 1.0, "belonging": BELONGING | {"bias": math.nan}},
        {"temperature": 1.0, "belonging": BELONGING | {"weights": {"nearness": 1.0}}},
        {"temperature": 1.0, "belonging": BELONGING | {"weights": []}},
        [1.0],
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name(tmp_path: Path, table: object) -> None:
    path = tmp_path / "episodes.json"
    path.write_text(json.dumps({"otam": table}), encoding="utf-8")
    with pytest.raises(InputError, match=r"episodes\.json"):
        read_episode_calibrations(path)


@pytest.mark.parametrize("content", ["no JSON", "[]", b"\xff\xfe"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "episodes.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=r"episodes\.json"):
        read_episode_calibrations(path)


@pytest.mark.parametrize("model", ["traction", "traction-tiny"])
def test_the_shipped_ones_know_every_head_and_keep_a_perfect_match(model: str) -> None:
    shipped = read_episode_calibrations(DEFAULT_STORE / model / "episodes.json")
    assert shipped.keys() == HEADS.keys()
    one_each = Closeness(own=torch.ones(3), shots=torch.ones(3, dtype=torch.long))
    near, far = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 0.0]])
    calibration = shipped["prototype"]  # cosines: 1 is the same direction
    assert calibration.none_of_these(near, one_each) == torch.tensor([False])
    assert calibration.none_of_these(far, one_each) == torch.tensor([True])
    assert calibration.shares(near)[0, 0] > 0.95


def test_reading_needs_no_torch() -> None:
    ask = "import sys, pointaction.fewshot.calibration; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0
