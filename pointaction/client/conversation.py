"""All that a client can ask of a server, in steps."""

import io
import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypedDict, TypeVar
from urllib.parse import quote

from pointaction.choices import chosen
from pointaction.client.events import EventReader
from pointaction.client.problems import OutOfPatience, Problem, Unreachable
from pointaction.client.reading import parse, read
from pointaction.client.records import (
    Attention,
    CatalogueEntry,
    Classification,
    EpisodeClassification,
    EpisodeState,
    Health,
    J,
    JobState,
    Segments,
    TimelineFound,
)
from pointaction.client.sources import (
    Clip,
    Sample,
    Teaching,
    Video,
    file_part,
    portions,
    samples_of,
    support,
)
from pointaction.client.steps import Answer, Call, Deadline, Lost, Outcome, Part, Pause, Steps
from pointaction.errors import InputError, PointActionError
from pointaction.tracks import Tracks

# Between one attempt and the next, where the server does not say; a minute in all.
_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_LEAST_PAUSE_S = 0.05
_WAIT_S = 20  # for an answer in the request itself
_POLL_S = 1.0
_EPISODE_POLL_S = 0.5
_HEARTBEATS_S = 30.0  # three of a server's heartbeats
_SILENT = 2  # connections without an event, after which a job is asked for instead

A = TypeVar("A", bound=Classification[Any] | TimelineFound[Any])
JobProgress: TypeAlias = Callable[[JobState], object]
EpisodeProgress: TypeAlias = Callable[[EpisodeState], object]
Format: TypeAlias = Literal["mp4", "png"]
SegmentsFormat: TypeAlias = Literal["json", "csv", "vtt", "eaf"]
_FORMATS: dict[str, SegmentsFormat] = {"json": "json", "csv": "csv", "vtt": "vtt", "eaf": "eaf"}
Fields: TypeAlias = Mapping[str, object]  # of a form: texts, numbers, booleans; None: left out


class SeenBy(TypedDict, total=False):
    """By what a clip is seen; None or nothing: as the server's operator has it."""

    model: str | None  # a name of `models()`, NAME@VERSION, or an alias
    points: str | None
    tracker: str | None
    depth: str | None


class Shown(TypedDict, total=False):
    """What is wanted of an answer."""

    top_k: int  # labels, 1 to 100; 5
    attention: bool  # whether it tells of its attention; True
    callback_url: str | None  # told of the job's end


class Asked(SeenBy, Shown, total=False):
    """What goes with a clip."""


class Windows(SeenBy, total=False):
    """How a long video is looked through; with an `episode` nothing of SeenBy."""

    episode: str | None  # an id: its classes are looked for, in the place of a model's labels
    tracks: int | None  # points of each window, 256
    window_s: float | None  # that are looked at together, 3
    step_s: float | None  # from one window to the next, 1
    callback_url: str | None  # told of the job's end


