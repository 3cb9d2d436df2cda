"""The way of a clip: decode, track, lift, tokenise, classify, explain.

Every step after `track_clip` runs from `Tracks` alone, so that a user may send tracks instead of
pixels and get the same answer.

Shapes:  N tracks   T frames   H heads
"""

from pathlib import Path

import numpy as np
import torch

from pointaction.clip import Clip
from pointaction.depth.base import Lifter
from pointaction.depth.looming_lifter import Looming, with_looming
from pointaction.models.catalog import Entry, find
from pointaction.models.store import load_model
from pointaction.models.traction import TrAction
from pointaction.models.views import Asked, answer
from pointaction.recognition import Recognition, ranked
from pointaction.stages import Report, enter, silent, within
from pointaction.tokens.normalise import geometry
from pointaction.tokens.resample import resample
from pointaction.tokens.units import to_units
from pointaction.tracking.base import Tracker
from pointaction.tracking.lucas_kanade import LucasKanade
from pointaction.tracking.points import Choose
from pointaction.tracking.queries import random_queries
from pointaction.tracks import Tracks


def track_clip(
    clip: Clip,
    *,
    tracks: int = 512,
    choose: Choose = random_queries,
    tracker: Tracker | None = None,
    lifter: Lifter | None = None,
    report: Report = silent,
) -> Tracks:
    """Choose `tracks` points of the clip, follow them and give them depth.

    By default the points are random in space and time, seeded by the clip's hash.
    """
    followed = follow(clip, tracker or LucasKanade(), tracks=tracks, choose=choose, report=report)
    return lift_clip(clip, followed, lifter or Looming(), report=report)


def follow(
    clip: Clip,
    tracker: Tracker,
    *,
    tracks: int,
    choose: Choose = random_queries,
    report: Report = silent,
) -> Tracks:
    """The first half of `track_clip`: tracks without depth."""
    enter("track", report)
    return tracker.track(clip, choose(clip, tracks), count=within("track", report))


def lift_clip(clip: Clip, tracks: Tracks, lifter: Lifter, *, report: Report = silent) -> Tracks:
    """The second half of `track_clip`: depth for the tracks of this clip."""
    enter("lift", report)
    return lifter.lift(clip, tracks, count=within("lift", report))


def lift(tracks: Tracks, *, report: Report = silent) -> Tracks:
    """Tracks with depth: their own, or by looming where they have none."""
    if tracks.depth is not None:
        return tracks
    enter("lift", report)
    return with_looming(tracks)


def inputs(tracks: Tracks, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Geometry (1, N, F, 3) and visibility (1, N, F) on a model's own clock of F `frames`."""
    on_clock = resample(lift(tracks), frames)
    assert on_clock.depth is not None  # lifted
    xy, visible = to_units(on_clock)
    depth = torch.from_numpy(np.ascontiguousarray(on_clock.depth))[None]
    return geometry(xy, depth), visible


class Recogniser:
    """A model of the store, opened once and asked often; by another backend if there is one."""

    def __init__(self, entry: Entry, model: TrAction, asked: Asked | None = None) -> None:
        self.entry = entry
        self.model = model
        self.asked = asked or model

    @classmethod
    def load(cls, store: Path, name: str) -> "Recogniser":
        """Open the catalogue's model `name`; UnknownModel and DamagedWeights say what is wrong."""
        entry = find(store, name)
        return cls(entry, load_model(store, entry))

    def recognise(
        self, tracks: Tracks | None, clip: Clip | None = None, *, report: Report = silent
    ) -> Recognition:
        """Scores for every label and the attention of each head, from tracks of any N and T.

        The clip is not looked at; it is here as for every `AnyRecogniser`.
        """
        assert tracks is not None  # the entry follows
        tracks = lift(tracks, report=report)
        enter("tokenise", report)
        taken = inputs(tracks, self.model.encoder.config.frames)
        enter("classify", report)
        with torch.inference_mode():
            logits, attention, _ = answer(self.asked, *taken, self.entry.symmetry)
        enter("explain", report)
        calibration = self.entry.calibration
        shares = calibration.shares(logits) if calibration else logits.softmax(-1)
        return Recognition(
            scores=ranked(self.entry.labels, shares[0]),
            none_of_these=not calibration.knows(logits).item() if calibration else None,
            attention=attention[0].numpy(),
            tracks=tracks,
        )

    def embed(self, tracks: Tracks) -> torch.Tensor:
        """The clip as its CLS token (D,): what few-shot classifiers compare."""
        with torch.inference_mode():
            encoder = self.model.encoder
            return encoder.embed(*inputs(tracks, encoder.config.frames))[0]
