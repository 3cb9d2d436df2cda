"""The process that decoding happens in: `python -m pointaction.video.sandbox_child FD`.

One such process, the zygote, is kept by each process that decodes. It has PyAV imported and one
thread, and does nothing but fork: every clip is decoded in a fresh fork that is confined before
it looks at the first byte, and that is gone afterwards with whatever the clip did to it. A fork
costs a few milliseconds, a new interpreter with PyAV 300 times as much.

A request is one JSON line with two file descriptors: the clip to read, and where the frames go.
The answer is one JSON line.
"""

import ctypes
import dataclasses
import gc
import importlib
import io
import json
import os
import pkgutil
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from pointaction.errors import PointActionError
from pointaction.video import syscalls

Answer = dict[str, Any]
# (clip, where the frames go, request) -> answer; raises PointActionError
Decoder = Callable[[io.RawIOBase, int, dict[str, Any]], Answer]

LONGEST_MESSAGE = 1 << 16  # three times what the answer about a clip of 1,024 frames takes
# What `dict(json.loads(...))` raises on what is no answer.
UNREADABLE = (ValueError, TypeError, RecursionError)
_MOST_FDS = 2
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_NO_MEMORY = b'{"failed": "memory"}'  # made before memory is short
_MIB = 1 << 20
_HIGHEST_FD = 256  # the zygote is started with one descriptor and opens few


def serve(control: socket.socket, decoder: Decoder) -> None:
    """Answer requests until the other side is gone."""
    gc.freeze()  # forks then do not copy what the collector would touch
    while True:
        line, fds = receive_line(control)
        if not line:
            return
        try:
            answer = _attempt(control, json.loads(line), fds, decoder)
        finally:
            for fd in fds:
                os.close(fd)
        try:
            control.sendall(json.dumps(answer).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            return


def receive_line(connection: socket.socket) -> tuple[bytes, list[int]]:
    """One line and the descriptors that came with it; an empty line when the peer is gone."""
    line, fds, _, _ = socket.recv_fds(connection, 1 << 16, _MOST_FDS)
    while line and not line.endswith(b"\n") and len(line) < LONGEST_MESSAGE:
        more = connection.recv(1 << 16)
        if not more:
            return b"", fds
        line += more
    return line, fds


def _attempt(
    control: socket.socket, request: dict[str, Any], fds: list[int], decoder: Decoder
) -> Answer:
    """Decode one clip in a fork of this process and say how that ended."""
    mine, theirs = os.pipe()
    started = time.monotonic()
    zygote = os.getpid()
    child = os.fork()
    if child == 0:
        _decode_and_exit(zygote, request, fds, theirs, decoder)
    os.close(theirs)
    try:
        answer, in_time = _listen(mine, control, started + request["limits"]["wall_s"])
        if not in_time:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(mine)
        _, status, usage = os.wait4(child, 0)
    if not in_time:
        return {"failed": "wall", "value": round(time.monotonic() - started, 1)}
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) == signal.SIGXCPU:
            used = max(request["limits"]["cpu_s"], usage.ru_utime + usage.ru_stime)
            return {"failed": "cpu", "value": round(used, 1)}
        return {"failed": "signal", "value": signal.Signals(os.WTERMSIG(status)).name}
    try:
        return dict(json.loads(answer))
    except UNREADABLE:
        return {"failed": "exit", "value": os.waitstatus_to_exitcode(status)}


def _listen(pipe: int, control: socket.socket, deadline: float) -> tuple[bytes, bool]:
    """What the fork writes until it ends, and whether that was in time.

    When the requester dies or gives up meanwhile, nobody wants the answer any more: that counts
    as late, so that the fork is killed.
    """
    answer = b""
    while True:
        left = max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([pipe, control.fileno()], [], [], left)
        if pipe in ready:
            part = os.read(pipe, 1 << 16)
            answer += part
            if not part:
                return answer, True
        if not ready or control.fileno() in ready or len(answer) > LONGEST_MESSAGE:
            return b"", False


