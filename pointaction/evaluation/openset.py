"""Whether a model notices that a motion is none of those it can name.

Three scores are compared. Two are of the logits alone (`models.calibration.SCORES`), the third is
how near the clip's features are to those of any class. Each gets its threshold on clips that are
neither of those it is judged by.

Shapes:  n clips   C classes   D width
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from pointaction.evaluation.calibration import fit_temperature, threshold_keeping
from pointaction.evaluation.metrics import Accuracy, Estimate, auroc, bootstrap
from pointaction.evaluation.performances import Seen
from pointaction.evaluation.report import Table
from pointaction.models.calibration import SCORES, Calibration

NEARNESS = "nearness"
_KEPT = 0.95  # share of the known clips that a threshold lets pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How one score parts the known from the unknown."""

    auroc: Estimate
    threshold: float
    kept: Accuracy  # known clips that reach the threshold
    refused: Accuracy  # unknown clips that do not

    def __str__(self) -> str:
        return f"AUROC {self.auroc}, keeps {self.kept}, refuses {self.refused}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSet:
    scores: Mapping[str, Separation]  # by the name of the score
    temperature: float

    @property
    def best(self) -> str:
        """The score that parts best."""
        return max(self.scores, key=lambda name: self.scores[name].auroc.value)

    def calibration(self) -> Calibration:
        """What to serve: the better of the scores that need no more than the logits."""
        name = max(SCORES, key=lambda name: self.scores[name].auroc.value)
        return Calibration(
            temperature=self.temperature, threshold=self.scores[name].threshold, score=name
        )

    def table(self) -> Table:
        """For a report."""
        return Table(
            corner="score",
            columns=("AUROC", "threshold", "known kept", "unknown refused"),
            rows={
                name: (found.auroc, found.threshold, found.kept, found.refused)
                for name, found in self.scores.items()
            },
        )


def evaluate_open_set(
    calibrating: Seen, known: Seen, unknown: Seen, *, generator: Generator
) -> OpenSet:
    """Temperature, prototypes and thresholds from `calibrating`; the figures from the other two.

    Each half of `calibrating` has to hold every label: the first makes the prototypes, the second
    the threshold for them. The labels of `unknown` are not looked at. The generator is for the
    intervals.
    """
    temperature = fit_temperature(calibrating.logits, calibrating.labels)
    # A clip lies nearer to a prototype that it is part of than any new clip does.
    first = torch.arange(len(calibrating)) < len(calibrating) // 2
    classes = prototypes(calibrating.cls[first], calibrating.labels[first])

    def scores(seen: Seen) -> dict[str, Tensor]:
        found = {name: score(seen.logits, temperature) for name, score in SCORES.items()}
        return found | {NEARNESS: nearness(seen.cls, classes)}

    by_name = [scores(seen) for seen in (calibrating, known, unknown)]
    by_name[0][NEARNESS] = by_name[0][NEARNESS][~first]
    return OpenSet(
        scores={
            name: separate(*(found[name] for found in by_name), generator=generator)
            for name in by_name[0]
        },
        temperature=temperature,
    )


def separate(
    calibrating: Tensor, known: Tensor, unknown: Tensor, *, generator: Generator
) -> Separation:
    """Judge one score, given for three sets of clips (n,); the first settles the threshold."""
    threshold = threshold_keeping(calibrating, _KEPT)
    return Separation(
        auroc=bootstrap(auroc, known, unknown, generator=generator),
        threshold=threshold,
        kept=Accuracy.of(known >= threshold),
        refused=Accuracy.of(unknown < threshold),
    )


def prototypes(features: Tensor, labels: Tensor) -> Tensor:
    """The mean direction (C, D) of the features (n, D) of each class that occurs in labels (n,)."""
    unit = normalize(features, dim=-1)
    means = torch.stack([unit[labels == label].mean(0) for label in labels.unique()])
    return normalize(means, dim=-1)


def nearness(features: Tensor, classes: Tensor) -> Tensor:
    """Cosine similarity (n,) of features (n, D) to the nearest of classes (C, D)."""
    return (normalize(features, dim=-1) @ classes.T).amax(-1)
