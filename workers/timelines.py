"""What is done when in a long video, a turn at a time.

A turn goes on where the last one stopped, and ends when its time is over, sooner where others wait:
then the job is at the end of the queue again, and no time limit has to be as long as a video. What
is found is filed every few seconds, so a worker that is killed costs no more than that.
"""

import io
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import redis

from pointaction.depth.lifters import DEFAULT_DEPTH
from pointaction.errors import InputError
from pointaction.timelines.plan import Plan
from pointaction.timelines.scorer import Scores
from pointaction.timelines.timeline import Timeline
from workers.blobs import clip_name, part_name
from workers.classify import gone
from workers.episodes import Example
from workers.examples import learnt
from workers.jobs import Job, TimelineParams
from workers.logs import logger
from workers.looking import Looking, Share, read_whole, so_far
from workers.process import Process, Viewing
from workers.progress import Cancelled, Progress
from workers.question import Question
from workers.results import timeline_answer

_FILE_EVERY_S = 2.0
_LEAST_TURN_S = 5.0  # entering a video anew costs some tenths of a second

log = logger(__name__)


class TurnOver(Exception):
    """The job has had its turn; what it has found is filed, and there is more to find."""


def timeline(process: Process, job: Job, progress: Progress) -> dict[str, Any]:
    """The `TimelineFound` of the HTTP contract, for a job of kind "timeline"; TurnOver while there
    is more to look at.
    """
    params = TimelineParams.model_validate(job.params)
    entry = process.entry(params.model)
    question = Question.of(params, entry, process.settings, process.episodes)
    turn = _Turn(process, job, progress, question)
    if turn.looking is None and (known := kept(process, turn.blob)):
        turn.file(Looking.whole(known, turn.blob))
        return timeline_answer(job.id, known, cached=True)
    turn.take()
    found = turn.end()
    return timeline_answer(job.id, found, cached=False)


def kept(process: Process, blob: str) -> Timeline | None:
    """The scores that another job has found."""
    known = read_whole(process.blobs.get(blob))
    process.tally.looked_up("timeline", found=known is not None)
    return known


@dataclass
class _Turn:
    """A turn of one job."""

    process: Process
    job: Job
    progress: Progress
    question: Question
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.blob = self.question.blob(self.job.cached_as)
        looking = self.job.looking
        # What another model, say, has found in earlier turns is not gone on with.
        same = looking is not None and looking.plan is not None and looking.by == self.blob
        self.looking = looking if same else None

    def take(self) -> None:
        """Look on, to the end of the video; TurnOver where time is over before."""
        if self.looking and self.looking.complete:
            return
        try:
            with self.process.blobs.local_path(clip_name(self.job.content)) as path:
                self._look(path)
        except FileNotFoundError:
            raise gone(self.job.content) from None

    def _look(self, path: Path) -> None:
        viewing = self._viewing()
        plan, looking = self._planned(viewing, path)
        found = _Found(self, plan, looking)
        self.progress("timeline", found.done / looking.windows)
        with closing(viewing.view(plan, since=looking.done)) as parts:
            while True:
                since = time.monotonic()
                scores = next(parts, None)
                if scores is None:
                    return
                found.add(scores, seconds=time.monotonic() - since)
                self.progress("timeline", found.done / looking.windows)
                ends = self._is_over(plan) or found.done == looking.windows
                if ends or found.due:
                    found.file(last=ends)
                if ends and found.done < looking.windows:
                    raise TurnOver

    def _is_over(self, plan: Plan) -> bool:
        """Soon where others wait; but not of a video that is read from its beginning, or fetched
        from elsewhere, in every turn.
        """
        settings, spent_s = self.process.settings, time.monotonic() - self.begun
        if spent_s >= min(settings.turn_s, settings.soft_time_limit_s / 2):
            return True
        entered = plan.stamps is not None and self.process.blobs.local
        return entered and spent_s >= _LEAST_TURN_S and self._others_wait()

    def _others_wait(self) -> bool:
        try:
            return bool(self.process.jobs.waiting(1))
        except redis.RedisError:
            return False

    def _viewing(self) -> Viewing:
        process, making = self.process, self.question.making
        assert making.points
        assert making.tracker
        assert making.depth
        self.progress("load", self.job.progress)
        classes, head = None, self.question.head
        if self.question.episode:
            assert head
            classes = learnt(
                process, self.question.episode, self.question.entry, head, self._examples(),
                self.progress,
            )  # fmt: skip
        # Looming is made of each window by itself, as models have learnt it.
        looming = making.depth.name == DEFAULT_DEPTH
        return process.library.open_viewing(
            process.recogniser(self.question.entry),
            process.points(making.points),
            process.tracker(making.tracker),
            None if looming else process.lifter(making.depth),
            tracker_name=making.tracker.name,
            tracks=self.question.params.tracks,
            classes=classes,
            head=process.head(head) if head else None,
        )

    def _examples(self) -> list[Example]:
        """Those by which it was asked, so that all turns tell the same classes apart."""
        params = self.question.params
        there = {
            each.id: each
            for each in self.process.episodes.examples(params.episode)
            if each.state == "ready"
        }
        if any(id not in there for id in params.examples):
            raise InputError(
                "an example was taken out of the episode since the timeline was asked for; ask "
                "again",
                kind="example-gone",
            )
        return [there[id] for id in params.examples]

    def _planned(self, viewing: Viewing, path: Path) -> tuple[Plan, Looking]:
        """The video's windows, which are found once for all turns."""
        if self.looking:
            assert self.looking.plan
            return Plan.from_json(self.looking.plan, path=path), self.looking
        params = self.question.params
        self.progress("plan", 0.0)
        plan = viewing.plan(
            path, sha256=self.job.content, window_s=params.window_s, step_s=params.step_s
        )
        self.file(
            Looking(
                plan=plan.to_json(),
                by=self.blob,
                windows=plan.windows.count,
                duration_s=plan.source.duration_s,
                labels=viewing.labels,
            )
        )
        assert self.looking
        return plan, self.looking

    def end(self) -> Timeline:
        """Put all that was found into one file, which the next who asks gets at once."""
        process, looking = self.process, self.looking
        assert looking
        assert looking.plan
        found = so_far(process.blobs, looking)
        if found is None:
            raise gone(self.job.content)
        self.progress.enter("")
        plan = Plan.from_json(looking.plan, path=Path())
        found = replace(found, made=self._made(plan))
        process.blobs.put(_as_file(found), self.blob)
        # Whoever comes after a worker that died here does the same again.
        share = Share(since=0, stop=looking.windows, blob=self.blob)
        self.file(looking.model_copy(update={"shares": (share,)}))
        process.blobs.delete_timelines(self.job.cached_as, self.job.id)
        return found

    def _made(self, plan: Plan) -> dict[str, Any]:
        source = plan.source
        clip = {
            "sha256": self.job.content,
            "duration_s": source.duration_s,
            "frames": source.frames,
            "width": source.width,
            "height": source.height,
        }
        spent = self.progress.timings_ms
        stages = {*self.job.timings_ms, *spent} - {"queue"}
        timings = {
            stage: round(self.job.timings_ms.get(stage, 0) + spent.get(stage, 0), 2)
            for stage in sorted(stages)
        }
        return {"clip": clip, **self.question.made(), "timings_ms": timings}

    def file(self, looking: Looking, *, expected_s: float | None = None) -> None:
        """Put into the record what is known; Cancelled where the job is not ours any more."""
        lease = self.progress.lease
        if not lease.jobs.look(lease.job_id, lease.holder, looking, expected_s=expected_s):
            raise Cancelled
        self.looking = looking


