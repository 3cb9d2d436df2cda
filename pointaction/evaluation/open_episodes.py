"""Episodes in which every other query belongs to no class: who notices, and is as sure as right?

Shapes:  n clips   Q queries   W the most ways of any episode
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from pointaction.errors import InputError
from pointaction.evaluation.calibration import fit_temperature, reliability, threshold_keeping
from pointaction.evaluation.logistic import fit_logistic
from pointaction.evaluation.metrics import Accuracy, Estimate, auroc, bootstrap, hits
from pointaction.evaluation.report import Table
from pointaction.evaluation.unseen import Described
from pointaction.fewshot.calibration import EVIDENCE, Belonging, EpisodeCalibration, evidence
from pointaction.fewshot.closeness import Closeness
from pointaction.fewshot.matcher import Matcher
from pointaction.fewshot.support_set import SupportSet

NOBODY = -1  # the class of a query that belongs to none
KEPT = 0.9  # share of the queries of known classes that a threshold lets pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrial:
    """Which episodes are asked. Ranges are (least, most); small numbers come as often as large."""

    ways: tuple[int, int] = (2, 20)
    shots: tuple[int, int] = (1, 10)  # of each class anew, but in half of the episodes of all alike
    queries: int = 10  # of the episode's classes, and as many of others
    episodes: int = 100
    seed: int = 0

    def of(self, ways: int, shots: int) -> "OpenTrial":
        """As many episodes, all of one size."""
        return replace(self, ways=(ways, ways), shots=(shots, shots))

    def __str__(self) -> str:
        ways, shots = ("-".join(map(str, sorted(set(each)))) for each in (self.ways, self.shots))
        return f"{ways} ways, {shots} shots"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEpisode:
    """Indices of clips, and the classes of the episode that they are of."""

    support: Tensor  # (examples,)
    labels: Tensor  # (examples,) 0 to ways - 1
    query: Tensor  # (Q,)
    truth: Tensor  # (Q,) likewise, or NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a matcher said to the queries of all episodes of a trial, one after the other."""

    scores: Tensor  # (Q, W) minus infinity for ways that an episode has not
    truth: Tensor  # (Q,)
    evidence: dict[str, Tensor]  # each (Q,)

    @property
    def known(self) -> Tensor:
        """(Q,) whether it belongs to a class of its episode."""
        return self.truth != NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How believable a matcher is."""

    accuracy: Accuracy  # of the queries that belong
    auroc: Estimate  # of their belonging
    error: Estimate  # expected calibration error of the scores as they are
    calibrated: Estimate  # of the shares
    missed: Accuracy  # queries that belong, called none of these
    noticed: Accuracy  # queries that do not


def sample_open_episode(labels: Tensor, trial: OpenTrial, generator: Generator) -> OpenEpisode:
    """Draw one from clips with `labels` (n,).

    InputError where no class would be left outside, or a class has no clip left to ask about.
    """
    classes, counts = labels.unique(return_counts=True)
    if trial.ways[1] >= len(classes) or trial.shots[1] >= counts.min():
        raise InputError(
            f"episodes of up to {trial.ways[1]} ways and {trial.shots[1]} shots need more classes "
            f"and more clips of each; there are {len(classes)} of {int(counts.min())} or more"
        )
    ways = int(_between(*trial.ways, 1, generator))
    shots = _between(*trial.shots, ways, generator)
    if torch.rand((), generator=generator) < 0.5:
        shots = shots[:1].expand(ways)
    order = torch.randperm(len(labels), generator=generator)
    place = torch.full((int(classes.max()) + 1,), NOBODY)
    place[classes[torch.randperm(len(classes), generator=generator)[:ways]]] = torch.arange(ways)
    own = place[labels[order]]  # each clip's class of the episode
    of_class = own[:, None] == torch.arange(ways)
    taken = (of_class & (of_class.cumsum(0) <= shots)).any(1)
    known = ((own != NOBODY) & ~taken).nonzero()[: trial.queries, 0]
    others = (own == NOBODY).nonzero()[: trial.queries, 0]
    asked = torch.cat([known, others])
    return OpenEpisode(
        support=order[taken], labels=own[taken], query=order[asked], truth=own[asked]
    )


def ask(matcher: Matcher, clips: Described, trial: OpenTrial) -> Asked:
    """Put the episodes of a trial to a matcher; equal trials put the same ones to all."""
    generator = Generator().manual_seed(trial.seed)
    scores, truth, told = [], [], []
    for _ in range(trial.episodes):
        episode = sample_open_episode(clips.labels, trial, generator)
        support = SupportSet(tuple(clips.clips[i] for i in episode.support), episode.labels)
        fitted = matcher.fit(support)
        said = fitted.scores([clips.clips[i] for i in episode.query])
        told.append(evidence(said, Closeness.of(fitted, support)))
        scores.append(pad(said, (0, trial.ways[1] - support.ways), value=-torch.inf))
        truth.append(episode.truth)
    return Asked(
        scores=torch.cat(scores),
        truth=torch.cat(truth),
        evidence={name: torch.cat([each[name] for each in told]) for name in EVIDENCE},
    )


def calibrate(asked: Asked) -> EpisodeCalibration:
    """What explains these answers best, with a threshold that KEPT of those who belong reach."""
    known = asked.known
    facts = torch.stack([asked.evidence[name] for name in EVIDENCE], 1)
    weights, bias = fit_logistic(facts, known)
    named = dict(zip(EVIDENCE, weights.tolist(), strict=True))
    probable = Belonging(weights=named, bias=bias, threshold=0).probability(asked.evidence)
    return EpisodeCalibration(
        temperature=fit_temperature(asked.scores[known], asked.truth[known]),
        belonging=Belonging(
            weights=named, bias=bias, threshold=threshold_keeping(probable[known], KEPT)
        ),
    )


def judge(asked: Asked, calibration: EpisodeCalibration, *, generator: Generator) -> Judged:
    """How a calibration does on answers that it was not fitted to; chance is for the intervals."""
    belonging, known = calibration.belonging, asked.known
    assert belonging is not None  # `calibrate` knows it
    probable = belonging.probability(asked.evidence)
    none = probable < belonging.threshold
    scores, truth = asked.scores[known], asked.truth[known]
    before, after = (
        reliability(scores, truth, temperature=temperature, generator=generator).error
        for temperature in (1.0, calibration.temperature)
    )
    return Judged(
        accuracy=Accuracy.of(hits(scores, truth)),
        auroc=bootstrap(auroc, probable[known], probable[~known], generator=generator),
        error=before,
        calibrated=after,
        missed=Accuracy.of(none[known]),
        noticed=Accuracy.of(none[~known]),
    )


def compare(
    matchers: Mapping[str, Matcher],
    calibrations: Mapping[str, EpisodeCalibration],
    clips: Described,
    trial: OpenTrial,
) -> Table:
    """Every matcher on the same episodes, for a report."""
    generator = Generator().manual_seed(trial.seed)
    rows = {}
    for name, matcher in matchers.items():
        found = judge(ask(matcher, clips, trial), calibrations[name], generator=generator)
        rows[name] = (
            found.accuracy,
            found.auroc,
            found.error,
            found.calibrated,
            found.missed,
            found.noticed,
        )
    return Table(
        corner="matcher",
        columns=(
            "accuracy",
            "AUROC of belonging",
            "calibration error of scores",
            "of shares",
            "known called none",
            "unknown called none",
        ),
        rows=rows,
    )


def _between(least: int, most: int, count: int, generator: Generator) -> Tensor:
    """(count,) whole numbers by chance, evenly in the logarithm."""
    chance = torch.rand(count, generator=generator)
    return (least * ((most + 1) / least) ** chance).long().clamp(least, most)
