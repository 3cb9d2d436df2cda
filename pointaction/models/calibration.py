"""What makes a model's answers believable: a temperature, and a threshold below which it names
nothing. `pointaction evaluate openset --save` fits one.

It is a file beside the weights, and it computes by the tensors' own methods: the catalogue, which
needs no torch, reads it too.

Shapes:  n clips   C classes
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pointaction.errors import InputError
from pointaction.whole import written_whole

if TYPE_CHECKING:
    from torch import Tensor


def sureness(logits: Tensor, temperature: float) -> Tensor:
    """The share (n,) of the best label."""
    return (logits / temperature).softmax(-1).amax(-1)


def energy(logits: Tensor, temperature: float) -> Tensor:
    """How much speaks for any label at all (n,): W. Liu et al., "Energy-based out-of-distribution
    detection" (2020), with the sign that makes it large for what is known."""
    return temperature * (logits / temperature).logsumexp(-1)


SCORES: dict[str, Callable[[Tensor, float], Tensor]] = {"sureness": sureness, "energy": energy}
"""What tells the known from the unknown by the logits (n, C) alone; the known score higher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What turns a model's logits into shares to be believed, and says when to name nothing."""

    temperature: float  # logits are divided by it
    threshold: float  # `none_of_these` where the score is lower
    score: str  # of SCORES

    def __post_init__(self) -> None:
        usable = 0 < self.temperature < math.inf and math.isfinite(self.threshold)
        if not (usable and self.score in SCORES):
            raise InputError(
                f"a calibration needs a temperature above 0, a finite threshold and a score out of "
                f"{', '.join(SCORES)}; got {self.temperature}, {self.threshold}, {self.score!r}"
            )

    def shares(self, logits: Tensor) -> Tensor:
        """Shares (n, C) of the labels for logits (n, C); each row sums to 1."""
        return (logits / self.temperature).softmax(-1)

    def knows(self, logits: Tensor) -> Tensor:
        """(n,) whether the clip is one of the labels at all."""
        return SCORES[self.score](logits, self.temperature) >= self.threshold

    def to_json(self) -> str:
        """The text of its file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def save(self, path: Path) -> None:
        """As JSON, at once: a service that reads the file meanwhile sees the old or the new one."""
        with written_whole(path) as part:
            part.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """What `save` wrote; InputError for anything else, OSError where there is no such file."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path} is no calibration: {error}") from None
