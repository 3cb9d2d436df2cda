"""The clips of a data set through frozen encoders: followed one by one, and only features kept.

Shapes:  n clips   D width
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pointaction.count import Count
from pointaction.datasets.annotations import Item
from pointaction.datasets.cuts import EVERY_FRAME, cut_of
from pointaction.errors import InputError, PointActionError
from pointaction.evaluation.followed import follow_file
from pointaction.models.traction import TrackEncoder
from pointaction.pipeline import inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What encoders made of n clips."""

    items: tuple[Item, ...]
    features: dict[str, Tensor]  # (n, D) by encoder and what of it


def embed_items(
    items: Sequence[Item],
    encoders: Mapping[str, TrackEncoder],
    *,
    tracks: int,
    cache: Path | None,
    progress: Count,
    failed: Callable[[Path, Exception], None],
) -> Embedded:
    """All frames of every clip, interpolated to the model's clock (TrAction, appendix E).

    Of each encoder both the CLS token, which its head reads, and the mean of its tracks, which is
    what appendix C takes for IARD. A clip that cannot be read is told to `failed` and left out.
    Raises InputError when none can be.
    """
    seen: list[Item] = []
    rows: dict[str, list[Tensor]] = {}
    for done, item in enumerate(items, 1):
        try:
            followed = follow_file(
                item.path, tracks=tracks, cache=cache, cut=cut_of(item, EVERY_FRAME)
            )
        except (PointActionError, OSError) as error:
            failed(item.path, error)
        else:
            seen.append(item)
            for name, encoder in encoders.items():
                with torch.inference_mode():
                    encoded = encoder(*inputs(followed, encoder.config.frames))
                cls = encoded.cls[0] - encoder.middle  # as `TrackEncoder.embed`
                rows.setdefault(f"{name}, CLS", []).append(cls)
                rows.setdefault(f"{name}, mean of tracks", []).append(encoded.tracks[0].mean(0))
        progress(done, len(items))
    if not seen:
        raise InputError("none of the clips is here and can be read")
    features = {name: torch.stack(parts) for name, parts in rows.items()}
    return Embedded(items=tuple(seen), features=features)


def numbered(names: Sequence[str]) -> Tensor:
    """Each name's place (n,) among all of them in order."""
    order = {name: number for number, name in enumerate(sorted(set(names)))}
    return torch.tensor([order[name] for name in names])
