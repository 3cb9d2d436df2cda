"""What `doctor` looks at on the machine where it is called: who may come in, disk, models, decoder.

Where a part of the library is not installed, as torch is not beside an API alone, what needs it is
left to a doctor on a machine with a worker.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pointaction.errors import InputError, PointActionError, UnknownModel
from pointaction.models import inventory
from service import launch, readiness
from service.findings import Finding, ok, warning, wrong
from service.settings import ServiceSettings
from workers import gpu, traces
from workers.blobs import BlobStore, clip_name

_GIB = 1 << 30
_LITTLE, _TOO_LITTLE = 5 * _GIB, _GIB
_ELSEWHERE = "is not installed here; call the doctor on a machine with a worker, too"


def access(settings: ServiceSettings) -> Iterator[Finding]:
    if settings.metrics_open and settings.reachable:
        yield warning(
            "access",
            "/metrics asks nobody for a key",
            "let the proxy in front pass nothing to it, or unset POINTACTION_METRICS_OPEN",
        )
    if settings.open and settings.reachable:
        yield warning(
            "access",
            f"everyone who reaches {settings.host} is let in",
            "unset POINTACTION_OPEN and make keys: pointaction keys create NAME",
        )
        return
    try:
        launch.check_exposure(settings)
    except InputError as error:
        yield wrong("access", str(error), "pointaction keys create NAME")
    else:
        who = "who has a key" if settings.reachable else "this machine, or who has a key"
        yield ok("access", f"let in is {who}")


def limits(settings: ServiceSettings) -> Iterator[Finding]:
    hard, visible = settings.hard_time_limit_s, settings.visibility_timeout_s
    if visible < hard + settings.lease_s:
        yield warning(
            "limits",
            f"a message is delivered again {visible - hard} s after the time that its job may take",
            f"set POINTACTION_VISIBILITY_TIMEOUT_S to {2 * hard} or more",
        )
    else:
        yield ok("limits", f"a job may take {hard} s; its message is held back for {visible} s")
    if settings.blob_ttl_s < settings.job_ttl_s:
        yield warning(
            "limits",
            "uploads are swept before their jobs are forgotten, so overlays cannot be drawn",
            "set POINTACTION_BLOB_TTL_S to that of POINTACTION_JOB_TTL_S or more",
        )


def disk(settings: ServiceSettings) -> Iterator[Finding]:
    folder = settings.data_dir.resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    says = f"{free / _GIB:.1f} GiB are free for the data folder"
    if not os.access(folder, os.W_OK):
        yield wrong("disk", f"{folder} cannot be written to", "set POINTACTION_DATA_DIR, or chown")
    elif free < _TOO_LITTLE:
        yield wrong("disk", says, "make room, or lower POINTACTION_BLOB_TTL_S")
    elif free < _LITTLE:
        yield warning("disk", says, "make room, or lower POINTACTION_BLOB_TTL_S")
    else:
        yield ok("disk", says)


def blobs(settings: ServiceSettings) -> Iterator[Finding]:
    """Write a file of nobody's, read it back, remove it."""
    store, content = BlobStore(settings.blobs), os.urandom(32)
    name = clip_name(hashlib.sha256(content).hexdigest())
    try:
        store.check()
        store.put(content, name)
        kept = store.get(name)
        store.delete(name)
    except Exception as error:  # of whichever library is behind fsspec
        yield wrong(
            "blobs",
            f"the blob store does not take a file: {type(error).__name__}",
            "see POINTACTION_BLOB_URL, and that it may be written to with the credentials given",
        )
        return
    if kept == content:
        yield ok("blobs", "the blob store gives back what it is given")
    else:
        yield wrong("blobs", "the blob store gives back something else", "see POINTACTION_BLOB_URL")


def models(settings: ServiceSettings) -> Iterator[Finding]:
    """Every file of the store is what the catalogue says; those of the defaults must be."""
    try:
        readiness.expect_models(settings)
    except LookupError as error:
        yield wrong("models", str(error.args[0]), "pointaction models verify")
    damaged = [file for file in inventory.everything(settings.model_store) if file.fault]
    for file in damaged:
        yield warning("models", f"{file.of}: {file.path.name} {file.fault}", file.remedy)
    if not damaged:
        yield ok("models", "every file of the model store is what the catalogue says")


def answering(settings: ServiceSettings) -> Iterator[Finding]:
    """The default model can be opened, as by a worker."""
    if find_spec("torch") is None:
        yield ok("answering", f"torch {_ELSEWHERE}")
        return
    from pointaction.recognisers import open_recogniser

    if not gpu.usable(settings.device):
        yield wrong(
            "answering",
            f"torch finds no {settings.device} here",
            "set POINTACTION_DEVICE to cpu, or install torch's CUDA build and the driver",
        )
        return
    name = settings.default_model
    try:
        open_recogniser(settings.model_store, name, device=settings.device)
    except UnknownModel as error:
        yield wrong("answering", str(error), "set POINTACTION_DEFAULT_MODEL, or pull what it lacks")
    except PointActionError as error:
        yield wrong("answering", str(error), "pointaction models verify")
    else:
        yield ok("answering", f"the model {name} opens")


def decoder(settings: ServiceSettings) -> Iterator[Finding]:
    """A clip is made and decoded where users' clips are."""
    if find_spec("av") is None:
        yield ok("decoder", f"PyAV {_ELSEWHERE}")
        return
    from pointaction.video import syscalls
    from pointaction.video.decode import decode
    from pointaction.video.encode import encode_mp4
    from pointaction.video.limits import DecodeLimits

    confined = DecodeLimits(memory_mb=settings.decode_memory_mb, cpu_s=settings.decode_cpu_s)
    with tempfile.TemporaryDirectory(prefix="pointaction-") as folder:
        path = Path(folder) / "grey.mp4"
        encode_mp4(np.full((4, 32, 32, 3), 128, np.uint8), fps=4, path=path)
        try:
            decode(path, limits=confined)
        except PointActionError as error:
            yield wrong("decoder", str(error), "see POINTACTION_DECODE_MEMORY_MB and its log")
            return
    held = f"{confined.memory_mb} MiB and {confined.cpu_s} s a clip, no files, no sockets"
    if syscalls.can_refuse():
        held += ", no other processes: seccomp refuses what decoding does not need"
    if sys.platform != "linux":
        yield warning("decoder", "it has no limit on memory on this system", "serve on Linux")
    elif os.geteuid() == 0:
        says = f"it decodes, confined to {held}; but as root"
        yield warning("decoder", says, "run workers as another user")
    elif not syscalls.can_refuse():
        says = f"it decodes, confined to {held}; this system cannot refuse system calls (seccomp)"
        yield warning("decoder", says, "run workers on x86_64 or aarch64, where seccomp is allowed")
    else:
        yield ok("decoder", f"it decodes, confined to {held}")


def tracing(settings: ServiceSettings) -> Iterator[Finding]:
    if not traces.wanted():
        yield ok("traces", "off; OTEL_EXPORTER_OTLP_ENDPOINT turns them on")
    elif traces.installed():
        yield ok("traces", "on")
    else:
        yield wrong(
            "traces",
            "they are asked for, and OpenTelemetry is not installed",
            "pip install 'pointaction[telemetry]'",
        )
