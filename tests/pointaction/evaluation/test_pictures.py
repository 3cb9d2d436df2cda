import torch
from torch import Generator

from pointaction.evaluation.calibration import reliability
from pointaction.evaluation.pictures import confusion_picture, reliability_picture

WHITE = 255


def test_what_was_never_shown_takes_no_place() -> None:
    names = ("a",) * 60
    all_shown = confusion_picture(torch.eye(60).long(), names)
    fifty_shown = confusion_picture(torch.diag((torch.arange(60) < 50).long()), names)
    assert all_shown.shape[0] - fifty_shown.shape[0] == 10 * 11  # ten lines of 11 pixels


def test_a_mistake_colours_the_row_of_the_truth_and_the_column_of_the_answer() -> None:
    counts = torch.tensor([[4, 4], [0, 8]])
    picture = confusion_picture(counts, ("left", "right"))
    inside = picture[-246:-6, -246:-6]  # two classes of 120 pixels each
    assert (inside[60, 180] != WHITE).any()  # left, answered right
    assert (inside[180, 60] == WHITE).all()  # right, never answered left
    assert (inside[180, 180] != inside[60, 60]).any()  # all of a row is more than half of it


def test_one_picture_shows_the_bars_and_the_error() -> None:
    logits = torch.randn(200, 4, generator=Generator().manual_seed(0))
    found = reliability(
        logits, logits.argmax(-1), temperature=1.0, generator=Generator().manual_seed(0)
    )
    picture = reliability_picture(found)
    assert picture.shape == (512, 512, 3)
    assert (picture == (104, 92, 190)).all(-1).sum() > 1000  # bars
    assert (picture == (240, 150, 130)).all(-1).any()  # always right is more right than sure
