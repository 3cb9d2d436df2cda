"""Classify in this process: no server, no queue, no cache."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pointaction.choices import chosen
from pointaction.clip import Clip
from pointaction.depth.lifters import DEFAULT_DEPTH, LIFTERS
from pointaction.explain.overlay import write_overlay
from pointaction.methods import Running, Used
from pointaction.pipeline import STAGES, Recogniser, Recognition, track_clip
from pointaction.tracking.points import DEFAULT_POINTS, POINTS
from pointaction.tracking.trackers import DEFAULT_TRACKER, TRACKERS
from pointaction.tracks import Tracks
from pointaction.video.decode import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeBy:
    """What made tracks, as answers name it; None where nobody knows, since they came as a file."""

    points: Used | None = None
    tracker: Used | None = None
    depth: Used | None = None


class LocalService:
    """Answers as the server does, from the same models."""

    def __init__(
        self,
        store: Path,
        model: str,
        *,
        tracks: int,
        points: str = DEFAULT_POINTS,
        tracker: str = DEFAULT_TRACKER,
        depth: str = DEFAULT_DEPTH,
        running: Running | None = None,
    ) -> None:
        running = running or Running()
        self.recogniser = Recogniser.load(store, model)
        self.tracks = tracks
        self.method = chosen(tracker, TRACKERS)
        self.by = MadeBy(
            points=chosen(points, POINTS).used(store, running),
            tracker=self.method.used(store, running),
            depth=chosen(depth, LIFTERS).used(store, running),
        )
        self.choose = POINTS[points].open(store, running)
        self.tracker = self.method.open(store, running)
        self.lifter = LIFTERS[depth].open(store, running)
        self._looming = LIFTERS["looming"].used(store, running)
        self._last: tuple[Path, Recognition] | None = None

    def classify(self, path: Path, *, top_k: int) -> dict[str, Any]:
        """The answer for a clip or a `.tracks.npz`; raises PointActionError."""
        clock = Clock()
        tracks, by = self._tracks(path, clock)
        recognition = self.recogniser.recognise(tracks, report=clock)
        self._last = path, recognition
        entry = self.recogniser.entry
        best = list(recognition.scores.items())[:top_k]
        return {
            "model": entry.told(),
            **asdict(by),
            "predictions": [{"label": label, "score": score} for label, score in best],
            "none_of_these": recognition.none_of_these,
            "notes": entry.notes(by.depth.name if by.depth else None),
            "timings_ms": clock.timings_ms(),
            "cached": False,
        }

    def draw(self, path: Path, answer: dict[str, Any], target: Path) -> None:
        """Draw the clip that was classified last; `.png` gives a contact sheet, else mp4."""
        if self._last is None or self._last[0] != path:
            raise RuntimeError("classify a clip before drawing it")
        tracks = self._last[1].tracks
        frames = None if _holds_tracks(path) else self._decode(path, len(tracks.times)).frames
        write_overlay(
            target,
            frames,
            tracks,
            self._last[1].attention.mean(0),
            format="png" if target.suffix == ".png" else "mp4",
        )

    def close(self) -> None:
        """Nothing is held open; here because a server's client has something to close."""

    def _tracks(self, path: Path, clock: "Clock") -> tuple[Tracks, MadeBy]:
        """Tracks, with depth where they were made here."""
        if _holds_tracks(path):
            tracks = Tracks.load(path)
            return tracks, MadeBy(depth=self._looming if tracks.depth is None else None)
        clock("decode", 0.0)
        made = track_clip(
            self._decode(path),
            tracks=self.tracks,
            choose=self.choose,
            tracker=self.tracker,
            lifter=self.lifter,
            report=clock,
        )
        return made, self.by

    def _decode(self, path: Path, frames: int = 32) -> Clip:
        method = self.method
        return decode(path, frames=frames, short_side=method.short_side, enlarge=method.enlarge)


class Clock:
    """Times the stages by listening to their reports."""

    def __init__(self) -> None:
        self.entered: list[tuple[str, float]] = []

    def __call__(self, stage: str, progress: float) -> None:
        if self.entered and self.entered[-1][0] == stage:
            return
        self.entered.append((stage, time.perf_counter()))

    def timings_ms(self) -> dict[str, float]:
        ends = [start for _, start in self.entered[1:]] + [time.perf_counter()]
        spent = {
            stage: round((end - start) * 1000, 1)
            for (stage, start), end in zip(self.entered, ends, strict=True)
        }
        return {stage: spent[stage] for stage in STAGES if stage in spent}


def _holds_tracks(path: Path) -> bool:
    return path.suffix == ".npz"
