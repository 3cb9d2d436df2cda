"""A model of the store looks at windows."""

from collections.abc import Sequence

import torch

from pointaction.models.views import answer
from pointaction.pipeline import Recogniser, inputs
from pointaction.recognition import AnyRecogniser
from pointaction.timelines.scorer import Scores, expect_tracks_alone
from pointaction.tracks import Tracks


class ModelScorer:
    """Scores are those of `Recogniser.recognise`, of many windows at once."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser

    @classmethod
    def of(cls, recogniser: AnyRecogniser) -> "ModelScorer":
        """InputError for a model that looks at pixels."""
        expect_tracks_alone(recogniser.entry)
        assert isinstance(recogniser, Recogniser)  # of what takes tracks alone
        return cls(recogniser)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.recogniser.entry.labels

    @property
    def frames(self) -> int:
        return self.recogniser.model.encoder.config.frames

    def score(self, windows: Sequence[Tracks]) -> Scores:
        """Of windows with as many tracks each."""
        taken = [inputs(tracks, self.frames) for tracks in windows]
        geometry, visible = (torch.cat(part) for part in zip(*taken, strict=True))
        entry = self.recogniser.entry
        with torch.inference_mode():
            logits = answer(self.recogniser.asked, geometry, visible, entry.symmetry).logits
            known = entry.calibration
            shares = known.shares(logits) if known else logits.softmax(-1)
            strange = ~known.knows(logits) if known else None
        return Scores(shares.numpy(), None if strange is None else strange.numpy())
