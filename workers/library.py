"""The library as a worker uses it. Opened in a pool process on its first job: it brings torch."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip
from pointaction.tracks import Tracks
from workers.process import Library, Recogniser, Report
from workers.settings import Settings


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

    def decode(self, path: Path, *, sha256: str) -> Clip:
        from pointaction.video.decode import DecodeLimits, decode

        limits = DecodeLimits(
            max_duration_s=self.settings.max_duration_s,
            max_side=self.settings.max_side,
            max_fps=self.settings.max_fps,
            memory_mb=self.settings.decode_memory_mb,
            cpu_s=self.settings.decode_cpu_s,
        )
        return decode(path, limits=limits, sha256=sha256)

    def track(self, clip: Clip, *, report: Report) -> Tracks:
        from pointaction.pipeline import track_clip

        return track_clip(clip, tracks=self.settings.tracks, report=report)

    def load(self, model: str) -> Recogniser:
        from pointaction.pipeline import Recogniser as Loaded

        return Loaded.load(self.settings.model_store, model)

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
