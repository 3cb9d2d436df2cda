"""The examples of each class.

Shapes:  n examples
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pointaction.errors import InputError
from pointaction.fewshot.features import Features, Part, stacked


@dataclass(frozen=True, slots=True)
class SupportSet:
    """Examples of classes 0 to ways - 1, in any order, not always as many of each."""

    clips: tuple[Features, ...]
    labels: Tensor  # (n,) integers

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.clips),) or not len(self.clips):
            raise InputError(
                f"every example needs one label; got {len(self.clips)} examples and labels of "
                f"shape {tuple(self.labels.shape)}"
            )
        named = self.labels.unique()
        if not torch.equal(named, torch.arange(len(named), device=named.device)):
            raise InputError(
                f"labels must be 0, 1, 2 and so on without a gap, got {named.tolist()[:10]}"
            )

    @property
    def ways(self) -> int:
        return int(self.labels.max()) + 1

    def part(self, part: Part) -> Tensor:
        """One part of all examples, (n, ...)."""
        return stacked(self.clips, part)

    def examples_of(self, way: int) -> list[int]:
        """Which of the clips are examples of a class."""
        return (self.labels == way).nonzero().flatten().tolist()

    def means(self, values: Tensor) -> Tensor:
        """Mean (ways, ...) over the examples of each class of values (n, ...)."""
        sums = values.new_zeros(self.ways, *values.shape[1:]).index_add(0, self.labels, values)
        counts = self.labels.bincount().to(values.dtype)
        return sums / counts.view(-1, *[1] * (values.ndim - 1))
