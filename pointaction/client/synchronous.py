"""A server, asked in turn."""

import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, TypeVar, Unpack

import httpx

from pointaction.client import wire
from pointaction.client.conversation import (
    Asked,
    Conversation,
    EpisodeProgress,
    Format,
    JobProgress,
    SeenBy,
    Shown,
    Windows,
)
from pointaction.client.records import (
    Attention,
    CatalogueEntry,
    Classification,
    EpisodeClassification,
    EpisodeState,
    Health,
    JobState,
    Segments,
    TimelineFound,
)
from pointaction.client.sources import Clip, Teaching, Video
from pointaction.client.steps import Call, Outcome, Pause, Steps
from pointaction.tracks import Tracks

T = TypeVar("T")


class Client:
    """The server at `url`, with an API key where it asks for one.

    What was lost on the way, or refused for now (429, 502, 503), is sent again when the server says
    so, or after growing pauses; never so that anything is done twice. `patience_s` bounds how long
    an answer, or the end of a job, is waited for, but cuts off no transfer. Raises
    PointActionError: see `pointaction.client.problems`. A client may be used from several threads.
    """

    def __init__(self, url: str, key: str | None = None, *, patience_s: float = 600.0) -> None:
        self._http = httpx.Client(**wire.connection(url, key))
        self._talk: Conversation[Job] = Conversation(url, patience_s=patience_s, job=self.job)

    def classify(
        self, clip: Clip, *, progress: JobProgress | None = None, **asked: Unpack[Asked]
    ) -> Classification["Job"]:
        """What is being done in `clip`: a path, bytes, or Tracks, of which no picture is sent.

        `progress` is given the job's state at every change. `asked` is model, points, tracker,
        depth, top_k, attention and callback_url, as POST /classify has them.
        """
        return self._run(self._talk.classify(clip, asked, progress))

    def submit(self, clip: Clip, **asked: Unpack[Asked]) -> "Job":
        """The same without waiting: the job that will have the answer."""
        return self._run(self._talk.submit(clip, asked))

    def timeline(
        self, video: Video, *, progress: JobProgress | None = None, **asked: Unpack[Windows]
    ) -> TimelineFound["Job"]:
        """What is done when in a video of up to hours, once it has been looked through.

        `answer.job.segments(threshold)` says it, whatever the threshold. `progress` is given the
        job's state at every change, and `patience_s` begins anew with everything looked at. `asked`
        is model, or an episode's id, points, tracker, depth, tracks, window_s, step_s and
        callback_url, as POST /timelines has them.
        """
        return self._run(self._talk.timeline(video, asked, progress))

    def submit_timeline(self, video: Video, **asked: Unpack[Windows]) -> "Job":
        """The same without waiting: the job, whose `segments` grow meanwhile."""
        return self._run(self._talk.submit_timeline(video, asked))

    def job(self, id: str) -> "Job":
        """A job by its id; nothing is asked yet."""
        return Job(id, self)

    def create_episode(
        self,
        examples: Teaching,
        *,
        name: str = "",
        head: str | None = None,
        progress: EpisodeProgress | None = None,
        **seen_by: Unpack[SeenBy],
    ) -> "Episode":
        """Teach actions: label -> clips, or jobs that have seen one (`answer.job`, `job(id)`).

        Its examples are described while one goes on; `Episode.wait` waits for that, and so does
        the first question. Large numbers are sent in several requests: all of them or nothing.
        """
        fields = {"name": name, "head": head, **seen_by}
        state = self._run(self._talk.create_episode(examples, fields, progress))
        return self.episode(state.id)

    def episode(self, id: str) -> "Episode":
        """An episode by its id; nothing is asked yet."""
        return Episode(id, self)

    def episodes(self) -> list[EpisodeState]:
        """Those that this key has made, the newest first."""
        return self._run(self._talk.episodes())

    def models(self) -> list[CatalogueEntry]:
        """What can be asked for, with its licence, and what could be installed."""
        return self._run(self._talk.models())

    def health(self) -> Health:
        """Whether the server is ready, and what is not."""
        return self._run(self._talk.health())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, steps: Steps[T]) -> T:
        with closing(steps):
            try:
                step = next(steps)
                while True:
                    step = steps.send(self._take(step))
            except StopIteration as end:
                return end.value

    def _take(self, step: Call | Pause) -> Outcome | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            with self._http.stream(**wire.request(step)) as response:
                if step.listener and response.status_code == 200:
                    any(step.listener(chunk) for chunk in response.iter_bytes())
                    return wire.answer(response, b"")
                return wire.answer(response, response.read())
        except httpx.TransportError as error:
            return wire.lost(error)


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a server, and what belongs to it. Ask while its record lives: a day."""

    id: str
    _client: Client = field(repr=False)

    def state(self) -> JobState:
        """As it is now."""
        return self._client._run(self._client._talk.job_state(self.id))

    def wait(self, *, progress: JobProgress | None = None) -> Classification["Job"]:
        """Its answer; an EpisodeClassification where an episode was asked."""
        return self._client._run(self._client._talk.wait(self.id, progress))

    def wait_timeline(self, *, progress: JobProgress | None = None) -> TimelineFound["Job"]:
        """The same of a job that looks through a long video."""
        return self._client._run(self._client._talk.wait_timeline(self.id, progress))

    def end(self) -> None:
        """Cancel it; of one that has finished, delete the data."""
        self._client._run(self._client._talk.end(self.id))

    def segments(self, threshold: float = 0.5) -> Segments:
        """Of a timeline: when what is done, as far as the video has been looked through."""
        return self._client._run(self._client._talk.segments(self.id, threshold))

    def save_segments(self, target: str | Path, threshold: float = 0.5) -> None:
        """The same to a file, whose name ends with .json, .csv, .vtt or .eaf (ELAN)."""
        self._client._run(self._client._talk.save_segments(self.id, target, threshold))

    def clip(self) -> bytes:
        """What was sent, as long as it is kept; not where it was tracks."""
        return self._client._run(self._client._talk.clip(self.id))

    def attention(self) -> Attention:
        """Where the model looked, as arrays."""
        return self._client._run(self._client._talk.attention(self.id))

    def tracks(self) -> Tracks:
        """The points that were followed."""
        return self._client._run(self._client._talk.tracks(self.id))

    def overlay(self, *, head: int | Literal["mean"] = "mean", format: Format = "mp4") -> bytes:
        """The tracks drawn on the clip, the weight of each as its colour: a video or a sheet."""
        return self._client._run(self._client._talk.overlay(self.id, head, format))

    def save_overlay(self, target: str | Path, *, head: int | Literal["mean"] = "mean") -> None:
        """The same to a file, whose name ends with .png or .mp4."""
        self._client._run(self._client._talk.save_overlay(self.id, target, head))


@dataclass(frozen=True, slots=True)
class Episode:
    """Actions of one's own. It lasts until it is deleted."""

    id: str
    _client: Client = field(repr=False)

    def classify(
        self, clip: Clip, *, progress: JobProgress | None = None, **shown: Unpack[Shown]
    ) -> EpisodeClassification[Job]:
        """Which of its classes the clip shows, or that it likely shows none of them."""
        return self._client._run(self._client._talk.match(self.id, clip, shown, progress))

    def submit(self, clip: Clip, **shown: Unpack[Shown]) -> Job:
        """The same without waiting: the job that will have the answer."""
        return self._client._run(self._client._talk.submit_match(self.id, clip, shown))

    def add(self, examples: Teaching, *, progress: EpisodeProgress | None = None) -> EpisodeState:
        """Add examples, of classes that are there or of new ones; those that failed are retried."""
        return self._client._run(self._client._talk.add_examples(self.id, examples, progress))

    def state(self) -> EpisodeState:
        """Its classes with their examples: which are ready, which could not be read and why."""
        return self._client._run(self._client._talk.episode_state(self.id))

    def wait(self, *, progress: EpisodeProgress | None = None) -> EpisodeState:
        """The same, once no example is pending."""
        return self._client._run(self._client._talk.described(self.id, progress))

    def rename(self, name: str) -> EpisodeState:
        """Give it another name."""
        return self._client._run(self._client._talk.rename_episode(self.id, name))

    def remove(self, example: str) -> None:
        """Take an example out, by its id."""
        self._client._run(self._client._talk.remove_example(self.id, example))

    def delete(self) -> None:
        """Forget it and its examples."""
        self._client._run(self._client._talk.delete_episode(self.id))
