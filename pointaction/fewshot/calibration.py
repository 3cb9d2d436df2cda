"""What makes the answers of an episode believable: how sure to be of a class, and whether the
query belongs to any of them. `pointaction evaluate episodes --save` fits it, on motions that no
model was taught (docs/decisions/0023-none-of-these-in-episodes.md).

It is a file beside a model's weights, a table per matcher, and it computes by the tensors' own
methods: whoever only reads it needs no torch.

Shapes:  Q queries
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointaction.errors import InputError
from pointaction.whole import written_whole

if TYPE_CHECKING:
    from torch import Tensor

    from pointaction.fewshot.closeness import Closeness

EVIDENCE = ("nearness", "closeness", "sparseness", "ways")

DEFAULT_TEMPERATURES: dict[str, float] = {
    "prototype": 0.1,
    "linear-probe": 0.07,
    "otam": 0.07,
    "sets": 0.14,
    "trx": 3.0,
}
"""Of models that nobody has calibrated: what fits traction-tiny, roundly. Scores of heads that were
trained are logits, of temperature 1."""


def evidence(scores: Tensor, closeness: Closeness) -> dict[str, Tensor]:
    """What speaks for or against that queries with scores (Q, ways) belong, each (Q,).

    The best score; how well its class knows its own examples, because who is strict with those
    is strict with all; one over how many it has; and the logarithm of how many classes there are,
    since among many one is always near.
    """
    best, way = scores.max(-1)
    return {
        "nearness": best,
        "closeness": closeness.own[way],
        "sparseness": 1 / closeness.shots[way],
        "ways": scores.new_full(best.shape, math.log(scores.shape[-1])),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Belonging:
    """A logistic regression on `evidence`, and from where on to believe it."""

    weights: dict[str, float]  # one for each of EVIDENCE
    bias: float
    threshold: float  # a query that belongs less probably is none of these

    def __post_init__(self) -> None:
        numbers = (*self.weights.values(), self.bias)
        usable = all(map(math.isfinite, numbers)) and 0 <= self.threshold <= 1
        if not usable or sorted(self.weights) != sorted(EVIDENCE):
            raise InputError(
                f"belonging needs finite weights for {', '.join(EVIDENCE)}, a finite bias and a "
                f"threshold from 0 to 1; got {self.weights}, {self.bias}, {self.threshold}"
            )

    def probability(self, told: Mapping[str, Tensor]) -> Tensor:
        """(Q,) from what `evidence` tells."""
        known = [weight * told[name] for name, weight in self.weights.items()]
        return (sum(known[1:], known[0]) + self.bias).sigmoid()


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeCalibration:
    """For the scores of one matcher on the features of one model."""

    temperature: float  # scores are divided by it
    belonging: Belonging | None = None  # None: not known

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise InputError(f"a temperature has to be above 0, got {self.temperature}")

    def shares(self, scores: Tensor) -> Tensor:
        """Shares (Q, ways), of queries that do belong to one of the classes; each row sums to 1."""
        return (scores / self.temperature).softmax(-1)

    def belongs(self, scores: Tensor, closeness: Closeness) -> Tensor | None:
        """(Q,) how probably each belongs to one of the classes, where every other one does.

        None where nobody knows.
        """
        if self.belonging is None:
            return None
        return self.belonging.probability(evidence(scores, closeness))

    def none_of_these(self, scores: Tensor, closeness: Closeness) -> Tensor | None:
        """(Q,) whether it is likely none of the classes; None where nobody knows."""
        if self.belonging is None:
            return None
        return self.belonging.probability(evidence(scores, closeness)) < self.belonging.threshold


def calibration_of(
    matcher: str, calibrations: Mapping[str, EpisodeCalibration]
) -> EpisodeCalibration:
    """A model's own for a matcher; else one of a usual temperature that does not know who belongs.

    `calibrations` are those of its file, or none.
    """
    usual = EpisodeCalibration(temperature=DEFAULT_TEMPERATURES.get(matcher, 1.0))
    return calibrations.get(matcher, usual)


def to_json(calibrations: Mapping[str, EpisodeCalibration]) -> str:
    """The text of a model's file."""
    return json.dumps({name: asdict(each) for name, each in calibrations.items()}, indent=2) + "\n"


def save_episode_calibrations(path: Path, calibrations: Mapping[str, EpisodeCalibration]) -> None:
    """At once: a service that reads the file meanwhile sees the old or the new one."""
    with written_whole(path) as part:
        part.write_text(to_json(calibrations), encoding="utf-8")


def read_episode_calibrations(path: Path) -> dict[str, EpisodeCalibration]:
    """By the name of the matcher, what was saved.

    InputError for anything else, OSError where there is no such file.
    """
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))
        return {name: _from_table(**table) for name, table in tables.items()}
    except (ValueError, TypeError, AttributeError, InputError) as error:
        raise InputError(f"{path} holds no calibrations of episodes: {error}") from None


def _from_table(temperature: float, belonging: dict[str, Any] | None = None) -> EpisodeCalibration:
    return EpisodeCalibration(
        temperature=temperature, belonging=None if belonging is None else Belonging(**belonging)
    )