class _Found:
    """What a turn has found so far."""

    def __init__(self, turn: _Turn, plan: Plan, looking: Looking) -> None:
        self.turn = turn
        self.plan = plan
        self.looking = looking
        self.since = self.done = looking.done
        self._scores: list[Scores] = []
        self._took: list[tuple[int, float]] = []  # windows, seconds
        self._filed_at = time.monotonic()
        job = turn.job
        self._expected_before_s = job.expected_s
        # A name of its own: whoever else is at the same windows, having lost the job, writes there.
        self._blob = part_name(job.cached_as, job.id, uuid.uuid4().hex)

    def add(self, scores: Scores, *, seconds: float) -> None:
        self._scores.append(scores)
        self._took.append((len(scores.shares), seconds))
        self.done += len(scores.shares)

    @property
    def due(self) -> bool:
        return time.monotonic() - self._filed_at >= _FILE_EVERY_S

    @property
    def expected_s(self) -> float:
        """What is left will take, at the pace of this turn, or of the last one as long as there is
        none: the first piece of a turn takes longer than others.
        """
        pace = self._took[1:] or self._took
        if len(self._took) == 1 and self._expected_before_s is not None:
            pace = [(self.looking.windows - self.since, self._expected_before_s)]
        windows, seconds = (sum(each) for each in zip(*pace, strict=True))
        return seconds / windows * (self.looking.windows - self.done)

    def file(self, *, last: bool) -> None:
        """First the file, then the record that it counts by, which may wait but for the `last`."""
        part = Timeline.of(
            self._scores,
            self.looking.labels,
            self.plan.windows,
            duration_s=self.looking.duration_s,
            since=self.since,
        )
        self.turn.process.blobs.put(_as_file(part), self._blob)
        looking = self.looking.filed(Share(since=self.since, stop=self.done, blob=self._blob))
        self._filed_at = time.monotonic()
        try:
            self.turn.file(looking, expected_s=self.expected_s)
        except redis.RedisError:
            if last:
                raise
            log.warning("what was found could not be filed; it will be with what comes next")


def _as_file(found: Timeline) -> bytes:
    file = io.BytesIO()
    found.save(file, rounded=True)
    return file.getvalue()
