"""What the processes of a service hold in memory, as time goes by."""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from types import TracebackType

from benchmarks.machine import descendants, role

_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_SHARED, _RESIDENT = 2, 1  # columns of /proc/PID/statm


def held(root: int) -> dict[str, float]:
    """MiB that the processes below `root`, and it, have for themselves, by what they do."""
    found: dict[str, float] = {}
    for pid in [root, *descendants(root)]:
        try:
            pages = Path(f"/proc/{pid}/statm").read_text().split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        does = role(pid) or "other"
        own = int(pages[_RESIDENT]) - int(pages[_SHARED])
        found[does] = found.get(does, 0.0) + own * _PAGE_MIB
    return found


class Watch:
    """Looks every few seconds while the context lasts."""

    def __init__(self, root: int, *, every_s: float = 5.0) -> None:
        self.seen: list[Mapping[str, float]] = []
        self._root = root
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(self._every_s):
            self.seen.append(held(self._root))

    def around(self, share: float) -> dict[str, float]:
        """Mean MiB of each role in a tenth of the time that ends at `share` of it (0.1 to 1)."""
        end = max(round(share * len(self.seen)), 1)
        part = self.seen[max(end - max(len(self.seen) // 10, 1), 0) : end]
        names = sorted({name for each in part for name in each})
        return {name: mean(each.get(name, 0.0) for each in part) for name in names}
