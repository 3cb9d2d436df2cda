"""Timelines of long videos: asked for, and read while they grow."""

from collections.abc import Sequence
from dataclasses import dataclass

from pointaction.timelines.timeline import Timeline
from service.problems import Refused
from service.results import expired
from service.submissions import Caller, Submissions
from service.uploads import Upload
from workers.blobs import BlobStore
from workers.episodes import EpisodeStore, Example
from workers.jobs import Job, JobStore, TimelineParams
from workers.looking import so_far

_TRIES = 3  # to read the files that a record names, before the worker has put others in their place


@dataclass(frozen=True, slots=True, kw_only=True)
class Timelines:
    """Blocking; raises Refused, InputError, UnknownModel (NotInstalled too), NoRoom, QueueDown and
    redis.RedisError.
    """

    store: JobStore
    blobs: BlobStore
    records: EpisodeStore
    submissions: Submissions

    def create(self, upload: Upload, params: TimelineParams, caller: Caller) -> Job:
        """The job for this video: an earlier, an answered or a queued one.

        By the examples that an episode has now, where one is asked for.
        """
        if params.episode:
            examples = self._examples(params.episode)
            ids = tuple(each.id for each in examples)
            params = params.model_copy(update={"examples": ids})
        return self.submissions.timeline(upload, params, caller)

    def so_far(self, job: Job) -> tuple[Job, Timeline | None]:
        """What is known of the job's video, and the job as it was then; None: nothing yet."""
        if job.kind != "timeline":
            raise Refused(
                "no-timeline",
                f"job {job.id} is no timeline but of the kind {job.kind}; POST /timelines makes "
                "timelines",
                value=job.kind,
                job=job.id,
            )
        for _ in range(_TRIES):
            if job.looking is None:
                _expect_more(job)
                return job, None
            if (found := so_far(self.blobs, job.looking)) is not None:
                return job, found
            job = self.store.get(job.id) or job
        raise expired(job, "scores")

    def _examples(self, episode_id: str) -> Sequence[Example]:
        """All of an episode that could be described; Refused while some may yet be."""
        examples = self.records.examples(episode_id)
        pending = sum(each.state == "pending" for each in examples)
        if pending:
            raise Refused(
                "episode-not-ready",
                f"{pending} of {len(examples)} examples are not described yet; ask again when "
                f"GET /episodes/{episode_id} says that none is pending",
                limit=0,
                value=pending,
            )
        ready = [each for each in examples if each.state == "ready"]
        classes = len({each.label for each in ready})
        if classes < 2:
            raise Refused(
                "too-few-classes",
                f"the examples that could be read are of {classes} classes, and two are needed; "
                f"GET /episodes/{episode_id} says what was wrong with the others",
                limit=2,
                value=classes,
            )
        return ready


def _expect_more(job: Job) -> None:
    """Refused where nothing is known of a video, and nothing more will be."""
    if job.state.finished:
        raise Refused(
            "no-result",
            f"job {job.id} is {job.state}; GET /jobs/{job.id} says why",
            value=job.state.value,
            job=job.id,
        )
