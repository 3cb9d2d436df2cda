"""What the catalogue says of a model that looks at pixels through a backbone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pointaction.appearance.installed import find_backbone
from pointaction.models.catalog import CLASSIFICATION, Entry, Looks
from pointaction.models.files import name_of
from pointaction.models.fusion import LateFusion
from pointaction.models.probe import AttentiveProbe
from pointaction.training.finetune import Start


def looks_entry(
    store: Path,
    name: str,
    version: str,
    network: AttentiveProbe | LateFusion,
    looks: Looks,
    *,
    labels: Sequence[str],
    motion: Start | None,
    moves: dict[str, Any],
) -> Entry:
    """The entry but for the digest of the weights.

    motion: the branch that follows points, and moves: its part of the input contract; None and
    nothing of a probe alone. Raises UnknownModel for a backbone that the store does not have.
    """
    of = find_backbone(store, looks.name)
    licences = dict.fromkeys([*([motion.licence] if motion else []), of.licence])
    place = f"{name}/{version}"
    both = f"{motion.name}, fused with a" if motion else "a"
    return Entry(
        name=name,
        version=version,
        task=CLASSIFICATION,
        builder=name_of(type(network)),
        file=f"{place}/weights.safetensors",
        sha256="",
        licence=" AND ".join(licences),
        commercial_use=of.commercial_use and (motion is None or motion.commercial_use),
        source=f"{both} probe on {looks.name}, trained on clips of {len(labels)} labels: "
        f"pointaction finetune {'--fuse' if motion else '--probe'} {looks.name}",
        parameters=sum(value.numel() for value in network.parameters()),
        labels=tuple(labels),
        inputs={"pixels": f"{looks.frames} frames through {looks.name}", **moves},
        card=f"{place}/README.md",
        backbone=looks,
    )
