"""Matchers and encoders asked the same episodes, and how sure it is which is better.

Shapes:  n clips   E episodes   S shots   Q queries
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pointaction.count import Count
from pointaction.evaluation.fewshot import Contender, FewShot, Trial, accuracies
from pointaction.evaluation.report import Table
from pointaction.fewshot.features import Features, stacked
from pointaction.fewshot.matcher import Matcher
from pointaction.fewshot.matchers import trained_matcher
from pointaction.fewshot.prototypes import NearestPrototype
from pointaction.fewshot.support_set import SupportSet
from pointaction.models.traction import TrackEncoder
from pointaction.models.trokens import Trokens, episode_logits

OWN = "its own way"  # of a contender that `own_way` makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Mean difference of accuracy over episodes that both were asked."""

    mean: float
    half_width: float  # of its 95 % interval over episodes

    def __str__(self) -> str:
        return f"{100 * self.mean:+.1f} ± {100 * self.half_width:.1f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """How every contender did in every episode."""

    trial: Trial
    shots: tuple[int, ...]
    accuracies: dict[str, tuple[Tensor, ...]]  # by contender, one of (E,) per number of shots

    def table(self) -> Table:
        """Accuracy of everyone; a column per number of shots."""
        return self._table(
            "contender",
            {
                name: tuple(map(FewShot.over, found, self.shots))
                for name, found in self.accuracies.items()
            },
        )

    def gains(self, pairs: Mapping[str, tuple[str, str]]) -> Table:
        """Points by which the first of each pair is above the second, by the pair's name."""
        rows = {}
        for name, (first, second) in pairs.items():
            both = zip(self.accuracies[first], self.accuracies[second], strict=True)
            rows[name] = tuple(_gain(ours - theirs) for ours, theirs in both)
        return self._table("points", rows)

    def _table(self, corner: str, rows: Mapping[str, tuple[FewShot | Gain, ...]]) -> Table:
        columns = tuple(f"{self.trial.ways}-way {count}-shot" for count in self.shots)
        return Table(corner=corner, columns=columns, rows=rows)


def hold(
    labels: Tensor,
    contenders: Mapping[str, Contender],
    trial: Trial,
    *,
    shots: Sequence[int],
    progress: Count,
) -> Contest:
    """Ask everyone the same episodes about clips with `labels` (n,)."""
    found = {}
    for done, (name, contender) in enumerate(contenders.items(), 1):
        found[name] = tuple(accuracies(labels, contender, trial, shots=count) for count in shots)
        progress(done, len(contenders))
    return Contest(trial=trial, shots=tuple(shots), accuracies=found)


def by_matcher(matcher: Matcher, clips: Sequence[Features]) -> Contender:
    """A matcher on n clips that were described once."""

    def contend(support: Tensor, query: Tensor) -> Tensor:
        known = tuple(clips[number] for number in support.flatten().tolist())
        with torch.inference_mode():
            fitted = matcher.fit(SupportSet(known, _ways(support)))
            return fitted.scores([clips[number] for number in query.tolist()])

    return contend


def own_way(network: nn.Module, clips: Sequence[Features]) -> Contender:
    """A network on what it made of n clips, compared as in its own training.

    TrAction, which is not trained by episodes, is asked for the nearest prototype.
    """
    if isinstance(network, Trokens):
        return _by_set_matching(clips)
    if isinstance(network, TrackEncoder):
        return by_matcher(NearestPrototype(), clips)
    return by_matcher(trained_matcher(network), clips)


def _by_set_matching(clips: Sequence[Features]) -> Contender:
    """As Trokens is trained: a class's examples are averaged, moment by moment, before matching."""
    frames = stacked(clips, "frames")

    def contend(support: Tensor, query: Tensor) -> Tensor:
        return episode_logits(frames[support].flatten(0, 1), _ways(support), frames[query])

    return contend


def _ways(support: Tensor) -> Tensor:
    """The classes 0, 1, ... of the examples of support (ways, S), row by row."""
    ways, shots = support.shape
    return torch.arange(ways).repeat_interleave(shots)


def _gain(differences: Tensor) -> Gain:
    spread = differences.std().item() / math.sqrt(len(differences))
    return Gain(mean=differences.mean().item(), half_width=1.96 * spread)
