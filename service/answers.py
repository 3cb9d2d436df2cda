"""The JSON that routes answer with. `docs/` and the OpenAPI schema show these."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pointaction.methods import LICENCE, Method, Used
from pointaction.models.catalog import TORCH, Entry
from pointaction.models.downloads import Download
from pointaction.timelines.segments import Segment
from pointaction.timelines.timeline import Timeline
from service import problems
from workers.episodes import Episode, Example
from workers.jobs import Job, Kind, State

_DIGEST = "SHA-256 of the weights; of a calibrated model, of that and the calibration together"


class ClipAnswer(BaseModel):
    sha256: str
    duration_s: float
    frames: int = Field(description="in the file; of a tracks file, the T of its tracks")
    width: int
    height: int


class CallbackSecret(BaseModel):
    secret: str = Field(description="whsec_ and base64, as libraries of Standard Webhooks take it")


class ModelReference(BaseModel):
    name: str
    version: str
    digest: str = Field(description=_DIGEST)
    licence: str
    backend: str = Field(default=TORCH, description="what computed the answer, as torch or onnx")


class MethodReference(BaseModel):
    """What chose the points, made tracks of them, or gave them depth."""

    name: str
    version: str
    digest: str | None = Field(description="SHA-256 of its weights; null: it has none")
    licence: str


class Prediction(BaseModel):
    label: str
    score: float = Field(description="0 to 1; all labels together make 1")


class MapsShape(BaseModel):
    """Of the maps of a model that looks at pixels alone."""

    frames: int = Field(description="evenly spread from the clip's first to its last")
    rows: int
    columns: int


class AttentionLink(BaseModel):
    heads: int
    tracks: int | None = Field(description="null: no points were followed")
    maps: MapsShape | None = Field(default=None, description="null: it is over tracks")
    href: str


class Seen(BaseModel):
    """What every answer about a clip has: who looked at it, and how."""

    model_config = ConfigDict(extra="forbid")

    job: str
    clip: ClipAnswer
    model: ModelReference
    points: MethodReference | None = Field(
        description="null: the tracks were uploaded, or the model looks at pixels alone"
    )
    tracker: MethodReference | None = Field(description="null: as `points`")
    depth: MethodReference | None = Field(
        description="null: it came with the uploaded tracks, or the model looks at pixels alone"
    )
    notes: list[str] = Field(description="what to bear in mind of this answer, in plain words")
    attention: AttentionLink | None
    timings_ms: dict[str, float]


class Recognition(Seen):
    """What is being done in the clip."""

    predictions: list[Prediction] = Field(description="the top_k best, the best first")
    none_of_these: bool | None = Field(
        description="whether the clip likely shows none of the model's labels; "
        "null: the model is not calibrated, so nobody knows"
    )
    branches: dict[str, list[Prediction]] = Field(
        default_factory=dict,
        description="of a model of several branches, as `motion` and `appearance`, what each says "
        "alone: the top_k best of each",
    )
    cached: bool = Field(description="whether it was answered from the cache")


class ExampleSeen(Seen):
    """An example of an episode, described."""

    episode: str
    example: str
    label: str


class Near(BaseModel):
    """An example that is like the clip."""

    example: str
    label: str
    name: str = Field(description="of its file, as it was sent")
    similarity: float = Field(description="of the clips as wholes: cosine, -1 to 1")


class Matched(BaseModel):
    """Which part of the clip was matched with which part of an example."""

    query: list[int] = Field(description="moments of the clip, rising: one, or several as a tuple")
    example: str
    label: str
    name: str
    moments: list[int] = Field(description="of the example, as many")
    weight: float = Field(description="0 to 1")


class Likeness(Seen):
    """What a clip is, as far as the examples of an episode tell."""

    episode: str
    head: MethodReference
    predictions: list[Prediction] = Field(description="the top_k best classes, the best first")
    none_of_these: bool | None = Field(
        description="whether the clip likely is of no class of the episode; null: nobody knows"
    )
    nearest: list[Near] = Field(description="the nearest examples, the nearest first")
    matches: list[Matched] = Field(
        description="with examples of the best class; empty where the head does not align in time"
    )


class TimelineFound(BaseModel):
    """A video has been looked through. `href` has what is done when in it."""

    model_config = ConfigDict(extra="forbid")

    job: str
    clip: ClipAnswer
    model: ModelReference
    points: MethodReference
    tracker: MethodReference
    depth: MethodReference
    episode: str | None = Field(description="whose classes were looked for; null: the model's")
    head: MethodReference | None = Field(description="of the episode")
    tracks: int = Field(description="points of each window")
    window_s: float = Field(description="from the first frame of a window to its last")
    step_s: float = Field(description="as asked for, but for whole frames")
    windows: int
    labels: list[str] = Field(description="what was looked for")
    notes: list[str]
    href: str = Field(description="of the segments")
    timings_ms: dict[str, float]
    cached: bool = Field(description="whether it was answered from the cache")


class SegmentAnswer(BaseModel):
    """Something that is done for a while."""

    start_s: float = Field(description="seconds since the first frame")
    end_s: float
    label: str
    score: float = Field(description="of the window in it that is surest, smoothed; 0 to 1")


class SegmentsAnswer(BaseModel):
    """When what is done in a video, as far as it has been looked through."""

    job: str
    complete: bool = Field(description="whether all of the video has been looked through")
    until_s: float = Field(description="how much of it, from its beginning")
    duration_s: float | None = Field(description="of the video; null: not known yet")
    threshold: float
    expected_s: float | None = Field(description="as in the job")
    labels: list[str] = Field(description="those with segments, the one that is first seen first")
    segments: list[SegmentAnswer] = Field(description="in the order of their starts")

    @classmethod
    def of(
        cls, job: Job, found: Timeline | None, threshold: float, segments: Sequence[Segment]
    ) -> "SegmentsAnswer":
        """`found` is None where nothing is known yet."""
        known = found is not None and len(found.starts) > 0
        return cls(
            job=job.id,
            complete=found is not None and len(found.starts) == found.windows,
            until_s=round(float(found.edges[-1]), 3) if found and known else 0.0,
            duration_s=round(found.duration_s, 3) if found else None,
            threshold=threshold,
            expected_s=expected_s(job),
            labels=list(dict.fromkeys(each.label for each in segments)),
            segments=[
                SegmentAnswer(
                    start_s=round(each.start, 3),
                    end_s=round(each.end, 3),
                    label=each.label,
                    score=round(each.score, 4),
                )
                for each in segments
            ],
        )


class ProblemAnswer(BaseModel):
    """RFC 9457 problem details. docs/problems.md lists the types."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:pointaction:problem:clip-too-long"])
    title: str
    status: int
    detail: str = Field(description="what was expected, what came, what to do")
    limit: Any = Field(default=None, description="the limit that was hit")
    value: Any = Field(default=None, description="the value that was seen")
    job: str | None = None
    request_id: str | None = None


class JobAnswer(BaseModel):
    id: str
    kind: Kind
    state: State
    stage: str | None = Field(
        description="what the worker is at: decode, track, lift, ...; "
        "examples: it waits for those of its episode to be described; "
        "of a timeline plan, load, and timeline, while the video is looked through"
    )
    progress: float = Field(ge=0, le=1)
    expected_s: float | None = Field(
        default=None,
        description="seconds of work that are left of a timeline, without those that others come "
        "first in; null: nobody knows",
    )
    position: int | None = Field(
        description="jobs ahead in the queue; null outside of it. A timeline is worked on in "
        "turns, and waits here between two"
    )
    attempts: int = Field(description="how often a worker has begun it, or its present turn")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    timings_ms: dict[str, float] = Field(description="per stage")
    result: Recognition | Likeness | ExampleSeen | TimelineFound | dict[str, Any] | None = Field(
        union_mode="left_to_right"
    )
    problem: ProblemAnswer | None

    @classmethod
    def of(cls, job: Job) -> "JobAnswer":
        problem = problems.of_job(job)
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            stage=job.stage,
            progress=job.progress,
            expected_s=expected_s(job),
            position=job.position,
            attempts=job.attempts,
            created_at=_moment(job.created_at),
            started_at=_moment(job.started_at) if job.started_at else None,
            finished_at=_moment(job.finished_at) if job.finished_at else None,
            timings_ms=job.timings_ms,
            result=job.result,
            problem=ProblemAnswer.model_validate(problem) if problem else None,
        )

    def to_json(self) -> str:
        return self.model_dump_json()


class ExampleAnswer(BaseModel):
    id: str
    label: str
    name: str = Field(description="of its file, as it was sent")
    state: Literal["pending", "ready", "failed"]
    problem: ProblemAnswer | None = Field(description="why it failed")
    job: str = Field(description="the job that describes it")

    @classmethod
    def of(cls, example: Example) -> "ExampleAnswer":
        found = example.problem
        problem = problems.describe(**found.model_dump(), job=example.job) if found else None
        return cls(
            id=example.id,
            label=example.label,
            name=example.name,
            state=example.state,
            problem=ProblemAnswer.model_validate(problem) if problem else None,
            job=example.job,
        )


class ClassAnswer(BaseModel):
    label: str
    examples: list[ExampleAnswer]


class Readiness(BaseModel):
    """How many examples are described, and how many are not or never will be."""

    pending: int
    ready: int
    failed: int


class EpisodeName(BaseModel):
    """What of an episode can be changed."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=256)


class EpisodeAnswer(BaseModel):
    """A user's own actions, each shown by a few examples."""

    id: str
    name: str
    head: str = Field(description="by which matcher clips are compared")
    model: str
    points: str = Field(description="of clips: which points are followed")
    tracker: str = Field(description="of clips")
    depth: str = Field(description="of clips")
    state: Readiness
    progress: float = Field(ge=0, le=1, description="the share of the examples that is settled")
    classes: list[ClassAnswer] = Field(description="in the order in which they first came")
    created_at: datetime

    @classmethod
    def of(cls, episode: Episode, examples: Sequence[Example]) -> "EpisodeAnswer":
        classes: dict[str, list[ExampleAnswer]] = {}
        for each in examples:
            classes.setdefault(each.label, []).append(ExampleAnswer.of(each))
        counts = Counter(each.state for each in examples)
        return cls(
            id=episode.id,
            name=episode.name,
            head=episode.head,
            model=episode.model,
            points=episode.points,
            tracker=episode.tracker,
            depth=episode.depth,
            state=Readiness(
                pending=counts["pending"], ready=counts["ready"], failed=counts["failed"]
            ),
            progress=1 - counts["pending"] / max(len(examples), 1),
            classes=[ClassAnswer(label=label, examples=of) for label, of in classes.items()],
            created_at=_moment(episode.created_at),
        )


class AttentionAnswer(BaseModel):
    """One weight per head and track, with the tracks that they belong to."""

    job: str
    heads: int
    tracks: int
    frames: int
    size: tuple[int, int] = Field(description="(height, width) of the frames in pixels")
    times: list[float] = Field(description="seconds, one per frame")
    weights: list[list[float]] = Field(description="heads x tracks; each row sums to 1")
    xy: list[list[tuple[float, float]]] = Field(description="tracks x frames x (x, y) in pixels")
    visible: list[list[bool]] = Field(description="tracks x frames")


class MapsAnswer(BaseModel):
    """Maps over the pixels, one per head and frame."""

    job: str
    heads: int
    frames: int
    rows: int
    columns: int
    size: tuple[int, int] = Field(description="(height, width) of the clip in pixels")
    times: list[float] = Field(description="seconds, one per map of a head")
    weights: list[list[list[list[float]]]] = Field(
        description="heads x frames x rows x columns; each head's sum to 1"
    )


class ModelAnswer(BaseModel):
    name: str
    version: str
    task: str
    default: bool = Field(description="whether it answers when no model is named")
    installed: bool = Field(description="whether its weights lie in the store")
    loaded: bool = Field(description="whether some worker has it in memory")
    calibrated: bool = Field(description="whether it can say that a clip is none of its labels")
    labels: list[str]
    licence: str
    commercial_use: bool
    digest: str = Field(description=_DIGEST)
    parameters: int
    inputs: dict[str, Any]
    source: str

    @classmethod
    def of(cls, entry: Entry, *, default: bool, installed: bool, loaded: bool) -> "ModelAnswer":
        return cls(
            name=entry.name,
            version=entry.version,
            task=entry.task,
            default=default,
            installed=installed,
            loaded=loaded,
            calibrated=entry.calibration is not None,
            labels=list(entry.labels),
            licence=entry.licence,
            commercial_use=entry.commercial_use,
            digest=entry.digest,
            parameters=entry.parameters,
            inputs=entry.inputs,
            source=entry.source,
        )


MethodTask = Literal["points", "tracking", "depth", "matching"]


class MethodAnswer(BaseModel):
    """A way to choose points, a tracker, a depth or an episode's head that a request can choose."""

    name: str
    version: str
    task: MethodTask
    default: bool = Field(description="whether it is taken when a request names none")
    installed: bool = Field(description="whether it needs no weights, or they lie in the store")
    loaded: bool = Field(description="whether some worker has it in memory")
    says: str
    licence: str
    commercial_use: bool
    digest: str | None = Field(description="SHA-256 of its weights; null: none, or not installed")
    parameters: int
    pull: str | None = Field(description="the command that installs its weights; null: it has none")
    source: str | None = Field(description="where they come from")

    @classmethod
    def of(
        cls,
        method: Method[Any],
        download: Download | None,
        used: Used | None,
        *,
        task: MethodTask,
        default: bool,
        loaded: bool,
    ) -> "MethodAnswer":
        """`download` is of the weights that it takes, `used` what an answer would say of it."""
        return cls(
            name=method.name,
            version=used.version if used else method.version,
            task=task,
            default=default,
            installed=used is not None,
            loaded=loaded,
            says=method.says,
            licence=download.licence if download else LICENCE,
            commercial_use=download.commercial_use if download else True,
            digest=used.digest if used else None,
            parameters=download.parameters if download else 0,
            pull=download.command if download else None,
            source=download.url if download else None,
        )


class QueueAnswer(BaseModel):
    depth: int = Field(description="jobs that wait for a worker")
    running: int = Field(description="jobs that a worker is at")
    age_s: float = Field(description="of the one that has waited longest; 0: none waits")


class WorkerAnswer(BaseModel):
    """A worker that has been heard of lately."""

    name: str
    seen_s_ago: float
    loaded: list[str] = Field(description="models and methods that it has in memory")


class CacheAnswer(BaseModel):
    """Questions since the service was started."""

    hits: int = Field(description="answered at once")
    misses: int = Field(description="that a worker had to look into")


class SystemAnswer(BaseModel):
    """The service at a glance."""

    version: str
    queue: QueueAnswer
    workers: list[WorkerAnswer]
    cache: CacheAnswer
    jobs: dict[str, int] = Field(
        description="how jobs have ended: succeeded, or the kind of problem -> how many, ever"
    )


class Health(BaseModel):
    status: Literal["alive", "ready"]
    checks: dict[str, str] = Field(default_factory=dict, description="part -> ok, or what fails")


def expected_s(job: Job) -> float | None:
    """Seconds of work that are left of a job, where somebody knows."""
    return None if job.state.finished else job.expected_s


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
