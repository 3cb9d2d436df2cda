"""What a frozen encoder's features are near by: the motion, or who moves.

The protocol of TrAction's table 2(a) after DisMo: weighted voting of the k nearest neighbours,
once for the motion with one actor held out, once for the actor with one motion held out. Good
features of motion find the motion, and find the actor no better than by chance. Here every actor
and every motion is held out once.

Shapes:  n training clips   m queries   D width
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from pointaction.evaluation.metrics import Accuracy
from pointaction.evaluation.performances import Programme, common_labels
from pointaction.evaluation.report import Table

NEIGHBOURS = 20
_SHARPNESS = 0.07  # of the votes' weights, as in DINO (M. Caron et al., 2021)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """How often the neighbours agree with the clip, and how often they would by guessing."""

    motion: Accuracy  # the actor held out
    identity: Accuracy  # the motion held out
    motion_chance: float
    identity_chance: float

    def __str__(self) -> str:
        return (
            f"motion {self.motion} (chance {self.motion_chance:.1%}), "
            f"identity {self.identity} (chance {self.identity_chance:.1%})"
        )


def everyone_does_everything(
    known: Sequence[str], *, actors: int, times: int, seed: int, wide: bool = False
) -> Programme:
    """Each of `actors` performs every motion that a model knows, so many times."""
    labels = common_labels(known)
    identity = torch.arange(actors).repeat_interleave(len(labels) * times)
    return Programme(labels=labels.repeat(actors * times), seed=seed, wide=wide, identity=identity)


def table(outcomes: Mapping[str, Neighbours]) -> Table:
    """For a report: what the neighbours know, and what guessing would."""
    return Table(
        corner="features",
        columns=("motion", "motion by chance", "identity", "identity by chance"),
        rows={
            name: (found.motion, found.motion_chance, found.identity, found.identity_chance)
            for name, found in outcomes.items()
        },
    )


def evaluate_neighbours(
    features: Tensor, motion: Tensor, identity: Tensor, *, k: int = NEIGHBOURS
) -> Neighbours:
    """Both splits of clips with features (n, D), motion (n,) and identity (n,)."""
    return Neighbours(
        motion=held_out_accuracy(features, motion, identity, k=k),
        identity=held_out_accuracy(features, identity, motion, k=k),
        motion_chance=1 / len(motion.unique()),
        identity_chance=1 / len(identity.unique()),
    )


def held_out_accuracy(features: Tensor, asked: Tensor, held_out: Tensor, *, k: int) -> Accuracy:
    """How often `asked` (n,) is found when all clips of the same `held_out` (n,) are away."""
    right = torch.zeros(len(asked), dtype=torch.bool)
    for value in held_out.unique():
        away = held_out == value
        answers = vote(features[~away], asked[~away], features[away], k=k)
        right[away] = answers == asked[away]
    return Accuracy.of(right)


def vote(known: Tensor, labels: Tensor, queries: Tensor, *, k: int = NEIGHBOURS) -> Tensor:
    """The label (m,) that the k nearest of known (n, D) give to queries (m, D).

    Near is cosine similarity; a neighbour's vote counts exp(similarity / 0.07).
    """
    similarity = normalize(queries, dim=-1) @ normalize(known, dim=-1).T
    nearest = similarity.topk(min(k, len(known)), dim=1)
    weight = (nearest.values / _SHARPNESS).softmax(1)  # the same votes, shared out
    votes = (one_hot(labels[nearest.indices]) * weight[..., None]).sum(1)
    return votes.argmax(1)
