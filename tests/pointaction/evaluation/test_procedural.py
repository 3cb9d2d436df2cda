import torch

from pointaction.evaluation.performances import Seen
from pointaction.evaluation.procedural import evaluate_closed_set


def test_answers_are_counted_by_label() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    answers = torch.tensor([0, 2, 2, 1])
    seen = Seen(logits=torch.eye(3)[answers], cls=torch.zeros(4, 1), labels=labels)
    found = evaluate_closed_set(seen, ("left", "right", "up"))
    assert (found.top1.right, found.top1.total) == (2, 4)
    assert found.top5.share == 1.0  # five of three
    assert list(found.per_label) == ["left", "right"]  # worst first; "up" was not shown
    assert found.mistakes == [("left", "up", 2)]
    assert found.confusion.tolist() == [[1, 0, 2], [0, 1, 0], [0, 0, 0]]
