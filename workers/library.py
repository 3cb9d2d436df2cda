"""The library as a worker uses it. Opened in a pool process on its first job: it brings torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.depth.base import Lifter
from pointaction.depth.lifters import LIFTERS
from pointaction.fewshot.heads import HEADS
from pointaction.models.backends import BACKENDS
from pointaction.models.catalog import Entry
from pointaction.timelines.scorer import Scorer
from pointaction.tracking.base import Tracker
from pointaction.tracking.points import POINTS, Choose
from pointaction.tracking.trackers import TRACKERS
from pointaction.tracks import Tracks
from pointaction.video.limits import DecodeLimits
from workers.process import (
    Classes,
    Description,
    Library,
    Likeness,
    Recogniser,
    Report,
    Viewing,
)
from workers.settings import Settings

if TYPE_CHECKING:
    from pointaction.fewshot.classes import Classes as Learnt
    from pointaction.fewshot.matcher import Matcher


@dataclass(frozen=True, slots=True)
class Described:
    """As workers.process.Description."""

    features: bytes
    attention: NDArray[np.float32]
    tracks: Tracks


@dataclass(frozen=True, slots=True)
class Taught:
    """As workers.process.Classes."""

    classes: Learnt

    def liken(self, features: bytes) -> Likeness:
        from pointaction.fewshot.features import Features

        return self.classes.liken(Features.from_bytes(features))


def open_library(settings: Settings) -> Library:
    return PointAction(settings)


class PointAction:
    """Our own library, with the operator's limits."""

    def __init__(self, settings: Settings) -> None:
        from pointaction.video.decode import prepare

        prepare()  # the decoder's process starts while torch is imported
        import cv2
        import torch

        if settings.threads:
            torch.set_num_threads(settings.threads)
            cv2.setNumThreads(settings.threads)
        self.settings = settings

    def decode(self, path: Path, tracker: str, *, sha256: str) -> Clip:
        from pointaction.video.decode import decode

        method = TRACKERS[tracker]

        limits = DecodeLimits(
            max_duration_s=self.settings.max_duration_s,
            max_side=self.settings.max_side,
            max_fps=self.settings.max_fps,
            memory_mb=self.settings.decode_memory_mb,
            cpu_s=self.settings.decode_cpu_s,
        )
        return decode(
            path,
            short_side=method.short_side,
            enlarge=method.enlarge,
            limits=limits,
            sha256=sha256,
        )

    def open_points(self, name: str) -> Choose:
        return POINTS[name].open(self.settings.model_store, self.settings.running)

    def open_tracker(self, name: str) -> Tracker:
        return TRACKERS[name].open(self.settings.model_store, self.settings.running)

    def open_lifter(self, name: str) -> Lifter:
        return LIFTERS[name].open(self.settings.model_store, self.settings.running)

    def follow(self, clip: Clip, choose: Choose, tracker: Tracker, *, report: Report) -> Tracks:
        from pointaction.pipeline import follow

        return follow(clip, tracker, tracks=self.settings.tracks, choose=choose, report=report)

    def lift(self, clip: Clip, tracks: Tracks, lifter: Lifter, *, report: Report) -> Tracks:
        from pointaction.pipeline import lift_clip

        return lift_clip(clip, tracks, lifter, report=report)

    def load(self, model: str, backend: str) -> Recogniser:
        from pointaction.pipeline import Recogniser as Loaded
        from pointaction.recognisers import open_recogniser

        opened = open_recogniser(self.settings.model_store, model, device=self.settings.device)
        if not isinstance(opened, Loaded):  # it looks at pixels, and has no choice
            return opened
        asked = BACKENDS[backend].open(opened.model, opened.entry, self.settings.data_dir)
        return Loaded(opened.entry, opened.model, asked)

    def open_head(self, name: str) -> Matcher:
        return HEADS[name].open(self.settings.model_store, self.settings.running)

    def describe(
        self, model: Recogniser, tracks: Tracks, head: Matcher, *, report: Report
    ) -> Description:
        from pointaction.fewshot.track_features import look
        from pointaction.pipeline import Recogniser as Loaded
        from pointaction.pipeline import lift
        from pointaction.stages import enter

        assert isinstance(model, Loaded)  # ours, from `load`
        tracks = lift(tracks, report=report)
        enter("classify", report)
        seen = look(model.model.encoder, tracks, {head.part})
        return Described(seen.features.to_bytes(), seen.attention.numpy(), tracks)

    def learn(
        self,
        entry: Entry,
        name: str,
        head: Matcher,
        features: Sequence[bytes],
        labels: Sequence[str],
    ) -> Classes:
        from pointaction.fewshot.calibration import calibration_of
        from pointaction.fewshot.classes import Classes as Learnt
        from pointaction.fewshot.features import Features

        clips = [Features.from_bytes(each) for each in features]
        calibration = calibration_of(name, entry.episodes)
        return Taught(Learnt.learn(head, clips, labels, calibration))

    def open_viewing(
        self,
        model: Recogniser,
        choose: Choose,
        tracker: Tracker,
        lifter: Lifter | None,
        *,
        tracker_name: str,
        tracks: int,
        classes: Classes | None,
        head: Matcher | None,
    ) -> Viewing:
        from pointaction.pipeline import Recogniser as Loaded
        from pointaction.timelines.episode_scorer import EpisodeScorer
        from pointaction.timelines.model_scorer import ModelScorer
        from pointaction.timelines.viewer import Viewer

        assert isinstance(model, Loaded)  # ours, from `load`, of what takes tracks alone
        scorer: Scorer = ModelScorer(model)
        if classes is not None:
            assert isinstance(classes, Taught)
            assert head is not None
            scorer = EpisodeScorer(model.model.encoder, classes.classes, head.part)
        method = TRACKERS[tracker_name]
        return Viewer(
            scorer=scorer,
            tracks=tracks,
            choose=choose,
            tracker=tracker,
            lifter=lifter,
            short_side=method.short_side,
            enlarge=method.enlarge,
            limits=self._limits_of_videos(),
        )

    def _limits_of_videos(self) -> DecodeLimits:
        from pointaction.video.cut import LONG

        return replace(
            LONG,
            max_duration_s=self.settings.max_timeline_s,
            max_side=self.settings.max_side,
            max_fps=self.settings.max_fps,
            memory_mb=self.settings.decode_memory_mb,
            wall_s=self.settings.soft_time_limit_s * 0.8,
        )

    def draw(
        self,
        path: Path,
        frames: NDArray[np.uint8] | None,
        tracks: Tracks,
        weights: NDArray[np.float32],
        *,
        format: str,
    ) -> None:
        from pointaction.explain.overlay import write_overlay

        write_overlay(path, frames, tracks, weights, format=format)

    def draw_heat(self, path: Path, clip: Clip, maps: NDArray[np.float32], *, format: str) -> None:
        from pointaction.explain.heat_overlay import write_heat

        write_heat(path, clip.frames, clip.times, maps, format=format)