def _decode_and_exit(
    zygote: int, request: dict[str, Any], fds: list[int], pipe: int, decoder: Decoder
) -> NoReturn:
    """The life of a fork. Nothing may leave this function, not even an exception."""
    status = 1
    try:
        memory = _Memory(request["limits"]["memory_mb"])
        try:
            clip = io.FileIO(fds[0], closefd=False)
            _confine(zygote, request, keep=[*fds, pipe, memory.status])
            answer = json.dumps(decoder(clip, fds[1], request)).encode()
        except MemoryError:
            answer = _NO_MEMORY
        except PointActionError as error:
            starved = error.kind == "undecodable" and memory.was_short()
            answer = _NO_MEMORY if starved else json.dumps(_described(error)).encode()
        except Exception as error:
            answer = json.dumps({"failed": "error", "value": f"{error!r}"[:500]}).encode()
        while answer:
            answer = answer[os.write(pipe, answer) :]
        status = 0
    finally:
        os._exit(status)


def _described(error: PointActionError) -> Answer:
    return {
        "refused": type(error).__name__,
        "detail": str(error),
        "kind": error.kind,
        "limit": error.limit,
        "value": error.value,
    }


class _Memory:
    """The limit on memory, and whether it was met. On systems without /proc there is none."""

    def __init__(self, allowed_mb: int) -> None:
        self.status = 0
        self.allowed = allowed_mb * _MIB
        if sys.platform == "linux":
            self.status = os.open("/proc/self/status", os.O_RDONLY)
            self.before = self._bytes(b"VmSize")
            most = self.before + self.allowed
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

    def was_short(self) -> bool:
        """FFmpeg's decoders often call it damage when they are refused memory. What they ask for at
        once is far less than half of any sensible limit, so a peak below that was no shortage.
        """
        if not self.status:
            return False
        return self._bytes(b"VmPeak") - self.before > 0.5 * self.allowed

    def _bytes(self, name: bytes) -> int:
        text = os.pread(self.status, 1 << 13, 0)
        return int(text.partition(name + b":")[2].split()[0]) * 1024


def _confine(zygote: int, request: dict[str, Any], keep: list[int]) -> None:
    """Give up everything that decoding does not need, for good."""
    gc.disable()
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != zygote:  # it died before the line above that would have told us
        os._exit(1)
    _close_all_but(keep)
    cpu_s, frames_bytes = request["limits"]["cpu_s"], request["frames_bytes"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (frames_bytes, frames_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    # No descriptor can be made any more: no file opened, no socket, no pipe to another process.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    # And where the kernel can, it is not even asked for one.
    syscalls.refuse_others()


def _close_all_but(keep: list[int]) -> None:
    first = 3  # the standard streams lead to /dev/null and to the log
    for fd in sorted(keep):
        os.closerange(first, fd)
        first = max(first, fd + 1)
    os.closerange(first, _HIGHEST_FD)


def decode_clip(clip: io.RawIOBase, frames_fd: int, request: dict[str, Any]) -> Answer:
    """The decoder in use: PyAV, by way of `reader`. Frame t lies at t times a frame's size."""
    from pointaction.video.limits import DecodeLimits
    from pointaction.video.reader import read_clip
    from pointaction.video.stamps import Surveyed

    known = request["known"]

    def write(t: int, picture: Any) -> None:
        data = memoryview(picture).cast("B")
        at = t * len(data)
        while data:
            written = os.pwrite(frames_fd, data, at)
            data, at = data[written:], at + written

    reading = read_clip(
        clip,
        write,
        container=request["container"],
        frames=request["frames"],
        short_side=request["short_side"],
        enlarge=request["enlarge"],
        start=request["start"],
        end=request["end"],
        known=Surveyed.from_json(known) if known else None,
        limits=DecodeLimits(**request["limits"]),
    )
    return dataclasses.asdict(reading)


def main(decoder: Decoder = decode_clip) -> None:
    _import_everything()
    with socket.socket(fileno=int(sys.argv[-1])) as control:
        serve(control, decoder)


def _import_everything() -> None:
    """A fork cannot open files, so not import either; PyAV does so late for some streams."""
    import av

    import pointaction.video.reader  # noqa: F401

    for module in pkgutil.walk_packages(av.__path__, "av."):
        if module.name not in ("av.__main__", "av.datasets"):  # programs, not parts
            importlib.import_module(module.name)


if __name__ == "__main__":
    main()
