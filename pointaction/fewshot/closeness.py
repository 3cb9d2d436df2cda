"""What is known of an episode's classes before anything is asked.

Shapes:  n examples
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pointaction.fewshot.matcher import Fitted
from pointaction.fewshot.support_set import SupportSet

_ASKED = 32  # examples in all, so that hundreds of them do not take minutes
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Closeness:
    """How well each class knows its own examples, and how many those are."""

    own: Tensor  # (ways,) mean score of a class's examples for it, in the matcher's scale
    shots: Tensor  # (ways,) integers

    @classmethod
    def of(cls, fitted: Fitted, support: SupportSet) -> "Closeness":
        """For a matcher that was fitted to `support`; worth keeping as long as that is.

        A class has seen the examples that it is asked about, so one example always knows itself
        perfectly: `own` tells how alike several are. Of many classes' examples only the first
        ones are asked, at least one of each.
        """
        each = max(1, _ASKED // support.ways)
        asked = [support.examples_of(way)[:each] for way in range(support.ways)]
        rows = [row for rows in asked for row in rows]
        scores = torch.cat(
            [
                fitted.scores([support.clips[row] for row in rows[start : start + _AT_ONCE]])
                for start in range(0, len(rows), _AT_ONCE)
            ]
        )
        own = scores.gather(1, support.labels[rows][:, None])[:, 0]
        means = [part.mean() for part in own.split([len(rows) for rows in asked])]
        return cls(own=torch.stack(means), shots=support.labels.bincount())
