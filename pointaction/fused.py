"""Models that look at a clip's pixels by a backbone: alone, or beside how its points move.

Shapes:  H heads   N tracks   T frames   S tokens   C labels
"""

from pathlib import Path

import torch
from torch import Tensor

from pointaction.appearance.backbone import Backbone, Features
from pointaction.appearance.stored import open_trained_on
from pointaction.clip import Clip
from pointaction.errors import DamagedWeights
from pointaction.models.catalog import Entry, pixels_missing, verify
from pointaction.models.fusion import LateFusion, load_fusion, load_probe
from pointaction.models.probe import AttentiveProbe
from pointaction.pipeline import inputs, lift
from pointaction.recognition import Recognition, expect_classes, ranked
from pointaction.stages import Report, enter, silent
from pointaction.tracks import Tracks


class FusedRecogniser:
    """An `AnyRecogniser` of late fusion: motion and appearance, and what each says alone."""

    def __init__(self, entry: Entry, model: LateFusion, backbone: Backbone) -> None:
        self.entry = entry
        self.model = model
        self.backbone = backbone

    @classmethod
    def open(cls, store: Path, entry: Entry, device: str = "cpu") -> "FusedRecogniser":
        """Raises DamagedWeights, NotInstalled without its backbone, and MissingExtra."""
        model = load_fusion(verify(store, entry))
        expect_classes(entry, model.probe.config.classes)
        return cls(entry, model, _backbone(store, entry, device))

    def recognise(
        self, tracks: Tracks | None, clip: Clip | None = None, *, report: Report = silent
    ) -> Recognition:
        """The attention is that of the motion branch, (H, N)."""
        if clip is None:
            raise pixels_missing(self.entry)
        assert tracks is not None  # the entry follows
        tracks = lift(tracks, report=report)
        looked = look(self.backbone, clip, report)
        enter("tokenise", report)
        moved = inputs(tracks, self.model.config.motion.frames)
        enter("classify", report)
        with torch.inference_mode():
            scores, attention = self.model(*moved, *looked)
        enter("explain", report)
        motion, appearance, fused = (_shares(self.entry, logits) for logits in scores)
        return Recognition(
            scores=fused,
            none_of_these=None,
            attention=attention[0].numpy(),
            tracks=tracks,
            branches={"motion": motion, "appearance": appearance},
        )


class ProbeRecogniser:
    """An `AnyRecogniser` of appearance alone."""

    def __init__(self, entry: Entry, probe: AttentiveProbe, backbone: Backbone) -> None:
        self.entry = entry
        self.probe = probe
        self.backbone = backbone

    @classmethod
    def open(cls, store: Path, entry: Entry, device: str = "cpu") -> "ProbeRecogniser":
        """As `FusedRecogniser.open`."""
        probe = load_probe(verify(store, entry))
        expect_classes(entry, probe.config.classes)
        return cls(entry, probe, _backbone(store, entry, device))

    def recognise(
        self, tracks: Tracks | None, clip: Clip | None = None, *, report: Report = silent
    ) -> Recognition:
        """The attention is over steps in time, each of which is one cell: (H, T, 1, 1)."""
        if clip is None:
            raise pixels_missing(self.entry)
        tokens, time = look(self.backbone, clip, report)
        enter("classify", report)
        with torch.inference_mode():
            logits, attention = self.probe(tokens, time), self.probe.attention_of(tokens, time)
        enter("explain", report)
        moments = attention.new_zeros(attention.shape[1], int(time[-1]) + 1)
        moments.index_add_(1, time, attention[0])
        return Recognition(
            scores=_shares(self.entry, logits),
            none_of_these=None,
            attention=moments[..., None, None].numpy(),
            tracks=None,
        )


def look(backbone: Backbone, clip: Clip, report: Report = silent) -> Features:
    """What the backbone finds in a clip."""
    enter("look", report)
    return backbone.features(clip.frames)


def _backbone(store: Path, entry: Entry, device: str) -> Backbone:
    if entry.backbone is None:
        raise DamagedWeights(
            f"catalog.toml does not say which backbone {entry.name} looks through; train it again"
        )
    return open_trained_on(store, entry.backbone, device=device)


def _shares(entry: Entry, logits: Tensor) -> dict[str, float]:
    """Of logits (1, C)."""
    return ranked(entry.labels, logits.softmax(-1)[0])
