"""What models say of the clips of a store, many at a time, wherever they compute.

Shapes:  n clips   C classes   D width
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pointaction.count import Count, uncounted
from pointaction.datasets.annotations import TEST, TRAIN, Item
from pointaction.errors import InputError
from pointaction.evaluation.fewshot import FewShot
from pointaction.evaluation.figures import Figure
from pointaction.evaluation.metrics import Accuracy, Estimate, hits
from pointaction.models.traction import TrackEncoder, TrAction
from pointaction.trackstore.index import Entry
from pointaction.training.batch import Batch

Ask = Callable[[Any], Tensor]
"""From some clips to a row each."""


class Shown(Protocol):
    """Clips a few at a time, in order: `WholeClips`, or what looks at them besides."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Any: ...


def ask_all(
    ask: Ask,
    network: nn.Module,
    clips: Shown,
    *,
    workers: int = 0,
    progress: Count = uncounted,
) -> tuple[Tensor, Tensor]:
    """What it says of every clip (n, ...), on the CPU, and the numbers of their labels (n,).

    The network answers as it will when it is served, and learns on as before afterwards.
    """
    was_training, device = network.training, next(network.parameters()).device
    network.eval()
    said, labels = [], []
    supply: DataLoader[Any] = DataLoader(
        clips,  # type: ignore[arg-type]
        batch_size=None,
        num_workers=workers,
    )
    with torch.no_grad():
        for done, batch in enumerate(supply, 1):
            said.append(ask(batch.to(device)).float().cpu())
            labels.append(batch.label)
            progress(done, len(clips))
    network.train(was_training)
    return torch.cat(said), torch.cat(labels)


def naming(model: TrAction) -> Ask:
    """Logits (n, C)."""
    return lambda batch: model(batch.geometry, batch.visible, batch.present)[0]


def mean_of_tracks(encoder: TrackEncoder) -> Ask:
    """What TrAction's appendix C takes for IARD: the mean over tracks, (n, D)."""

    def ask(batch: Batch) -> Tensor:
        found = encoder(batch.geometry, batch.visible, batch.present).tracks
        weight = batch.present[..., None].to(found.dtype)
        return (found * weight).sum(1) / weight.sum(1)

    return ask


def embedding(encoder: TrackEncoder) -> Ask:
    """The CLS token, (n, D)."""
    return lambda batch: encoder.embed(batch.geometry, batch.visible, batch.present)


def top(logits: Tensor, labels: Tensor, *, k: int = 1) -> Accuracy:
    """A clip whose label the model was never taught is always told wrongly."""
    return Accuracy.of(hits(logits, labels, k=k) & (labels >= 0))


def as_items(entries: Iterable[Entry]) -> list[Item]:
    """The clips of a store as those of a data set; InputError for one without a label."""
    items = []
    for entry in entries:
        if entry.label is None:
            raise InputError(f"clip {entry.key} of the store has no label", value=entry.key)
        split = str(entry.about.get("split") or "")
        items.append(
            Item(
                path=Path(entry.key),
                label=entry.label,
                split=TRAIN if split == TRAIN else TEST,
                group=str(entry.about.get("group")),
            )
        )
    return items


def chiral_items(entries: Iterable[Entry]) -> tuple[list[int], list[Item]]:
    """A clip for each of its labels, which begin with their group (Chirality in Action); and which
    of the entries each is.
    """
    rows, items = [], []
    for row, (entry, item) in enumerate(zip(entries, as_items(entries), strict=True)):
        for label in entry.about.get("labels", [item.label]):
            rows.append(row)
            items.append(replace(item, label=label, group=label.rpartition(": ")[0]))
    return rows, items


def share(found: Accuracy) -> Figure:
    """A share of clips in per cent."""
    low, high = found.interval
    of = f"{found.total} clips"
    return Figure(value=100 * found.share, low=100 * low, high=100 * high, of=of)


def mean(found: Estimate, of: str) -> Figure:
    """A mean of shares in per cent."""
    return Figure(value=100 * found.value, low=100 * found.low, high=100 * found.high, of=of)


def over_episodes(found: FewShot, episodes: int) -> Figure:
    """A mean over episodes in per cent."""
    return Figure(
        value=100 * found.mean,
        low=100 * (found.mean - found.half_width),
        high=100 * (found.mean + found.half_width),
        of=f"{episodes} episodes",
    )
