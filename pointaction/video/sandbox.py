"""Run decoders where they can do no harm: in a confined fork of a small helper process.

What a fork may do is in `sandbox_child`. This side starts the helper (the zygote) when it is
first needed, hands it an open file and an anonymous piece of memory for the frames, and turns
whatever happens there into an answer or one of our errors. Each process has its own zygote, which
ends when that process does, however it ends.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from io import FileIO
from typing import Any

from pointaction.errors import (
    DecoderFailure,
    InputError,
    LimitExceeded,
    PointActionError,
    UnsupportedClip,
)
from pointaction.video.limits import DecodeLimits
from pointaction.video.sandbox_child import UNREADABLE, receive_line

_CHILD = ("-m", "pointaction.video.sandbox_child")
_GRACE_S = 10.0  # to start the helper on a busy machine, beyond the wall-clock limit of a clip
# All that the helper gets to see of our environment; passwords and keys stay here.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
# One thread, or forking would be unsafe; one heap, so that the memory limit is about memory.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
# What a decoder may say of a clip, by name.
_REFUSALS = {error.__name__: error for error in (InputError, UnsupportedClip, LimitExceeded)}


class Sandbox:
    """One zygote and the talk with it. Safe to share between threads and across forks."""

    def __init__(self, child: Sequence[str] = _CHILD) -> None:
        """`child` are the interpreter's arguments that start a zygote."""
        self._child = tuple(child)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._watches_process = False

    def run(
        self, clip: FileIO, frames: FileIO, request: dict[str, Any], limits: DecodeLimits
    ) -> dict[str, Any]:
        """Decode `clip` into `frames`, both real files, as `request` says.

        Returns the decoder's answer, which is to be believed no more than the clip. Raises the
        error that the decoder raised, LimitExceeded (decoding-too-slow,
        decoding-needs-too-much-memory) or DecoderFailure.
        """
        message = json.dumps(request | {"limits": asdict(limits)}).encode() + b"\n"
        fds = [clip.fileno(), frames.fileno()]
        with self._lock:
            answer = self._ask(message, fds, limits.wall_s + _GRACE_S)
            if answer is None:  # the zygote had died since the last clip; once more with a new one
                answer = self._ask(message, fds, limits.wall_s + _GRACE_S)
        if answer is None:
            raise DecoderFailure(
                "the decoder process ended without an answer, twice; see its messages in the log "
                "of this process",
                kind="decoder-crashed",
            )
        if "refused" in answer or "failed" in answer:
            raise _error(answer, limits)
        return answer

    def start(self) -> None:
        """Start the zygote ahead of the first clip, without waiting for it."""
        with self._lock:
            if not self._control:
                self._start()

    def close(self) -> None:
        """End the zygote. The next clip starts another."""
        with self._lock:
            self._stop()

    @property
    def pid(self) -> int | None:
        """The zygote's process id, None when none is running."""
        return self._process.pid if self._process else None

    def _ask(self, message: bytes, fds: list[int], patience_s: float) -> dict[str, Any] | None:
        """The answer, or None when the zygote is dead."""
        control = self._control or self._start()
        try:
            control.settimeout(patience_s)
            socket.send_fds(control, [message], fds)
            line, _ = receive_line(control)
            if line:
                return dict(json.loads(line))
        except (BrokenPipeError, ConnectionResetError, *UNREADABLE):
            pass
        except TimeoutError:
            self._stop()
            return {"failed": "wall", "value": patience_s}
        except BaseException:  # a task's time limit, Ctrl-C: the answer must not meet the next clip
            self._stop()
            raise
        self._stop()
        return None

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        path = [entry or os.getcwd() for entry in sys.path]  # it imports what we would
        passed_on = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        with theirs:
            self._process = subprocess.Popen(
                # -P: nothing is imported from the folder that we happen to be in.
                [sys.executable, "-P", *self._child, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=passed_on | _ONE_THREAD | {"PYTHONPATH": os.pathsep.join(path)},
                start_new_session=True,  # Ctrl-C is for us; and we can end all its forks with it
            )
        self._control = ours
        if not self._watches_process:
            os.register_at_fork(after_in_child=self._leave_to_parent)
            atexit.register(self.close)
            self._watches_process = True
        return ours

    def _stop(self) -> None:
        process, control = self._process, self._control
        self._process = self._control = None
        if control:
            control.close()
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _leave_to_parent(self) -> None:
        """In a forked child: the zygote is the parent's, and must notice when the parent dies."""
        self._lock = threading.Lock()  # another thread may have held it at the fork
        process, control = self._process, self._control
        self._process = self._control = None
        if control:
            control.close()
        if process:
            process.returncode = 0  # not ours to wait for


@contextlib.contextmanager
def frame_memory() -> Iterator[FileIO]:
    """A file without a name, in memory where the system can do that."""
    if sys.platform == "linux":
        with FileIO(os.memfd_create("frames"), "r+") as memory:
            yield memory
    else:
        with tempfile.TemporaryFile() as file, FileIO(os.dup(file.fileno()), "r+") as unbuffered:
            yield unbuffered


def _error(answer: dict[str, Any], limits: DecodeLimits) -> PointActionError:
    """The error that an answer stands for."""
    match answer:
        case {"refused": str(name), "detail": str(detail), "kind": str(kind)} if name in _REFUSALS:
            told = {"limit": answer.get("limit"), "value": answer.get("value")}
            return _REFUSALS[name](detail, kind=kind, **told)
    value = answer.get("value")
    match answer.get("failed"):
        case "memory":
            return LimitExceeded(
                f"decoding needs more than {limits.memory_mb} MiB; scale the clip down",
                kind="decoding-needs-too-much-memory",
                limit=limits.memory_mb,
                value=None,
            )
        case "cpu" | "wall" as clock:
            limit = limits.cpu_s if clock == "cpu" else limits.wall_s
            return LimitExceeded(
                f"decoding took longer than {limit:g} s ({clock} time) and was stopped; make the "
                "clip shorter or smaller",
                kind="decoding-too-slow",
                limit=limit,
                value=value,
            )
        case "signal":
            return DecoderFailure(
                f"the decoder crashed on this clip ({value}); export it anew with another program",
                kind="decoder-crashed",
                value=value,
            )
    return DecoderFailure(
        f"the decoder failed on this clip ({value}); export it anew with another program",
        kind="decoder-failed",
        value=value,
    )
