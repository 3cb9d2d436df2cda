"""A user's own classes look at windows."""

from collections.abc import Sequence

import numpy as np

from pointaction.fewshot.classes import Classes
from pointaction.fewshot.features import Part
from pointaction.fewshot.track_features import describe
from pointaction.models.traction import TrackEncoder
from pointaction.timelines.scorer import Scores
from pointaction.tracks import Tracks


class EpisodeScorer:
    """Scores are those of `Classes.liken`, of windows as the encoder describes them."""

    def __init__(self, encoder: TrackEncoder, classes: Classes, part: Part) -> None:
        """`part` is what the classes' matcher compares."""
        self.encoder = encoder
        self.classes = classes
        self.part = part

    @property
    def labels(self) -> tuple[str, ...]:
        return self.classes.labels

    @property
    def frames(self) -> int:
        return self.encoder.config.frames

    def score(self, windows: Sequence[Tracks]) -> Scores:
        """One window after another."""
        found = [
            self.classes.liken(describe(self.encoder, tracks, {self.part}), neighbours=1)
            for tracks in windows
        ]
        shares = [[each.scores[label] for label in self.labels] for each in found]
        strange = [each.none_of_these for each in found]
        known = None not in strange
        return Scores(np.array(shares, np.float32), np.array(strange, bool) if known else None)
