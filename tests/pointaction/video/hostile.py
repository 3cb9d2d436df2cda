"""Decoders that misbehave: `python -m tests.pointaction.video.hostile NAME FD` is their zygote."""

import contextlib
import io
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from pointaction.errors import InputError
from pointaction.video.sandbox_child import main


def segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


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
    reached = []
    attempts: dict[str, Callable[[], Any]] = {
        "file": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "new file": lambda: os.open("pointaction-was-here", os.O_CREAT | os.O_WRONLY),
        "socket": socket.socket,
        "pipe": os.pipe,
        "memory file": lambda: os.memfd_create("x"),
        "copy of a descriptor": lambda: os.dup(0),
        "secret in the environment": lambda: os.environ["POINTACTION_TEST_SECRET"],
        "zygote's connection": lambda: os.fstat(int(sys.argv[-1])),
    }
    for name, attempt in attempts.items():
        with contextlib.suppress(OSError, KeyError):
            attempt()
            reached.append(name)
    raise InputError(",".join(reached), kind="reached")


def overfill(frames: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            os.write(frames, bytes(1 << 20))
    raise InputError("full", kind="stopped", value=os.fstat(frames).st_size)


def decoder(clip: io.RawIOBase, frames: int, request: dict[str, Any]) -> dict[str, Any]:
    name = sys.argv[1]
    if name == "overfill":
        overfill(frames)
    {
        "segfault": segfault,
        "sleep": sleep,
        "burn": burn,
        "hoard": hoard,
        "stumble": stumble,
        "reach_out": reach_out,
    }[name]()
    return {}


if __name__ == "__main__":
    main(decoder)
