"""Whether a model tells a motion from its opposite.

Asked twice: of the classifier, which of the two labels it prefers, and of the frozen features,
whether a line parts them. The second is the protocol of P. Bagad, A. Zisserman, "Chirality in
Action" (2025): one linear probe per pair, learnt on its training clips, and the mean over pairs.

Shapes:  n clips   m queries   C classes   D width
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pointaction.evaluation.metrics import Accuracy
from pointaction.evaluation.performances import Programme, Seen
from pointaction.evaluation.report import Table
from pointaction.synthetic.vocabulary import LABELS, OPPOSITES

Pair = tuple[int, int]
_STIFFNESS = 1.0  # of the probe, on features of variance 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcome:
    """One motion and its opposite."""

    pair: Pair
    answered: Accuracy  # the classifier, given only these two labels
    probed: Accuracy  # a line through the features

    def __str__(self) -> str:
        return f"answered {self.answered}, probed {self.probed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chirality:
    """All pairs, the worst answered first."""

    pairs: tuple[PairOutcome, ...]
    answered: Accuracy
    probed: Accuracy

    def __str__(self) -> str:
        return f"answered {self.answered}, probed {self.probed}, in {len(self.pairs)} pairs"


def evaluate_pairs(training: Seen, testing: Seen, pairs: Sequence[Pair]) -> Chirality:
    """Every pair of labels; the probes learn from `training`, all figures are of `testing`."""
    outcomes = []
    for pair in pairs:
        known, asked = training.among(pair), testing.among(pair)
        truth = asked.labels == pair[1]
        preferred = asked.logits[:, pair[1]] > asked.logits[:, pair[0]]
        probed = linear_probe(known.cls, known.labels == pair[1], asked.cls)
        outcomes.append(
            PairOutcome(
                pair=pair,
                answered=Accuracy.of(preferred == truth),
                probed=Accuracy.of(probed == truth),
            )
        )
    outcomes.sort(key=lambda outcome: outcome.answered.share)
    return Chirality(
        pairs=tuple(outcomes),
        answered=_together([outcome.answered for outcome in outcomes]),
        probed=_together([outcome.probed for outcome in outcomes]),
    )


def opposites(known: Sequence[str]) -> list[Pair]:
    """The vocabulary's pairs as indices into a model's labels, where it knows both."""
    return [
        (known.index(one), known.index(other))
        for one, other in OPPOSITES
        if one in known and other in known
    ]


def opposite_motions(
    known: Sequence[str], *, per_class: int, seed: int, wide: bool = False
) -> Programme:
    """So many performances of each motion in those pairs."""
    numbers = sorted({number for pair in opposites(known) for number in pair})
    labels = torch.tensor([LABELS.index(known[number]) for number in numbers])
    return Programme(labels=labels.repeat(per_class), seed=seed, wide=wide)


def table(outcomes: Mapping[str, Chirality], labels: Sequence[str]) -> Table:
    """For a report: every pair, the worst of the first outcome first, and all together."""
    columns = tuple(f"{name}: {what}" for name in outcomes for what in ("answered", "probed"))
    first = next(iter(outcomes.values()))
    by_pair = [{found.pair: found for found in outcome.pairs} for outcome in outcomes.values()]
    together = [
        figure for outcome in outcomes.values() for figure in (outcome.answered, outcome.probed)
    ]
    rows = {
        f"{labels[pair[0]]}, {labels[pair[1]]}": tuple(
            figure for found in by_pair for figure in (found[pair].answered, found[pair].probed)
        )
        for pair in (outcome.pair for outcome in first.pairs)
    }
    return Table(corner="pair", columns=columns, rows={"all": tuple(together)} | rows)


def linear_probe(known: Tensor, truth: Tensor, queries: Tensor) -> Tensor:
    """Which side (m,) of a line queries (m, D) lie on, learnt from known (n, D) and truth (n,).

    Ridge regression on the sides -1 and 1, in closed form: nothing to tune, nothing drawn.
    """
    mean, spread = known.mean(0), known.std(0).clamp(min=1e-6)
    x, target = (known - mean) / spread, truth.to(known.dtype) * 2 - 1
    middle = target.mean()
    normal = x.T @ x + _STIFFNESS * torch.eye(x.shape[1], dtype=x.dtype)
    slope = torch.linalg.solve(normal, x.T @ (target - middle))
    return (queries - mean) / spread @ slope + middle > 0


def _together(parts: Sequence[Accuracy]) -> Accuracy:
    return Accuracy(
        right=sum(part.right for part in parts), total=sum(part.total for part in parts)
    )
