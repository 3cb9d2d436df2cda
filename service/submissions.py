"""From an upload to a job: idempotency, quarantine, cache, blob, record, queue. In this order.

What is answered with a job is not lost: its file is in the blob store, its record in Redis and
its message in the queue before anyone is told its id.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from prometheus_client import Counter

from pointaction.appearance.installed import expect_backbone
from pointaction.models import catalog
from pointaction.models.backends import computed
from pointaction.models.catalog import Entry, pixels_missing
from pointaction.timelines.scorer import expect_tracks_alone
from pointaction.timelines.timeline import Timeline
from service.access import Visitor
from service.problems import Refused
from service.reservations import Reservation, Reservations
from service.uploads import Upload
from workers.blobs import BlobStore, clip_name
from workers.episodes import EpisodeStore
from workers.errors import QueueDown
from workers.jobs import (
    ClassifyParams,
    ClipParams,
    Job,
    JobStore,
    MatchParams,
    OverlayParams,
    Params,
    State,
    TimelineParams,
)
from workers.looking import Looking, read_whole
from workers.making import Making, Media
from workers.question import Question
from workers.queue import Queue
from workers.results import CachedResult, ResultCache, answer, result_key, timeline_answer
from workers.settings import Settings

_MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and by which request."""

    visitor: Visitor
    request_id: str
    idempotency_key: str | None = None
    callback_url: str = ""  # where the end of the job is told; empty: nowhere

    def job(self, *, content: str, media: Media, params: Params) -> Job:
        """A new job of this caller's."""
        return Job.new(
            content=content,
            media=media,
            params=params,
            request_id=self.request_id,
            client=self.visitor.client,
            account=self.visitor.account,
            namespace=self.visitor.namespace,
            callback_url=self.callback_url,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Submissions:
    """Files jobs. Blocking; raises Refused, UnknownModel (NotInstalled too), NoRoom, QueueDown and
    redis.RedisError.
    """

    settings: Settings
    store: JobStore
    results: ResultCache
    blobs: BlobStore
    reservations: Reservations
    episodes: EpisodeStore
    queue: Queue
    questions: Counter  # by kind, model and outcome

    def classify(self, upload: Upload, params: ClassifyParams, caller: Caller) -> Job:
        """The job for this upload: the earlier one of the same key, an answered or a queued one."""
        entry, making = self.methods(upload.media, params)

        def answered(job: Job) -> Job | None:
            key = result_key(job.cached_as, making, model_digest=entry.answers)
            known = self.results.get(key)
            return _classified(job, known, params) if known else None

        return self._file(upload, params, caller, model=entry.name, answered=answered)

    def match(self, upload: Upload, params: MatchParams, caller: Caller) -> Job:
        """The same for a query of an episode, which waits for the examples of that."""
        entry, _ = self.methods(upload.media, params)
        return self._file(upload, params, caller, model=entry.name, answered=lambda job: None)

    def timeline(self, upload: Upload, params: TimelineParams, caller: Caller) -> Job:
        """The same for a long video."""
        expect_tracks_alone(catalog.find(self.settings.model_store, params.model))
        entry, _ = self.methods("clip", params)
        question = Question.of(params, entry, self.settings, self.episodes)

        def answered(job: Job) -> Job | None:
            blob = question.blob(job.cached_as)
            known = read_whole(self.blobs.get(blob))
            return _looked_through(job, known, blob) if known else None

        return self._file(upload, params, caller, model=entry.name, answered=answered)

    def methods(self, media: Media, by: ClipParams) -> tuple[Entry, Making]:
        """What is asked for; UnknownModel or NotInstalled where it is not there."""
        settings = self.settings
        entry = catalog.find(settings.model_store, by.model)
        entry = computed(entry, settings.backend, settings.data_dir)
        if entry.looks and media == "tracks":
            raise pixels_missing(entry)
        expect_backbone(self.settings.model_store, entry)
        if not entry.follows:
            return entry, Making.none()
        making = Making.of(
            self.settings, media, points=by.points, tracker=by.tracker, depth=by.depth
        )
        return entry, making

    def check_allowed(self, content: str, subject: str = "this file") -> None:
        """Refuse what has killed workers; `subject` is what the file is called."""
        if self.store.quarantined(content):
            raise Refused(
                "quarantined",
                f"{subject} has killed workers before and is refused until an operator releases it",
                value=content,
            )

    def _file(
        self,
        upload: Upload,
        params: ClassifyParams | TimelineParams,
        caller: Caller,
        *,
        model: str,
        answered: Callable[[Job], Job | None],
    ) -> Job:
        """`answered` gives the job with its answer, where that is at hand."""
        name = reserved_name(caller)
        room = replace(caller.visitor.room, place=name or "")
        job = caller.job(content=upload.sha256, media=upload.media, params=params)
        mine = Reservation(job=job.id, payload=_payload(upload, params, caller))
        if name and (earlier := self._earlier(name, mine)):
            return earlier
        self.check_allowed(upload.sha256)
        job = answered(job) or job
        if not job.state.finished:
            # Seen again when it is filed; here so that no file is kept for nothing.
            self.store.check_room(job.account, 1, room)
        self._keep_file(upload, answered=job.state.finished)
        if isinstance(params, MatchParams):
            self.store.create(job, held=True, room=room)
            self.episodes.hold(params.episode, job.id)
        else:
            self.store.create(job, room=room)
        if name:
            winner = self.reservations.take(name, mine)
            if winner != mine and (earlier := self._replay(name, winner, mine)):
                self.store.delete(job)
                return earlier
        job = self._queue(job, name=name, reservation=mine)
        self.questions.labels(job.kind, model, "cached" if job.state.finished else "queued").inc()
        return job

    def draw(self, params: OverlayParams, of: Job, *, name: str, caller: Caller) -> Job:
        """The job that draws the overlay `name`; one for each client, however often it asks."""
        name = f"{caller.visitor.client}:{name}"  # a job of somebody else's could not be followed
        if (holder := self.reservations.holder(name)) and (job := self.store.get(holder.job)):
            return job
        job = caller.job(content=of.content, media=of.media, params=params)
        mine = Reservation(job=job.id)
        if holder:
            self.reservations.release(name, holder)
        self.store.create(job, room=caller.visitor.room)
        winner = self.reservations.take(name, mine)
        if winner != mine and (theirs := self.store.get(winner.job)):
            self.store.delete(job)
            return theirs
        self.store.redis.sadd(_drawings_key(of), job.id)
        self.store.redis.expire(_drawings_key(of), self.store.ttl_s)
        return self._queue(job, name=name, reservation=mine)

    def drawings(self, of: Job) -> list[Job]:
        """The jobs that drew overlays of this one, as long as their records live."""
        ids = cast("set[str]", self.store.redis.smembers(_drawings_key(of)))
        return [job for job in map(self.store.get, ids) if job]

    def _queue(self, job: Job, *, name: str | None, reservation: Reservation) -> Job:
        if job.state is not State.QUEUED:
            return job
        try:
            if job.kind == "match":
                self.episodes.let_go(self.queue, str(job.params["episode"]))
            else:
                self.queue.submit(job.id)
        except QueueDown:
            # Nothing was accepted, so nothing must look as if it had been.
            if name:
                self.reservations.release(name, reservation)
            self.store.delete(job)
            raise
        return job

    def _keep_file(self, upload: Upload, *, answered: bool) -> None:
        """Put the file where the worker looks, with its time of life begun anew.

        An answered job needs it only for drawings, so there an older copy will do.
        """
        name = clip_name(upload.sha256)
        if not (answered and self.blobs.exists(name)):
            self.blobs.put_file(upload.path, name)

    def _earlier(self, name: str, mine: Reservation) -> Job | None:
        holder = self.reservations.holder(name)
        return self._replay(name, holder, mine) if holder else None

    def _replay(self, name: str, holder: Reservation, mine: Reservation) -> Job | None:
        """The job of an earlier request with the same key; None when it is gone since."""
        if holder.payload != mine.payload:
            raise Refused(
                "idempotency-mismatch",
                "this Idempotency-Key came with another file or other options before; "
                "use a new key for a new question",
                job=holder.job,
            )
        job = self.store.get(holder.job)
        if job is None:
            self.reservations.release(name, holder)
        return job


def _drawings_key(of: Job) -> str:
    return f"job:{of.id}:drawings"


def _classified(job: Job, known: CachedResult, params: ClassifyParams) -> Job:
    result = answer(job.id, known, top_k=params.top_k, attention=params.attention, cached=True)
    return _answered(job, result)


def _looked_through(job: Job, known: Timeline, blob: str) -> Job:
    job = _answered(job, timeline_answer(job.id, known, cached=True))
    return job.model_copy(update={"looking": Looking.whole(known, blob)})


def _answered(job: Job, result: dict[str, Any]) -> Job:
    return job.model_copy(
        update={
            "state": State.SUCCEEDED,
            "progress": 1.0,
            "finished_at": time.time(),
            "timings_ms": result["timings_ms"],
            "result": result,
        }
    )


def _payload(upload: Upload, params: ClassifyParams | TimelineParams, caller: Caller) -> str:
    # The examples of an episode are as they are by then; nobody asks for them one by one.
    asked = params.model_dump(exclude={"examples"})
    question = [upload.sha256, upload.media, asked, caller.callback_url]
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


def reserved_name(caller: Caller, of: str = "") -> str | None:
    """Under which name the caller's key is kept; `of` sets apart what is no question."""
    key = caller.idempotency_key
    if key is None:
        return None
    if not 0 < len(key) <= _MAX_KEY_LENGTH:
        raise Refused(
            "invalid-request",
            f"Idempotency-Key must have 1 to {_MAX_KEY_LENGTH} characters",
            limit=_MAX_KEY_LENGTH,
            value=len(key),
        )
    digest = hashlib.sha256(f"{of}{caller.visitor.account}\n{key}".encode()).hexdigest()
    return f"idempotency:{digest}"
