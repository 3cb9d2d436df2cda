"""The backbone whose features lie beside the tracks, and what a store is told of it."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from pointaction.appearance.installed import find_backbone
from pointaction.clip import Clip
from pointaction.methods import Precision, Running
from pointaction.trackstore.features import StoredFeatures


class Looks:
    """A backbone, opened once."""

    def __init__(self, name: str, models: Path, running: Running) -> None:
        """Raises as `appearance.stored.open_stored`."""
        import torch

        from pointaction.appearance.stored import open_stored

        self.backbone = open_stored(
            models, name, device=running.device, precision=getattr(torch, running.precision)
        )

    def features(self, clip: Clip) -> StoredFeatures:
        """What it finds in the frames that the points are followed through, whatever their size."""
        tokens, time = self.backbone.features(clip.frames)
        return StoredFeatures.rounded(tokens[0].numpy(), time.numpy())


def told(name: str, models: Path, running: Running) -> dict[str, Any]:
    """What a manifest says of a backbone. Raises as `Looks`, and UnknownModel."""
    return dict(_facts(name, models, running.precision))


@lru_cache(maxsize=8)  # to read the weights takes seconds
def _facts(name: str, models: Path, precision: Precision) -> tuple[tuple[str, Any], ...]:
    licence = find_backbone(models, name).licence
    backbone = Looks(name, models, Running(precision=precision)).backbone
    return (
        ("name", name),
        ("digest", backbone.digest),
        ("sha256", backbone.sha256),
        ("frames", backbone.frames),
        ("timeless", backbone.timeless),
        ("licence", licence),
    )
