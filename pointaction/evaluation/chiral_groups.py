"""Chirality in Action as its authors score it: a linear probe per chiral group, and their mean.

P. Bagad, A. Zisserman, "Chirality in Action" (2025); TrAction, table 2(b) and appendix C. The
probe is the ridge regression of `chirality`, which needs no learning rate.

Shapes:  n clips   D width
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor

from pointaction.datasets.annotations import TRAIN, Item
from pointaction.errors import InputError
from pointaction.evaluation.chirality import linear_probe
from pointaction.evaluation.metrics import Accuracy, bootstrap
from pointaction.evaluation.report import Table


def probe_groups(items: Sequence[Item], features: Tensor) -> dict[str, Accuracy]:
    """How well a line through features (n, D) of each group's training clips parts its others.

    Groups that lack clips of either label to learn from, or clips to be asked about, are left out;
    InputError when that leaves none.
    """
    found = {}
    for group in sorted({str(item.group) for item in items}):
        rows = [number for number, item in enumerate(items) if str(item.group) == group]
        taught = [number for number in rows if items[number].split == TRAIN]
        asked = [number for number in rows if items[number].split != TRAIN]
        labels = sorted({items[number].label for number in taught})
        if len(labels) == 2 and asked:
            second = torch.tensor([item.label == labels[1] for item in items])
            said = linear_probe(features[taught], second[taught], features[asked])
            found[group] = Accuracy.of(said == second[asked])
    if not found:
        raise InputError("no chiral group has clips of both its labels, and others to ask about")
    return found


def tables(outcomes: Mapping[str, Mapping[str, Accuracy]]) -> dict[str, Table]:
    """For a report: the mean over the groups with its interval, and group by group."""
    means = {}
    for name, found in outcomes.items():
        shares = torch.tensor([accuracy.share for accuracy in found.values()])
        chance = Generator().manual_seed(0)
        mean = bootstrap(lambda drawn: drawn.mean().item(), shares, generator=chance)
        right = sum(accuracy.right for accuracy in found.values())
        total = sum(accuracy.total for accuracy in found.values())
        means[name] = (mean, Accuracy(right=right, total=total))
    groups = next(iter(outcomes.values()))
    return {
        "One of two, by a linear probe per chiral group": Table(
            corner="features", columns=("mean over groups", "of all clips"), rows=means
        ),
        "Group by group": Table(
            corner="group",
            columns=tuple(outcomes),
            rows={group: tuple(found[group] for found in outcomes.values()) for group in groups},
        ),
    }