class Conversation(Generic[J]):
    """With the server at `url`. `job` makes the handle of a job of its id.

    `patience_s` bounds how long an answer, or the end of a job, is waited for, but cuts off no
    transfer. Raises what `pointaction.client.problems` has, and InputError.
    """

    def __init__(self, url: str, *, patience_s: float, job: Callable[[str], J]) -> None:
        self.url = url
        self.patience_s = patience_s
        self.job = job
        self._met = False  # whether there has been a server at all

    def classify(
        self, clip: Clip, asked: Fields, progress: JobProgress | None
    ) -> Steps[Classification[J]]:
        """The answer, awaited."""
        return (yield from self._question("/classify", clip, asked, progress, Classification))

    def submit(self, clip: Clip, asked: Fields) -> Steps[J]:
        """The job that will have the answer."""
        answer = yield from self._send("/classify", clip, asked, wait=False)
        return self._job_of(answer)

    def timeline(
        self, video: Video, asked: Fields, progress: JobProgress | None
    ) -> Steps[TimelineFound[J]]:
        """The end of looking through a video, awaited."""
        return (yield from self._question("/timelines", video, asked, progress, TimelineFound))

    def submit_timeline(self, video: Video, asked: Fields) -> Steps[J]:
        answer = yield from self._send("/timelines", video, asked, wait=False)
        return self._job_of(answer)

    def models(self) -> Steps[list[CatalogueEntry]]:
        answer = yield from self._ask(Call(method="GET", path="/models"))
        return [read(CatalogueEntry, each) for each in answer.json()]

    def health(self) -> Steps[Health]:
        """Also of a server that is not ready, which is no problem but the answer."""
        call = Call(method="GET", path="/health/ready", takes=frozenset({200, 503}))
        answer = yield from self._ask(call)
        checks = answer.json().get("checks", {})
        return Health(ready=answer.status == 200, checks=checks)

    # Jobs.

    def job_state(self, id: str) -> Steps[JobState]:
        return (yield from self._state(id, self._deadline()))

    def wait(self, id: str, progress: JobProgress | None) -> Steps[Classification[J]]:
        """The answer of a job, which is of an episode where the question was."""
        state = yield from self._finished(id, progress)
        if state.kind == "match":
            return self._result(state, EpisodeClassification)
        return self._result(state, Classification)

    def wait_timeline(self, id: str, progress: JobProgress | None) -> Steps[TimelineFound[J]]:
        """The same for a job that looks through a video."""
        state = yield from self._finished(id, progress)
        return self._result(state, TimelineFound)

    def segments(self, id: str, threshold: float) -> Steps[Segments]:
        return read(Segments, (yield from self._segments(id, threshold, "json")).json())

    def save_segments(self, id: str, target: str | Path, threshold: float) -> Steps[None]:
        """The format is what the name of the target ends with."""
        target = Path(target)
        format = chosen(target.suffix.removeprefix("."), _FORMATS)
        answer = yield from self._segments(id, threshold, format)
        target.write_bytes(answer.body)

    def clip(self, id: str) -> Steps[bytes]:
        return (yield from self._ask(Call(method="GET", path=_path("jobs", id, "clip")))).body

    def end(self, id: str) -> Steps[None]:
        """Cancel it, or delete the data of one that has finished: sent twice it might do both."""
        yield from self._ask(Call(method="DELETE", path=_path("jobs", id), repeatable=False))

    def attention(self, id: str) -> Steps[Attention]:
        headers = {"Accept": "application/x-npz"}
        call = Call(method="GET", path=_path("jobs", id, "attention"), headers=headers)
        answer = yield from self._ask(call)
        return Attention.load(io.BytesIO(answer.body))

    def tracks(self, id: str) -> Steps[Tracks]:
        answer = yield from self._ask(Call(method="GET", path=_path("jobs", id, "tracks")))
        return Tracks.load(io.BytesIO(answer.body))

    def overlay(self, id: str, head: int | Literal["mean"], format: Format) -> Steps[bytes]:
        """Asked for until it is drawn."""
        params = {"head": str(head), "format": format}
        call = Call(method="GET", path=_path("jobs", id, "overlay"), params=params)
        end = self._deadline()
        while True:
            answer = yield from self._ask(call, end)
            if answer.status == 200:
                return answer.body
            self._expect_time(end, f"the overlay of job {id} has not been drawn", job=id)
            yield Pause(_retry_after_s(answer) or _POLL_S)

    def save_overlay(self, id: str, target: str | Path, head: int | Literal["mean"]) -> Steps[None]:
        """The format is what the name of the target ends with: png, or else mp4."""
        target = Path(target)
        drawing = yield from self.overlay(id, head, "png" if target.suffix == ".png" else "mp4")
        target.write_bytes(drawing)

    # Episodes.

    def create_episode(
        self, teaching: Teaching, fields: Fields, progress: EpisodeProgress | None
    ) -> Steps[EpisodeState]:
        """It with all examples sent, of which most are pending. All of it or nothing."""
        first, *rest = list(portions(samples_of(teaching), first=2)) or [
            []
        ]  # of which the server makes a problem
        state = yield from self._teach("/episodes", first, fields)
        try:
            _tell(progress, state)
            for portion in rest:
                state = yield from self._teach(_path("episodes", state.id, "support"), portion, {})
                _tell(progress, state)
        except Exception:
            with suppress(PointActionError):  # what went wrong first is what matters
                yield from self.delete_episode(state.id)
            raise
        return state

    def add_examples(
        self, id: str, teaching: Teaching, progress: EpisodeProgress | None
    ) -> Steps[EpisodeState]:
        """The episode with them. What was sent before a portion that was refused stays."""
        for portion in list(portions(samples_of(teaching))):
            state = yield from self._teach(_path("episodes", id, "support"), portion, {})
            _tell(progress, state)
        return (yield from self.episode_state(id))

    def episodes(self) -> Steps[list[EpisodeState]]:
        answer = yield from self._ask(Call(method="GET", path="/episodes"))
        return [read(EpisodeState, each) for each in answer.json()]

    def episode_state(self, id: str) -> Steps[EpisodeState]:
        answer = yield from self._ask(Call(method="GET", path=_path("episodes", id)))
        return read(EpisodeState, answer.json())

    def described(self, id: str, progress: EpisodeProgress | None) -> Steps[EpisodeState]:
        """The episode once none of its examples is pending; patience begins anew with each."""
        end, pending = self._deadline(), None
        while True:
            state = yield from self.episode_state(id)
            _tell(progress, state)
            if not state.state.pending:
                return state
            if state.state.pending != pending:
                end, pending = self._deadline(), state.state.pending
            self._expect_time(end, f"{pending} examples of episode {id} are pending still")
            yield Pause(_EPISODE_POLL_S)

    def match(
        self, id: str, clip: Clip, asked: Fields, progress: JobProgress | None
    ) -> Steps[EpisodeClassification[J]]:
        """Which class of the episode the clip shows, awaited."""
        where = _path("episodes", id, "classify")
        return (yield from self._question(where, clip, asked, progress, EpisodeClassification))

    def submit_match(self, id: str, clip: Clip, asked: Fields) -> Steps[J]:
        answer = yield from self._send(_path("episodes", id, "classify"), clip, asked, wait=False)
        return self._job_of(answer)

    def rename_episode(self, id: str, name: str) -> Steps[EpisodeState]:
        call = Call(method="PATCH", path=_path("episodes", id), json={"name": name})
        return read(EpisodeState, (yield from self._ask(call)).json())

    def remove_example(self, id: str, example: str) -> Steps[None]:
        path = _path("episodes", id, "support", example)
        yield from self._ask(Call(method="DELETE", path=path, repeatable=False))

    def delete_episode(self, id: str) -> Steps[None]:
        yield from self._ask(Call(method="DELETE", path=_path("episodes", id), repeatable=False))

    # What they are made of.

    def _question(
        self, where: str, clip: Clip, asked: Fields, progress: JobProgress | None, kind: type[A]
    ) -> Steps[A]:
        """The answer to a clip; one request may do, where nobody is told of progress."""
        answer = yield from self._send(where, clip, asked, wait=progress is None)
        if answer.status == 200:
            return self._record(answer.json(), kind)
        state = yield from self._finished(read(JobState, answer.json()).id, progress)
        return self._result(state, kind)

    def _segments(self, id: str, threshold: float, format: SegmentsFormat) -> Steps[Answer]:
        params = {"threshold": str(threshold), "format": format}
        path = _path("jobs", id, "segments")
        return (yield from self._ask(Call(method="GET", path=path, params=params)))

    def _send(self, where: str, clip: Clip, asked: Fields, *, wait: bool) -> Steps[Answer]:
        wait_s = int(min(_WAIT_S, self.patience_s)) if wait else 0
        headers = _once() | {"Prefer": f"wait={wait_s}"}
        with ExitStack() as opened:
            part = "clip" if where == "/timelines" else None  # which takes nothing else
            form = [*_texts(asked), file_part(clip, opened, part=part)]
            call = Call(method="POST", path=where, headers=headers, form=form)
            return (yield from self._ask(call))

    def _teach(self, where: str, portion: list[Sample], fields: Fields) -> Steps[EpisodeState]:
        with ExitStack() as opened:
            form = [*_texts(fields), *support(portion, opened)]
            call = Call(method="POST", path=where, headers=_once(), form=form)
            return read(EpisodeState, (yield from self._ask(call)).json())

    def _job_of(self, answer: Answer) -> J:
        """Of an answer, or of a job that has none yet."""
        if answer.status == 200:
            return self.job(str(answer.json()["job"]))
        return self.job(read(JobState, answer.json()).id)

    def _result(self, state: JobState, kind: type[A]) -> A:
        if state.state == "cancelled":
            raise Problem.cancelled(state.id)
        if state.problem is not None:
            raise Problem.of_job(state.problem)
        has, lacks = "predictions", "classifies nothing"
        if kind is TimelineFound:
            has, lacks = "windows", "makes no timeline"
        if state.result is None or has not in state.result:
            raise InputError(f"job {state.id} {lacks}; it is of the kind {state.kind}")
        return self._record(state.result, kind)

    def _record(self, document: Mapping[str, Any], kind: type[A]) -> A:
        found = read(kind, document)
        return replace(found, job=self.job(str(found.job)), document=document)

    def _finished(self, id: str, progress: JobProgress | None) -> Steps[JobState]:
        """The job's final state; each state before it is told of as it comes.

        Of a timeline, patience begins anew with whatever has been looked at.
        """
        following = _Following(progress, self._deadline)
        state = yield from self._followed(id, following)
        while not (state and state.finished):
            self._expect_time(following.end, f"job {id} has not finished", job=id)
            state = yield from self._state(id, following.end)
            following.hear(state)
            if not state.finished:
                yield Pause(_POLL_S)
        return state

    def _followed(self, id: str, following: "_Following") -> Steps[JobState | None]:
        """By its events, each connection going on where the last one broke off.

        The state that was heard of last: not the final one where events do not come through, or
        time is over.
        """
        silent = 0
        while True:
            heard = following.heard
            outcome: Outcome = yield Call(
                method="GET",
                path=_path("jobs", id, "events"),
                headers=following.headers,
                silence_s=following.silence_s,
                listener=following.listener(),
            )
            if isinstance(outcome, Answer) and outcome.status != 200:
                break  # that there is no more to tell, or a problem: GET /jobs/{id} says which
            silent = 0 if following.heard > heard else silent + 1
            if silent == _SILENT or following.enough:
                break
            yield Pause(_PAUSES_S[silent])
        return following.state

    def _state(self, id: str, end: Deadline) -> Steps[JobState]:
        answer = yield from self._ask(Call(method="GET", path=_path("jobs", id)), end)
        return read(JobState, answer.json())

    def _ask(self, call: Call, end: Deadline | None = None) -> Steps[Answer]:
        """The answer; asked again, where that is safe, when it was lost or refused for now."""
        end = end or self._deadline()
        pauses = iter(_PAUSES_S)
        while True:
            outcome: Outcome = yield call
            if isinstance(outcome, Answer):
                self._met = True
                if outcome.status in call.takes:
                    return outcome
                problem = _problem(outcome)
                if not _passes(problem, call):
                    raise problem
                wait_s = problem.retry_after_s
                fault: Problem | Unreachable = problem
            else:
                # Where nobody has ever been, nobody is waited for: the address is wrong.
                self._met = self._met or outcome.sent
                fault, wait_s = self._unreachable(outcome), None
                if not self._met or (outcome.sent and not call.repeatable):
                    raise fault
            wait_s = next(pauses, None) if wait_s is None else wait_s
            if wait_s is None or wait_s > end.left_s:
                raise fault
            yield Pause(max(wait_s, _LEAST_PAUSE_S))

    def _unreachable(self, lost: Lost) -> Unreachable:
        if self._met:
            return Unreachable(
                f"the server at {self.url} does not answer any more ({lost.why}); see whether it "
                "runs, then ask again"
            )
        return Unreachable(
            f"no server at {self.url} ({lost.why}); start one with `pointaction serve`, or look at "
            "the address"
        )

    def _deadline(self) -> Deadline:
        return Deadline.after(self.patience_s)

    def _expect_time(self, end: Deadline, what: str, *, job: str | None = None) -> None:
        if end.over:
            raise OutOfPatience(
                f"{what} after {self.patience_s:.0f} s; wait for it again, or give the client more "
                "patience_s",
                job=job,
            )


