"""From a form to examples: which clip is of which class."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.problems import Refused
from service.uploads import Batch, called
from workers.jobs import JobStore
from workers.making import Media

_JOB_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A clip or a tracks file that is to be an example."""

    content: str  # SHA-256
    media: Media
    label: str
    name: str  # of the file, as it was sent; of an earlier job, nothing
    subject: str  # what problems call it
    path: Path | None  # where it lies; None: in the blob store


def samples_of(batch: Batch, store: JobStore, client: str) -> list[Sample]:
    """The samples of a form, in its order: files, or ids of the client's jobs in their place."""
    jobs, labels = batch.lists["jobs"], batch.lists["labels"]
    if jobs and batch.files:
        raise Refused(
            "invalid-field",
            f"the form has {len(batch.files)} files and {len(jobs)} ids of jobs; send either, "
            "so that it is clear which label is whose",
        )
    count = len(jobs or batch.files)
    if not count and not labels:
        raise Refused("no-examples", "send files as 'support' or ids of earlier jobs as 'jobs'")
    if len(labels) != count:
        raise Refused(
            "labels-mismatch",
            f"there are {count} {'ids of jobs' if jobs else 'files'} and {len(labels)} labels; "
            "send one of 'labels' for each, in the same order",
            limit=count,
            value=len(labels),
        )
    _check_labels(labels)
    if jobs:
        return [
            _of_job(each, label, store, client) for each, label in zip(jobs, labels, strict=True)
        ]
    return [
        Sample(
            content=file.sha256,
            media=file.media,
            label=label,
            name=file.name,
            subject=called(file.number, file.name),
            path=file.path,
        )
        for file, label in zip(batch.files, labels, strict=True)
    ]


def _check_labels(labels: Sequence[str]) -> None:
    for number, label in enumerate(labels, start=1):
        if not label.strip():
            raise Refused(
                "invalid-field", f"label {number} is blank; every class needs a name", value=label
            )


def _of_job(job_id: str, label: str, store: JobStore, client: str) -> Sample:
    job = store.get(job_id) if _JOB_ID.fullmatch(job_id) else None
    if job is None or job.client != client:
        raise Refused("not-found", f"there is no job {job_id[:64]!r}", value=job_id[:64])
    if job.kind == "overlay":
        raise Refused(
            "no-result",
            f"job {job.id} draws an overlay of job {job.params['of']}; name that one",
            job=job.id,
        )
    return Sample(
        content=job.content,
        media=job.media,
        label=label,
        name="",
        subject=f"the file of job {job.id}",
        path=None,
    )
