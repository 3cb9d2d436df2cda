"""N-way K-shot episodes."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from pointaction.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Indices of clips; row w of both belongs to the same class."""

    support: Tensor  # (ways, shots)
    query: Tensor  # (ways, queries)


def sample_episode(
    labels: Tensor, *, ways: int, shots: int, queries: int, generator: Generator
) -> Episode:
    """Draw one episode; the same generator state always draws the same one.

    labels (n,) are integers. Classes with fewer than shots + queries clips are never drawn.
    """
    classes, counts = labels.unique(return_counts=True)
    usable = classes[counts >= shots + queries]
    if len(usable) < ways:
        raise InputError(
            f"{ways}-way episodes of {shots} shots and {queries} queries need {ways} classes of "
            f"{shots + queries} clips; only {len(usable)} have so many",
            limit=ways,
            value=len(usable),
        )
    chosen = usable[torch.randperm(len(usable), generator=generator)[:ways]]
    rows = []
    for label in chosen:
        clips = (labels == label).nonzero().flatten()
        rows.append(clips[torch.randperm(len(clips), generator=generator)[: shots + queries]])
    support, query = torch.stack(rows).split([shots, queries], dim=1)
    return Episode(support=support, query=query)
