"""Children that do not outlive their parent, where the kernel can see to it (Linux)."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_parent(
    signum: signal.Signals = signal.SIGKILL,
) -> Callable[[], None] | None:
    """Something to run in a child of this process: the kernel signals it when its parent ends.

    None where there is no such thing. "Parent" is the thread that forked; it has to last. The C
    library is opened here, since a child may load nothing between fork and exec.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signum))
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask
