"""The JSON that routes answer with. `docs/` and the OpenAPI schema show these."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pointaction.methods import LICENCE, Method, Used
from pointaction.models.catalog import Entry
from pointaction.models.downloads import Download
from service import problems
from workers.jobs import Job, State

_DIGEST = "SHA-256 of the weights; of a calibrated model, of that and the calibration together"


class ClipAnswer(BaseModel):
    sha256: str
    duration_s: float
    frames: int = Field(description="in the file; of a tracks file, the T of its tracks")
    width: int
    height: int


class ModelReference(BaseModel):
    name: str
    version: str
    digest: str = Field(description=_DIGEST)
    licence: str


class MethodReference(BaseModel):
    """What made the tracks, or gave them depth."""

    name: str
    version: str
    digest: str | None = Field(description="SHA-256 of its weights; null: it has none")
    licence: str


class Prediction(BaseModel):
    label: str
    score: float = Field(description="0 to 1; all labels together make 1")


class AttentionLink(BaseModel):
    heads: int
    tracks: int
    href: str


class Recognition(BaseModel):
    """What is being done in the clip."""

    model_config = ConfigDict(extra="forbid")

    job: str
    clip: ClipAnswer
    model: ModelReference
    tracker: MethodReference | None = Field(description="null: the tracks were uploaded")
    depth: MethodReference | None = Field(description="null: it came with the uploaded tracks")
    predictions: list[Prediction] = Field(description="the top_k best, the best first")
    none_of_these: bool | None = Field(
        description="whether the clip likely shows none of the model's labels; "
        "null: the model is not calibrated, so nobody knows"
    )
    notes: list[str] = Field(description="what to bear in mind of this answer, in plain words")
    attention: AttentionLink | None
    timings_ms: dict[str, float]
    cached: bool = Field(description="whether it was answered from the cache")


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
    kind: Literal["classify", "overlay"]
    state: State
    stage: str | None = Field(description="what the worker is at: decode, track, lift, ...")
    progress: float = Field(ge=0, le=1)
    position: int | None = Field(description="jobs ahead in the queue; null once it runs")
    attempts: int = Field(description="how often a worker has begun it")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    timings_ms: dict[str, float] = Field(description="per stage")
    result: Recognition | dict[str, Any] | None = Field(union_mode="left_to_right")
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


class MethodAnswer(BaseModel):
    """A tracker or a depth that a request can choose."""

    name: str
    version: str
    task: Literal["tracking", "depth"]
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
        task: Literal["tracking", "depth"],
        default: bool,
        loaded: bool,
    ) -> "MethodAnswer":
        """`download` is of the weights that it needs, `used` what an answer would say of it."""
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


class Health(BaseModel):
    status: Literal["alive", "ready"]
    checks: dict[str, str] = Field(default_factory=dict, description="part -> ok, or what fails")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