class _Following:
    """What has been heard of a job over all connections."""

    def __init__(self, progress: JobProgress | None, patience: Callable[[], Deadline]) -> None:
        self.state: JobState | None = None
        self.heard = 0
        self.end = patience()
        self._patience = patience
        self._progress = progress
        self._last_id = ""

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Accept": "text/event-stream"}
        return headers | ({"Last-Event-ID": self._last_id} if self._last_id else {})

    @property
    def silence_s(self) -> float:
        """How long to listen to nothing."""
        return min(_HEARTBEATS_S, max(self.end.left_s, _LEAST_PAUSE_S))

    @property
    def enough(self) -> bool:
        """Whether nothing can follow, or nobody waits for it."""
        return self.end.over or (self.state is not None and self.state.finished)

    def listener(self) -> Callable[[bytes], bool]:
        """For one connection: half an event of another one is not gone on with."""
        reader = EventReader()

        def listen(chunk: bytes) -> bool:
            for event in reader.feed(chunk):
                self.hear(read(JobState, parse(event.data)))
                self._last_id = event.id
            return self.enough

        return listen

    def hear(self, state: JobState) -> None:
        self.heard += 1
        if state != self.state:
            gained = self.state is None or state.progress > self.state.progress
            if state.kind == "timeline" and gained:
                self.end = self._patience()
            self.state = state
            if self._progress:
                self._progress(state)


def _passes(problem: Problem, call: Call) -> bool:
    """Whether it is only for now. What is refused with 429 was not begun; with 503 it may be."""
    return problem.status == 429 or (problem.status in (502, 503) and call.repeatable)


def _problem(answer: Answer) -> Problem:
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):  # of what stands between us and the server
        said = answer.body[:200].decode(errors="replace")
        document = {"detail": f"the server answered {answer.status}: {said}"}
    return Problem(document, status=answer.status, retry_after_s=_retry_after_s(answer))


def _retry_after_s(answer: Answer) -> float | None:
    """As our servers say it, in seconds; a date, which others may send, is passed over."""
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdecimal() else None


def _path(*parts: str) -> str:
    """Whatever is in an id, it is one."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _once() -> dict[str, str]:
    """Makes a request that comes twice be done once."""
    return {"Idempotency-Key": uuid.uuid4().hex}


def _texts(fields: Fields) -> list[Part]:
    return [(name, (None, _text(value))) for name, value in fields.items() if value is not None]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tell(progress: EpisodeProgress | None, state: EpisodeState) -> None:
    if progress:
        progress(state)
