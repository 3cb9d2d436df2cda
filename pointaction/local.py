"""Classify in this process: no server, no queue, no cache."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pointaction.choices import chosen
from pointaction.clip import Clip
from pointaction.depth.lifters import DEFAULT_DEPTH, LIFTERS
from pointaction.explain.heat_overlay import write_heat
from pointaction.explain.overlay import write_overlay
from pointaction.methods import Running, Used
from pointaction.pipeline import track_clip
from pointaction.predictions import best
from pointaction.recognisers import open_recogniser
from pointaction.recognition import Recognition
from pointaction.stages import STAGES
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
        self.recogniser = open_recogniser(store, model, device=running.device)
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
        self._last: tuple[Path, Clip | None, Recognition] | None = None

    def classify(self, path: Path, *, top_k: int) -> dict[str, Any]:
        """The answer for a clip or a `.tracks.npz`; raises PointActionError."""
        clock, entry = Clock(), self.recogniser.entry
        clip = self._decode(path, clock)
        tracks, by = self._tracks(path, clip, clock) if entry.follows else (None, MadeBy())
        recognition = self.recogniser.recognise(tracks, clip, report=clock)
        self._last = path, clip, recognition
        return {
            "model": entry.told(),
            **asdict(by),
            "predictions": best(recognition.scores, top_k),
            "none_of_these": recognition.none_of_these,
            "branches": {
                name: best(scores, top_k) for name, scores in recognition.branches.items()
            },
            "notes": entry.notes(by.depth.name if by.depth else None),
            "timings_ms": clock.timings_ms(),
            "cached": False,
        }

    def draw(self, path: Path, answer: dict[str, Any], target: Path) -> None:
        """Draw the clip that was classified last; `.png` gives a contact sheet, else mp4."""
        if self._last is None or self._last[0] != path:
            raise RuntimeError("classify a clip before drawing it")
        _, clip, recognition = self._last
        weights, form = recognition.attention.mean(0), target.suffix.removeprefix(".")
        form = "png" if form == "png" else "mp4"
        if recognition.tracks:
            frames = clip.frames if clip else None
            write_overlay(target, frames, recognition.tracks, weights, format=form)
        else:
            assert clip  # its pixels were looked at
            write_heat(target, clip.frames, clip.times, weights, format=form)

    def close(self) -> None:
        """Nothing is held open; here because a server's client has something to close."""

    def _tracks(self, path: Path, clip: Clip | None, clock: "Clock") -> tuple[Tracks, MadeBy]:
        """Those of the clip, with depth; else those of the file, as they are."""
        if clip is None:
            tracks = Tracks.load(path)
            return tracks, MadeBy(depth=self._looming if tracks.depth is None else None)
        made = track_clip(
            clip,
            tracks=self.tracks,
            choose=self.choose,
            tracker=self.tracker,
            lifter=self.lifter,
            report=clock,
        )
        return made, self.by

    def _decode(self, path: Path, clock: "Clock") -> Clip | None:
        """None of a file of tracks."""
        if path.suffix == ".npz":
            return None
        clock("decode", 0.0)
        return decode(path, short_side=self.method.short_side, enlarge=self.method.enlarge)


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
