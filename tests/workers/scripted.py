"""A worker whose library does what each clip says, for tests of what happens around the work.

The content of a clip is a word:

    fine     is answered at once
    wait     is at work until the file `go` lies in the data folder
    deaf     as `wait`, but reports nothing, and does not heed the soft time limit
    poison   kills its process
    refuse   raises an InputError
    break    raises something that nobody expects

A video is `film N`, which has N windows in pieces of four; in window i its score of waving is
i hundredths. As `film N stamped` it can be entered in the middle. With `film N stop K` it waits for
the file `go` before window K. Every piece that is looked at is a line in `viewed`: the process's id
and the first window.

Every start of a decoding is a line in `decoded` in the data folder: the process's id and the word;
and every following of points is one in `followed`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from billiard.exceptions import SoftTimeLimitExceeded
from numpy.typing import NDArray

from pointaction.clip import Clip, Source
from pointaction.count import Count, uncounted
from pointaction.depth.base import Lifter
from pointaction.errors import InputError
from pointaction.models.catalog import Entry
from pointaction.timelines.plan import Plan
from pointaction.timelines.scorer import Scores
from pointaction.timelines.windows import Windows
from pointaction.tracking.base import Tracker
from pointaction.tracking.points import Choose
from pointaction.tracking.queries import random_queries
from pointaction.tracks import Tracks
from pointaction.video.stamps import Stamps
from workers.launch import run_worker
from workers.process import Classes, Description, Recogniser, Recognition, Report, Viewing
from workers.settings import Settings

if TYPE_CHECKING:
    from pointaction.fewshot.matcher import Matcher

SCORES = {"waving": 0.75, "falling": 0.25}


@dataclass(frozen=True)
class Seen:
    scores: dict[str, float]
    none_of_these: bool | None
    attention: NDArray[np.float32]
    tracks: Tracks | None
    branches: dict[str, dict[str, float]] = field(default_factory=dict)


class ScriptedRecogniser:
    def recognise(self, tracks: Tracks | None, clip: Clip | None, *, report: Report) -> Recognition:
        report("classify", 0.9)
        heads = np.array([[0.25, 0.75], [1.0, 0.0]], np.float32)
        return Seen(scores=SCORES, none_of_these=True, attention=heads, tracks=tracks)


@dataclass(frozen=True)
class Described:
    features: bytes
    attention: NDArray[np.float32]
    tracks: Tracks


@dataclass(frozen=True)
class Neighbour:
    example: int
    similarity: float


@dataclass(frozen=True)
class Part:
    """The first moment of the clip, found in the second of an example."""

    example: int
    query: tuple[int, ...] = (0,)
    moments: tuple[int, ...] = (1,)
    weight: float = 0.5


@dataclass(frozen=True)
class Alike:
    scores: dict[str, float]
    none_of_these: bool | None
    neighbours: list[Neighbour]
    matches: list[Part]


@dataclass(frozen=True)
class ScriptedClasses:
    """A clip is of the class that has an example of the same word; else of none."""

    words: Sequence[bytes]
    labels: Sequence[str]

    def liken(self, features: bytes) -> Alike:
        same = [each for each, word in enumerate(self.words) if word == features]
        best = self.labels[same[0]] if same else self.labels[0]
        rest = [label for label in dict.fromkeys(self.labels) if label != best]
        return Alike(
            scores={best: 0.75} | dict.fromkeys(rest, 0.25 / len(rest)),
            none_of_these=not same,
            neighbours=[Neighbour(each, 1.0) for each in same],
            matches=[Part(each) for each in same],
        )


class Played:
    """A tracker and a depth in one: two points, with the depth that they come with."""

    def track(
        self, clip: Clip, queries: NDArray[np.float32], *, count: Count = uncounted
    ) -> Tracks:
        return two_tracks()

    def lift(self, clip: Clip, tracks: Tracks, *, count: Count = uncounted) -> Tracks:
        return tracks

    def expected_seconds(self, clip: Clip, queries: NDArray[np.float32] | None = None) -> float:
        return 0.0


@dataclass(frozen=True)
class ScriptedViewing:
    """Looks through films."""

    folder: Path
    labels: tuple[str, ...] = ("waving", "falling")

    def plan(self, path: Path, *, window_s: float, step_s: float, sha256: str) -> Plan:
        words = path.read_text().split()
        if words[0] == "refuse":
            raise InputError("this film is too dark", limit=4, value=2)
        windows = Windows(frames=4, step=2, every_s=0.5, count=int(words[1]))
        source = Source(duration_s=len(words) + 1.0, frames=10, width=6, height=4)
        stamps = Stamps(first_pts=0, last_s=1.0) if words[-1] == "stamped" else None
        return Plan(path=path, sha256=sha256, source=source, windows=windows, stamps=stamps)

    def view(self, plan: Plan, *, since: int) -> Generator[Scores]:
        words = plan.path.read_text().split()
        stop = int(words[3]) if words[2:3] == ["stop"] else -1
        for first in range(since, plan.windows.count, 4):
            while first == stop and not (self.folder / "go").exists():
                time.sleep(0.02)
            with (self.folder / "viewed").open("a") as file:
                file.write(f"{os.getpid()} {first}\n")
            number = np.arange(first, min(first + 4, plan.windows.count), dtype=np.float32)
            waving = number / 100
            yield Scores(np.stack([waving, 1 - waving], 1), number > 2)


class ScriptedLibrary:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._word = ""

    def decode(self, path: Path, tracker: str, *, sha256: str) -> Clip:
        self._word = path.read_text().split()[0]
        with (self.settings.data_dir / "decoded").open("a") as file:
            file.write(f"{os.getpid()} {self._word}\n")
        if self._word == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._word == "refuse":
            raise InputError("this clip has two frames too few", limit=4, value=2)
        if self._word == "break":
            raise ZeroDivisionError("a secret of the machine")
        return Clip.from_frames(np.zeros((2, 4, 6, 3), np.uint8), fps=2)

    def open_points(self, name: str) -> Choose:
        return random_queries

    def open_tracker(self, name: str) -> Tracker:
        return Played()

    def open_lifter(self, name: str) -> Lifter:
        return Played()

    def follow(self, clip: Clip, choose: Choose, tracker: Tracker, *, report: Report) -> Tracks:
        with (self.settings.data_dir / "followed").open("a") as file:
            file.write(f"{self._word}\n")
        report("track", 0.5)
        while self._word in ("wait", "deaf") and not (self.settings.data_dir / "go").exists():
            try:
                time.sleep(0.02)
                if self._word == "wait":
                    report("track", 0.5)
            except SoftTimeLimitExceeded:
                if self._word == "wait":
                    raise
        return tracker.track(clip, choose(clip, 2))

    def lift(self, clip: Clip, tracks: Tracks, lifter: Lifter, *, report: Report) -> Tracks:
        return lifter.lift(clip, tracks)

    def load(self, model: str, backend: str) -> Recogniser:
        return ScriptedRecogniser()

    def open_head(self, name: str) -> Matcher:
        return cast("Matcher", object())  # the classes of `learn` compare words by themselves

    def describe(
        self, model: Recogniser, tracks: Tracks, head: Matcher, *, report: Report
    ) -> Description:
        report("classify", 0.9)
        with (self.settings.data_dir / "described").open("a") as file:
            file.write(f"{self._word}\n")
        heads = np.array([[0.25, 0.75], [1.0, 0.0]], np.float32)
        return Described(self._word.encode(), heads, tracks)

    def learn(
        self,
        entry: Entry,
        name: str,
        head: Matcher,
        features: Sequence[bytes],
        labels: Sequence[str],
    ) -> Classes:
        return ScriptedClasses(features, labels)

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
        if isinstance(classes, ScriptedClasses):
            return ScriptedViewing(self.settings.data_dir, tuple(dict.fromkeys(classes.labels)))
        return ScriptedViewing(self.settings.data_dir)

    def draw(
        self,
        path: Path,
        frames: NDArray[np.uint8] | None,
        tracks: Tracks,
        weights: NDArray[np.float32],
        *,
        format: str,
    ) -> None:
        ground = "black" if frames is None else f"{len(frames)} frames"
        path.write_text(f"{format} of {len(tracks.xy)} tracks on {ground}, {weights.tolist()}")

    def draw_heat(self, path: Path, clip: Clip, maps: NDArray[np.float32], *, format: str) -> None:
        path.write_text(f"{format} of {len(maps)} maps on {len(clip.frames)} frames")


def two_tracks() -> Tracks:
    """Two points that stand still for two frames."""
    xy = np.array([[[1, 1], [1, 1]], [[4, 2], [4, 2]]], np.float32)
    return Tracks(
        xy=xy,
        visible=np.ones((2, 2), bool),
        confidence=np.ones((2, 2), np.float32),
        query=np.array([[0, 1, 1], [0, 4, 2]], np.float32),
        size=(4, 6),
        times=np.array([0.0, 0.5]),
        depth=np.zeros((2, 2), np.float32),
    )


if __name__ == "__main__":
    sys.exit(run_worker(Settings(), open_library=ScriptedLibrary))
