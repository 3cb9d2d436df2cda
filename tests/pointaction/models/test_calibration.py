import math
from pathlib import Path

import pytest
import torch

from pointaction.errors import InputError
from pointaction.models.calibration import Calibration, energy, sureness


def test_a_temperature_of_two_halves_the_logits() -> None:
    logits = torch.tensor([[4.0, 2.0, 0.0]])
    halved = torch.tensor([[2.0, 1.0, 0.0]])
    calibration = Calibration(temperature=2.0, threshold=0.0, score="sureness")
    torch.testing.assert_close(calibration.shares(logits), halved.softmax(-1))


def test_sureness_is_the_best_share_and_energy_what_speaks_for_any() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0]])
    assert sureness(logits, 1.0).item() == pytest.approx(0.75)
    assert energy(logits, 1.0).item() == pytest.approx(math.log(4.0))
    # One that knows nothing has as good as no energy; sureness cannot fall below one of two.
    assert energy(logits - 50, 1.0).item() < -45


def test_what_scores_too_low_is_not_known() -> None:
    calibration = Calibration(temperature=2.0, threshold=0.7, score="sureness")
    logits = torch.tensor([[2 * math.log(3.0), 0.0], [0.0, 0.0]])  # 75 % and 50 % when cooled
    assert calibration.knows(logits).tolist() == [True, False]
    torch.testing.assert_close(calibration.shares(logits)[0], torch.tensor([0.75, 0.25]))


def test_a_calibration_is_read_as_it_was_saved(tmp_path: Path) -> None:
    saved = Calibration(temperature=1.7, threshold=-3.25, score="energy")
    saved.save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == saved
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"temperature": 1}',
        '{"temperature": 0, "threshold": 1, "score": "energy"}',
        '{"temperature": Infinity, "threshold": 1, "score": "energy"}',
        '{"temperature": "1", "threshold": 1, "score": "energy"}',
        '{"temperature": 1, "threshold": 1, "score": "luck"}',
    ],
)
def test_what_is_no_calibration_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(InputError, match="calibration"):
        Calibration.load(tmp_path / "calibration.json")
