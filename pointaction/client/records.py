"""What a server answers, as records. Their names and units are those of its HTTP interface.

`J` is the handle of a job: `Job` of a Client, `AsyncJob` of an AsyncClient.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

J = TypeVar("J")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """What was sent."""

    sha256: str
    duration_s: float
    frames: int  # in the file; of a tracks file, the T of its tracks
    width: int  # pixels
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What chose the points, followed them, gave them depth, or compared clips."""

    name: str
    version: str
    licence: str
    digest: str | None  # SHA-256 of its weights; None: it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsed:
    """The model that answered."""

    name: str
    version: str
    licence: str
    digest: str  # SHA-256 of its weights, with its calibration where it has one
    backend: str = "torch"  # what computed the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    label: str
    score: float  # 0 to 1; all labels of a model or episode together make 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MapsShape:
    frames: int  # evenly spread from the clip's first to its last
    rows: int
    columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionShape:
    """How much attention there is to fetch: `answer.job.attention()`."""

    heads: int
    tracks: int | None  # None: no points were followed
    maps: MapsShape | None = None  # of a model that looks at pixels alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification(Generic[J]):
    """What is being done in a clip. `job` fetches its attention, tracks and overlay."""

    job: J
    clip: ClipFacts
    model: ModelUsed
    predictions: tuple[Prediction, ...]  # the top_k best, the best first
    none_of_these: bool | None  # whether it likely is none of the labels; None: nobody knows
    points: Used | None = None  # None, as the two below: it came with the tracks, or was not needed
    tracker: Used | None = None
    depth: Used | None = None
    branches: Mapping[str, tuple[Prediction, ...]] = field(default_factory=dict)  # each alone
    notes: tuple[str, ...] = ()  # what to bear in mind, in plain words
    attention: AttentionShape | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)  # per stage
    cached: bool = False
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)  # the answer as it came

    @property
    def best(self) -> Prediction:
        return self.predictions[0]

    @property
    def scores(self) -> dict[str, float]:
        """Label -> score of `predictions`, the best first."""
        return {each.label: each.score for each in self.predictions}


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """An example that is like the clip."""

    example: str
    label: str
    name: str  # of its file, as it was sent
    similarity: float  # of the clips as wholes: cosine, -1 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which part of the clip was matched with which part of an example."""

    query: tuple[int, ...]  # moments of the clip, rising
    example: str
    label: str
    name: str
    moments: tuple[int, ...]  # of the example, as many
    weight: float  # 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeClassification(Classification[J]):
    """Which class of an episode a clip shows."""

    episode: str
    head: Used  # by which clips were compared
    nearest: tuple[Near, ...]  # the nearest first
    matches: tuple[Match, ...]  # empty where the head does not align in time


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineFound(Generic[J]):
    """A long video has been looked through. `job.segments()` says what is done when in it."""

    job: J
    clip: ClipFacts
    model: ModelUsed
    labels: tuple[str, ...]  # what was looked for
    windows: int
    window_s: float
    step_s: float
    tracks: int  # points of each window
    points: Used
    tracker: Used
    depth: Used
    episode: str | None = None  # whose classes were looked for; None: the model's labels
    head: Used | None = None  # by which they were compared
    notes: tuple[str, ...] = ()  # what to bear in mind, in plain words
    timings_ms: Mapping[str, float] = field(default_factory=dict)  # per stage
    cached: bool = False
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)  # the answer as it came


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Something that is done for a while."""

    start_s: float  # since the first frame
    end_s: float
    label: str
    score: float  # of the window in it that is surest, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """When what is done in a video, as far as it has been looked through."""

    job: str
    complete: bool  # whether that is all of it
    until_s: float  # how far it is
    duration_s: float | None  # of the video; None: not known yet
    threshold: float
    expected_s: float | None  # of work that are left; None: nobody knows
    labels: tuple[str, ...]  # those with segments
    segments: tuple[Segment, ...]  # in the order of their starts


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """A job as it is now."""

    id: str
    kind: str  # classify, match, example, overlay or timeline
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    stage: str | None  # what the worker is at: decode, track, lift, ...
    progress: float  # 0 to 1
    position: int | None  # jobs ahead in the queue; None outside of it
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    timings_ms: Mapping[str, float]
    result: Mapping[str, Any] | None
    problem: Mapping[str, Any] | None
    expected_s: float | None = None  # of work that are left of a timeline; None: nobody knows

    @property
    def finished(self) -> bool:
        return self.state not in ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    id: str
    label: str
    name: str  # of its file, as it was sent
    state: Literal["pending", "ready", "failed"]
    problem: Mapping[str, Any] | None  # why it failed
    job: str  # that describes it


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeClass:
    label: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How many examples are described, and how many are not or never will be."""

    pending: int
    ready: int
    failed: int

    @property
    def total(self) -> int:
        return self.pending + self.ready + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeState:
    """An episode as it is now."""

    id: str
    name: str
    head: str
    model: str
    points: str
    tracker: str
    depth: str
    state: Settled
    progress: float  # 0 to 1: the share of the examples that is settled
    classes: tuple[EpisodeClass, ...]  # in the order in which they first came
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Where the model looked. H heads, N tracks, T frames."""

    weights: NDArray[np.float32]  # (H, N), a row sums to 1; of maps (H, frames, rows, columns)
    times: NDArray[np.float64]  # (T,) seconds; of maps, one per frame of them
    size: tuple[int, int]  # (height, width) of the clip, pixels
    xy: NDArray[np.float32] | None  # (N, T, 2) pixels; None: maps
    visible: NDArray[np.bool_] | None  # (N, T); None: maps

    def save(self, file: str | Path | IO[bytes]) -> None:
        """Write an npz with the arrays that there are, named as here."""
        arrays: dict[str, Any] = {
            name: value
            for name in ("weights", "times", "size", "xy", "visible")
            if (value := getattr(self, name)) is not None
        }
        np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, file: str | Path | IO[bytes]) -> "Attention":
        """Read such a file."""
        with np.load(file, allow_pickle=False) as arrays:
            height, width = arrays["size"].tolist()
            return cls(
                weights=arrays["weights"],
                times=arrays["times"],
                size=(height, width),
                xy=arrays.get("xy"),
                visible=arrays.get("visible"),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A model, or a way to choose points, a tracker, a depth or a head that can be asked for."""

    name: str
    version: str
    task: str  # classification, fewshot, points, tracking, depth or matching
    default: bool  # whether it is taken where none is named
    installed: bool
    loaded: bool  # whether some worker has it in memory
    licence: str
    commercial_use: bool
    digest: str | None
    parameters: int
    source: str | None
    calibrated: bool = False  # whether it can say that a clip is none of its labels
    labels: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""
    pull: str | None = None  # the command that installs its weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether jobs would be done, and what each part says."""

    ready: bool
    checks: Mapping[str, str]  # part -> ok, or what fails
