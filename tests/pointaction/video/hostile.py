"""Decoders that misbehave: `python -m tests.pointaction.video.hostile NAME FD` is their zygote."""

import contextlib
import ctypes
import errno
import io
import mmap
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from pointaction.errors import InputError
from pointaction.video.sandbox_child import main


def segfault() -> None:
    ctypes.string_at(0)


def sleep() -> None:
    time.sleep(60)


def burn() -> None:
    while True:
        pass


def hoard() -> None:
    memory = []
    while True:
        memory.append(bytearray(1 << 20))


def stumble() -> None:
    raise RuntimeError("this is a bug")


def reach_out() -> None:
    """Try everything that a decoder has no business with; refuse the clip if anything works."""
    attempts: dict[str, Callable[[], Any]] = {
        "file": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "new file": lambda: os.open("pointaction-was-here", os.O_CREAT | os.O_WRONLY),
        "socket": socket.socket,
        "pipe": os.pipe,
        "memory file": lambda: os.memfd_create("x"),
        "copy of a descriptor": lambda: os.dup(0),
        "secret in the environment": lambda: os.environ["POINTACTION_TEST_SECRET"],
        "zygote's connection": lambda: os.read(int(sys.argv[-1]), 1),
    }
    raise InputError(",".join(_those_that_work(attempts)), kind="reached")


def reach_further() -> None:
    """The same with what only the filter for system calls stands in the way of."""
    attempts: dict[str, Callable[[], Any]] = {
        "higher limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0)),
        "process": _fork,
        "other program": lambda: os.execv("/bin/true", ["/bin/true"]),
        "worker's life": lambda: os.kill(os.getppid(), 0),
        "file's name": lambda: os.stat("/etc/passwd"),
        "new file's name": lambda: os.mkdir("pointaction-was-here"),
        "socket": socket.socket,
        "namespace": lambda: _called(ctypes.CDLL(None, use_errno=True).unshare(0x40000000)),
        "trace": lambda: _called(ctypes.CDLL(None, use_errno=True).ptrace(0, 0, 0, 0)),
        "new code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    }
    found = _those_that_work(attempts)
    thread = threading.Thread(target=lambda: found.extend(_those_that_work(attempts)))
    thread.start()  # decoders have threads, and those are confined too
    thread.join()
    raise InputError(",".join(found), kind="reached")


def _those_that_work(attempts: dict[str, Callable[[], Any]]) -> list[str]:
    reached = []
    for name, attempt in attempts.items():
        with contextlib.suppress(OSError, KeyError, ValueError):
            attempt()
            reached.append(name)
    return reached


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _called(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), "refused")


def brackets() -> None:
    """Answer past the code around it, with what takes a parser a deep stack to read."""
    for fd in range(3, 256):
        try:
            os.lseek(fd, 0, os.SEEK_CUR)
        except OSError as error:
            if error.errno == errno.ESPIPE:
                os.write(fd, b"[" * 50_000)
    os._exit(0)


def lie() -> dict[str, Any]:
    """A terabyte of frames, of which none is there."""
    source = {"duration_s": 1.0, "frames": 8, "width": 8, "height": 8}
    shape = [1 << 20, 1 << 10, 1 << 10, 3]
    return {"shape": shape, "times": [0.0] * 1000, "source": source, "stamps": None}


def overfill(frames: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            os.write(frames, bytes(1 << 20))
    raise InputError("full", kind="stopped", value=os.lseek(frames, 0, os.SEEK_END))


def decoder(clip: io.RawIOBase, frames: int, request: dict[str, Any]) -> dict[str, Any]:
    name = sys.argv[1]
    if name == "overfill":
        overfill(frames)
    if name == "lie":
        return lie()
    {
        "segfault": segfault,
        "sleep": sleep,
        "burn": burn,
        "hoard": hoard,
        "stumble": stumble,
        "brackets": brackets,
        "reach_out": reach_out,
        "reach_further": reach_further,
    }[name]()
    return {}


if __name__ == "__main__":
    main(decoder)
