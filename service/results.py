"""What a finished job left behind: weights, tracks, drawings; and how all of it is removed."""

import re
from dataclasses import dataclass

from pointaction.models import catalog
from pointaction.models.backends import BACKENDS
from pointaction.video.container import HEAD_BYTES, sniff
from service.problems import Refused
from service.submissions import Caller, Submissions
from workers.blobs import BlobStore, clip_name, overlay_name
from workers.jobs import Job, JobStore, OverlayParams, State
from workers.making import Making, makings_of
from workers.results import CachedResult, ResultCache, described_by, result_key, tracks_key
from workers.settings import Settings

FORMATS = ("mp4", "png")
_HEAD = re.compile("mean|0|[1-9][0-9]{0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """The data of finished jobs. Blocking; raises Refused, NoRoom and redis.RedisError."""

    settings: Settings
    store: JobStore
    results: ResultCache
    blobs: BlobStore
    submissions: Submissions

    def result(self, job: Job) -> CachedResult:
        """The scores and weights of a job that has succeeded."""
        known = self.results.get(self.key(job))
        if known is None:
            raise expired(job, "result")
        return known

    def tracks_file(self, job: Job) -> bytes:
        """The `.tracks.npz` of a job that has succeeded."""
        known = self.result(job)
        if known.tracks_key is None:
            raise Refused(
                "no-tracks",
                f"{known.model['name']} looks at pixels alone, so no points were followed; "
                f"/jobs/{job.id}/attention has its maps",
                job=job.id,
            )
        file = self.results.get_tracks(known.tracks_key)
        if file is None:
            raise expired(job, "tracks")
        return file

    def key(self, job: Job) -> str:
        """The key of what its model saw in its clip; Refused unless the job has succeeded."""
        if job.kind == "overlay":
            raise Refused(
                "no-result",
                f"job {job.id} draws an overlay of job {job.params['of']}; ask that one",
                job=job.id,
            )
        if job.kind == "timeline":
            raise Refused(
                "no-result",
                f"job {job.id} is a timeline, which has segments: /jobs/{job.id}/segments",
                job=job.id,
            )
        if not job.state.finished:
            raise Refused(
                "not-finished",
                f"job {job.id} is {job.state}; follow /jobs/{job.id}/events until it succeeds",
                value=job.state.value,
                job=job.id,
            )
        if job.result is None:
            raise Refused(
                "no-result",
                f"job {job.id} is {job.state}; GET /jobs/{job.id} says why",
                value=job.state.value,
                job=job.id,
            )
        making = Making.behind(self.settings, job.media, job.result)
        told = job.result["model"]
        digest = str(told["digest"])
        answered = catalog.answers(digest, told.get("backend", catalog.TORCH))
        by = answered if job.kind == "classify" else described_by(digest)
        return result_key(job.cached_as, making, model_digest=by)

    def overlay(self, job: Job, *, head: str, format: str, caller: Caller) -> str | Job:
        """The name of the drawing's blob, or the job that is to draw it.

        Weights and tracks that have left the cache are made again by the worker, from the file.
        """
        key = self.key(job)
        self._check_head(job, head)
        name = overlay_name(key, head=head, format=format)
        if self.blobs.exists(name):
            return name
        if not self.blobs.exists(clip_name(job.content)):
            raise expired(job, "uploaded file")
        params = OverlayParams.model_validate({"of": job.id, "head": head, "format": format})
        drawing = self.submissions.draw(params, job, name=name, caller=caller)
        if drawing.state is State.SUCCEEDED:  # it was drawn, and the blob has been swept since
            self.store.delete(drawing)
            drawing = self.submissions.draw(params, job, name=name, caller=caller)
        return drawing

    def container(self, job: Job) -> str:
        """Which container the job's clip comes in; Refused where it has none, or has it no more."""
        if job.media != "clip" or job.kind == "overlay":
            raise Refused(
                "no-clip",
                f"job {job.id} has no clip: it was made from tracks, or draws an overlay",
                job=job.id,
            )
        try:
            with self.blobs.open(clip_name(job.content)) as file:
                container = sniff(file.read(HEAD_BYTES))
        except FileNotFoundError:
            container = None
        if container is None:
            raise expired(job, "uploaded file")
        return container

    def _check_head(self, job: Job, head: str) -> None:
        heads = self._heads(job)
        known = _HEAD.fullmatch(head) and (head == "mean" or heads is None or int(head) < heads)
        if not known:
            last = "the last head" if heads is None else heads - 1
            raise Refused(
                "unknown-head",
                f"head must be mean or 0 to {last}, got {head[:20]!r}",
                limit=None if heads is None else heads - 1,
                value=head[:20],
            )

    def _heads(self, job: Job) -> int | None:
        """How many heads the job's model has; None when nothing here remembers."""
        if job.result and job.result["attention"]:
            return int(job.result["attention"]["heads"])
        known = self.results.get(self.key(job))
        return len(known.attention) if known else None

    def remove(self, job: Job) -> None:
        """Forget a finished job, and its data unless another job has the same content.

        Of what was made of the content, those count that share it; of the file, all.
        """
        for drawing in self.submissions.drawings(job):
            self.store.cancel(drawing.id)
            self.store.delete(drawing)
        freed = self.store.delete(job)
        if job.kind == "timeline":
            self.blobs.delete_timelines(job.cached_as, job.id)
        if job.cached_as in freed:
            self._remove_results(job)
            self.blobs.delete_timelines(job.cached_as)
        if job.content in freed:
            self.blobs.delete(clip_name(job.content))

    def _remove_results(self, job: Job) -> None:
        entries = catalog.read_catalog(self.settings.model_store).values()
        digests = {entry.digest for entry in entries}
        makings = makings_of(self.settings, job.media)
        if job.kind != "timeline" and job.result and "model" in job.result:
            digests.add(str(job.result["model"]["digest"]))
            makings.add(Making.behind(self.settings, job.media, job.result))
        for making in makings:
            for digest in digests:
                for by in (described_by(digest), *(catalog.answers(digest, b) for b in BACKENDS)):
                    self._remove_result(result_key(job.cached_as, making, model_digest=by))
            self.results.delete_tracks(tracks_key(job.cached_as, making))

    def _remove_result(self, key: str) -> None:
        if known := self.results.get(key):
            self._remove_drawings(key, heads=len(known.attention))
        self.results.delete(key)

    def _remove_drawings(self, key: str, *, heads: int) -> None:
        for head in ("mean", *map(str, range(heads))):
            for format in FORMATS:
                self.blobs.delete(overlay_name(key, head=head, format=format))


def expired(job: Job, what: str) -> Refused:
    """For data of a job that is no longer kept."""
    return Refused(
        "expired", f"the {what} of job {job.id} has expired; send the file again", job=job.id
    )
