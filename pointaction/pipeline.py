"""The way of a clip: decode, track, lift, tokenise, classify, explain.

Every step after `track_clip` runs from `Tracks` alone, so that a user may send tracks instead of
pixels and get the same answer.

Shapes:  N tracks   T frames   H heads
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.count import Count
from pointaction.depth.base import Lifter
from pointaction.depth.looming_lifter import Looming, with_looming
from pointaction.models.catalog import Entry, find
from pointaction.models.store import load_model
from pointaction.models.traction import TrAction
from pointaction.models.views import answer
from pointaction.tokens.normalise import geometry
from pointaction.tokens.resample import resample
from pointaction.tokens.units import to_units
from pointaction.tracking.base import Tracker
from pointaction.tracking.lucas_kanade import LucasKanade
from pointaction.tracking.points import Choose
from pointaction.tracking.queries import random_queries
from pointaction.tracks import Tracks

STAGES = ("decode", "track", "lift", "tokenise", "classify", "explain")
# How much of the whole work is behind a clip when it enters each stage, roughly.
_ENTERED = {
    "decode": 0.02,
    "track": 0.25,
    "lift": 0.75,
    "tokenise": 0.8,
    "classify": 0.85,
    "explain": 0.95,
}

Report = Callable[[str, float], None]
"""Told the stage that begins and the progress so far (0 to 1); may raise to stop the work."""


def silent(stage: str, progress: float) -> None:
    """A report that nobody reads."""


def enter(stage: str, report: Report) -> None:
    """Say that a stage begins."""
    report(stage, _ENTERED[stage])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What a model made of a clip's tracks."""

    scores: dict[str, float]  # every label, best first; they sum to 1
    none_of_these: bool | None  # whether it is likely none of the labels; None: not calibrated
    attention: NDArray[np.float32]  # (H, N) last layer, CLS to tracks; each row sums to 1
    tracks: Tracks  # with depth


def within(stage: str, report: Report) -> Count:
    """A count that moves the progress from where `stage` begins to where it ends."""
    begin, end = (_ENTERED[name] for name in STAGES[STAGES.index(stage) :][:2])
    return lambda done, total: report(stage, begin + (end - begin) * done / total)


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
    """A model of the store, opened once and asked often."""

    def __init__(self, entry: Entry, model: TrAction) -> None:
        self.entry = entry
        self.model = model

    @classmethod
    def load(cls, store: Path, name: str) -> "Recogniser":
        """Open the catalogue's model `name`; UnknownModel and DamagedWeights say what is wrong."""
        entry = find(store, name)
        return cls(entry, load_model(store, entry))

    def recognise(self, tracks: Tracks, *, report: Report = silent) -> Recognition:
        """Scores for every label and the attention of each head, from tracks of any N and T."""
        tracks = lift(tracks, report=report)
        enter("tokenise", report)
        taken = inputs(tracks, self.model.encoder.config.frames)
        enter("classify", report)
        with torch.inference_mode():
            logits, attention, _ = answer(self.model, *taken, self.entry.symmetry)
        enter("explain", report)
        calibration = self.entry.calibration
        shares = calibration.shares(logits) if calibration else logits.softmax(-1)
        pairs = zip(self.entry.labels, shares[0].tolist(), strict=True)
        return Recognition(
            scores=dict(sorted(pairs, key=lambda pair: -pair[1])),
            none_of_these=not calibration.knows(logits).item() if calibration else None,
            attention=attention[0].numpy(),
            tracks=tracks,
        )

    def embed(self, tracks: Tracks) -> torch.Tensor:
        """The clip as its CLS token (D,): what few-shot classifiers compare."""
        with torch.inference_mode():
            encoder = self.model.encoder
            return encoder.embed(*inputs(tracks, encoder.config.frames))[0]
