"""Episodes: taught, asked, shown, forgotten."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from pointaction.fewshot.heads import HEADS, expect_comparable
from pointaction.models import catalog
from service.problems import Refused
from service.reservations import Reservation, Reservations
from service.results import Remains
from service.samples import Sample
from service.submissions import Caller, Submissions, reserved_name
from service.uploads import Upload
from workers.blobs import BlobStore, clip_name
from workers.episodes import MIN_CLASSES, Episode, EpisodeStore, Example, joined
from workers.errors import QueueDown
from workers.jobs import ClipParams, ExampleParams, Job, JobStore, MatchParams
from workers.queue import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An example, and the job that is to describe it."""

    sample: Sample
    example: Example
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """Blocking; raises Refused, InputError, UnknownModel (NotInstalled too), NoRoom, QueueDown and
    redis.RedisError.
    """

    records: EpisodeStore
    jobs: JobStore
    blobs: BlobStore
    submissions: Submissions
    remains: Remains
    reservations: Reservations
    queue: Queue

    def create(self, episode: Episode, samples: Sequence[Sample], caller: Caller) -> Episode:
        """File the episode and queue its examples, or be given the earlier one of the same key."""
        episode = self._settled(episode)
        name = reserved_name(caller, "episodes\n")
        mine = Reservation(job=episode.id, payload=_payload(episode, samples))
        if name and (earlier := self._earlier(name, mine)):
            return earlier
        self._check(episode, samples)
        drafts = _drafts(episode, samples, caller)
        drafts = _of(joined([], [draft.example for draft in drafts]), drafts)
        self._file(drafts, caller)
        self.records.create(episode, [draft.example for draft in drafts])
        if name:
            winner = self.reservations.take(name, mine)
            if winner != mine and (earlier := self._replay(name, winner, mine)):
                self._forget(episode, drafts)
                return earlier
        try:
            self._submit(drafts)
        except QueueDown:
            # Nothing was accepted, so nothing must look as if it had been.
            if name:
                self.reservations.release(name, mine)
            self._forget(episode, drafts)
            raise
        return episode

    def add(self, episode: Episode, samples: Sequence[Sample], caller: Caller) -> None:
        """Queue more examples. One that has failed may be sent again, and takes its old place."""
        self._check(episode, samples)
        drafts = _drafts(episode, samples, caller)
        known = self.records.examples(episode.id)
        contents = {sample.content for sample in samples}
        again = [each for each in known if each.state == "failed" and each.content in contents]
        rest = [each for each in known if each not in again]
        drafts = _of(joined(rest, [draft.example for draft in drafts]), drafts)
        self._file(drafts, caller)
        for each in again:
            self.records.remove(episode.id, each.id)
        added = self.records.add(episode.id, [draft.example for draft in drafts])
        filed = _of(added or [], drafts)
        for draft in drafts:
            if draft not in filed:  # somebody else has just sent the same, or deleted the episode
                self.jobs.delete(draft.job)
        if added is None:
            raise gone(episode.id)
        try:
            self._submit(filed)
        except QueueDown:
            for draft in filed:
                self.records.remove(episode.id, draft.example.id)
                self.jobs.delete(draft.job)
            raise

    def remove(self, episode: Episode, example_id: str) -> None:
        """Take an example out; Refused where too few classes would be left."""
        examples = self.records.examples(episode.id)
        example = next((each for each in examples if each.id == example_id), None)
        if example is None:
            raise Refused(
                "not-found",
                f"the episode has no example {example_id[:64]!r}",
                value=example_id[:64],
            )
        left = {each.label for each in examples if each.id != example_id}
        if len(left) < MIN_CLASSES:
            raise Refused(
                "too-few-classes",
                f"it is the last example of {example.label!r}, and an episode needs "
                f"{MIN_CLASSES} classes; add another one first, or delete the episode",
                limit=MIN_CLASSES,
                value=len(left),
            )
        self.records.remove(episode.id, example.id)
        self.blobs.delete_example(episode.id, example.id)
        self._forget_job(example)
        self.records.let_go(self.queue, episode.id)

    def rename(self, episode: Episode, name: str) -> Episode:
        """The same under another name."""
        renamed = self.records.rename(episode.id, name)
        if renamed is None:
            raise gone(episode.id)
        return renamed

    def delete(self, episode: Episode) -> None:
        """Forget it, its examples, and their clips unless another job has the same content."""
        examples = self.records.examples(episode.id)
        self.records.delete(episode.id)
        self.blobs.delete_episode(episode.id)
        for example in examples:
            self._forget_job(example)
        self.records.let_go(self.queue, episode.id)  # to be told that the episode is gone

    def ended(self, job: Job) -> None:
        """After a job was cancelled: queries that waited for nothing else may go."""
        with suppress(QueueDown):  # then a worker's sweep lets them go
            self.records.ended(self.queue, job)

    def match(
        self, episode: Episode, upload: Upload, *, top_k: int, attention: bool, caller: Caller
    ) -> Job:
        """The job that says which class of the episode an upload is."""
        params = MatchParams(
            **_seen_by(episode).model_dump(),
            top_k=top_k,
            attention=attention,
            episode=episode.id,
        )
        return self.submissions.match(upload, params, caller)

    def _settled(self, episode: Episode) -> Episode:
        """With the model that an alias stands for now: what is taught stays with that."""
        entry = catalog.find(self.submissions.settings.model_store, episode.model)
        expect_comparable(entry)
        if episode.model in (entry.name, entry.pinned):
            return episode
        return episode.model_copy(update={"model": entry.name})

    def _check(self, episode: Episode, samples: Sequence[Sample]) -> None:
        by = _seen_by(episode)
        for media in {sample.media for sample in samples}:
            self.submissions.methods(media, by)
        settings = self.submissions.settings
        HEADS[episode.head].used(settings.model_store, settings.running)
        for sample in samples:
            self.submissions.check_allowed(sample.content, sample.subject)
            if sample.path is None and not self.blobs.exists(clip_name(sample.content)):
                raise Refused("expired", f"{sample.subject} has expired; send it as 'support'")

    def _file(self, drafts: Sequence[Draft], caller: Caller) -> None:
        """Put the files where the worker looks, and the records where it asks."""
        visitor = caller.visitor
        # Seen again when they are filed; here so that no file is kept for nothing.
        self.jobs.check_room(visitor.account, len(drafts), visitor.room)
        for draft in drafts:
            if draft.sample.path is not None:
                self.blobs.put_file(draft.sample.path, clip_name(draft.sample.content))
        self.jobs.create_all([draft.job for draft in drafts], room=visitor.room)

    def _submit(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            self.queue.submit(draft.job.id)

    def _forget(self, episode: Episode, drafts: Sequence[Draft]) -> None:
        self.records.delete(episode.id)
        for draft in drafts:
            self.jobs.delete(draft.job)

    def _forget_job(self, example: Example) -> None:
        if job := self.jobs.get(example.job):
            self.jobs.cancel(job.id)
            self.remains.remove(job)

    def _earlier(self, name: str, mine: Reservation) -> Episode | None:
        holder = self.reservations.holder(name)
        return self._replay(name, holder, mine) if holder else None

    def _replay(self, name: str, holder: Reservation, mine: Reservation) -> Episode | None:
        """The episode of an earlier request with the same key; None when it is gone since."""
        if holder.payload != mine.payload:
            raise Refused(
                "idempotency-mismatch",
                f"this Idempotency-Key came with other examples before, for episode {holder.job}; "
                "use a new key for a new episode",
            )
        episode = self.records.get(holder.job)
        if episode is None:
            self.reservations.release(name, holder)
        return episode


def gone(episode_id: str) -> Refused:
    """There is none, or it is somebody else's, which is nobody's business."""
    shown = episode_id[:64]
    return Refused("not-found", f"there is no episode {shown!r}", value=shown)


def _drafts(episode: Episode, samples: Sequence[Sample], caller: Caller) -> list[Draft]:
    return [_draft(episode, sample, caller) for sample in samples]


def _draft(episode: Episode, sample: Sample, caller: Caller) -> Draft:
    by, example_id = _seen_by(episode), uuid.uuid4().hex
    job = caller.job(
        content=sample.content,
        media=sample.media,
        params=ExampleParams(**by.model_dump(), episode=episode.id, example=example_id),
    )
    example = Example(
        id=example_id,
        label=sample.label,
        name=sample.name,
        content=sample.content,
        media=sample.media,
        job=job.id,
    )
    return Draft(sample=sample, example=example, job=job)


def _of(kept: Sequence[Example], drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts of the examples that were kept."""
    ids = {example.id for example in kept}
    return [draft for draft in drafts if draft.example.id in ids]


def _seen_by(episode: Episode) -> ClipParams:
    return ClipParams(
        model=episode.model, points=episode.points, tracker=episode.tracker, depth=episode.depth
    )


def _payload(episode: Episode, samples: Sequence[Sample]) -> str:
    """A digest of what is taught, whatever ids it was given."""
    facts = [episode.name, episode.head, _seen_by(episode).model_dump()]
    taught = [[sample.content, sample.media, sample.label] for sample in samples]
    return hashlib.sha256(json.dumps([facts, taught]).encode()).hexdigest()
