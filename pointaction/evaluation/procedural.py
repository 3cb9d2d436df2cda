"""How well a model knows the motions it was taught, on performances it has not seen.

Shapes:  n clips   C labels of the model
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from pointaction.evaluation.metrics import Accuracy, confusion, hits
from pointaction.evaluation.performances import Programme, Seen, common_labels
from pointaction.evaluation.report import Table

_WORST = 10  # mistakes shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedSet:
    """Answers to clips that all belong to one of the labels."""

    top1: Accuracy
    top5: Accuracy
    per_label: dict[str, Accuracy]  # of the labels that were shown, worst first
    confusion: Tensor  # (C, C) how often each label was answered with each
    labels: tuple[str, ...]  # of the model

    @property
    def mistakes(self) -> list[tuple[str, str, int]]:
        """(true, answered, how often), most often first."""
        wrong = self.confusion.clone().fill_diagonal_(0)
        found = [
            (self.labels[i], self.labels[j], int(wrong[i, j])) for i, j in wrong.nonzero().tolist()
        ]
        return sorted(found, key=lambda mistake: -mistake[2])

    def __str__(self) -> str:
        return f"top-1 {self.top1}, top-5 {self.top5}"


def evaluate_closed_set(seen: Seen, labels: tuple[str, ...]) -> ClosedSet:
    """Judge clips that a model with these labels has seen."""
    right = hits(seen.logits, seen.labels)
    per_label = {
        labels[number]: Accuracy.of(right[seen.labels == number])
        for number in seen.labels.unique().tolist()
    }
    return ClosedSet(
        top1=Accuracy.of(right),
        top5=Accuracy.of(hits(seen.logits, seen.labels, k=5)),
        per_label=dict(sorted(per_label.items(), key=lambda pair: pair[1].share)),
        confusion=confusion(seen.labels, seen.logits.argmax(-1), classes=len(labels)),
        labels=labels,
    )


def every_label(
    known: Sequence[str], *, per_class: int, seed: int, wide: bool = False
) -> Programme:
    """So many performances of each motion that a model knows."""
    labels = common_labels(known).repeat(per_class)
    return Programme(labels=labels, seed=seed, wide=wide)


def tables(outcomes: Mapping[str, ClosedSet]) -> dict[str, Table]:
    """For a report: all ways of seeing side by side, then what was mistaken, then every label."""
    first = next(iter(outcomes.values()))
    return {
        "Held-out performances": Table(
            corner="seen as",
            columns=("top-1", "top-5"),
            rows={name: (outcome.top1, outcome.top5) for name, outcome in outcomes.items()},
        ),
        "Most frequent mistakes": Table(
            corner="true, answered",
            columns=tuple(outcomes),
            rows=_mistakes(outcomes),
        ),
        "Per label, worst first": Table(
            corner="label",
            columns=tuple(outcomes),
            rows={
                label: tuple(outcome.per_label.get(label) for outcome in outcomes.values())
                for label in first.per_label
            },
        ),
    }


def _mistakes(outcomes: Mapping[str, ClosedSet]) -> dict[str, tuple[int, ...]]:
    """The commonest of each way, with how often they happen in all ways."""
    common = {
        (true, said): None
        for outcome in outcomes.values()
        for true, said, _ in outcome.mistakes[:_WORST]
    }
    return {
        f"{true}, {said}": tuple(
            int(outcome.confusion[outcome.labels.index(true), outcome.labels.index(said)])
            for outcome in outcomes.values()
        )
        for true, said in common
    }
