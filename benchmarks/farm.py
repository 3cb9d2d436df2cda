"""Workers of virtual time behind a desk: what the scheduler sees, with no Redis and no work."""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pointaction.extraction.follower import Failure, Followed
from pointaction.extraction.sources import Wanted
from workers.scheduler import Ended, Opened

_BACK_S = 5.0  # a worker that died is at work again


@dataclass(order=True, slots=True)
class _Event:
    at: float
    order: int
    number: int = field(compare=False)
    attempt: int = field(compare=False)
    what: str = field(compare=False)  # done, died, or back: a worker that had died


class Farm:
    """As `workers.scheduler.Desk`. Its workers take clips in the order in which they are opened."""

    def __init__(
        self,
        workers: int,
        *,
        seconds: Callable[[int], float] = lambda number: 1.0,
        deadly: Callable[[int, int], bool] = lambda number, attempt: False,
        size: int = 27_000,
        cost_s: float = 0.0,
        lease_s: float = 10.0,
    ) -> None:
        """seconds: what a clip takes by its number. deadly: whether an attempt kills its worker.
        size: bytes of a result. cost_s: what it takes the scheduler to hand out a clip.
        """
        self.now = 0.0
        self.queue: deque[tuple[int, int]] = deque()
        self.clips: dict[int, tuple[int, Wanted]] = {}
        self.leases: dict[int, float] = {}
        self.told: list[Ended] = []
        self.tried: Counter[int] = Counter()  # attempts that were begun
        self.busy_s = 0.0  # of all workers, for clips that were done
        self.most = 0  # clips that were open at a time
        self.closed = False
        self.free = workers  # that are at nothing
        self._seconds, self._deadly = seconds, deadly
        self._members = {"json": bytes(size)}
        self._cost_s, self._lease_s = cost_s, lease_s
        self._events: list[_Event] = []
        self._order = 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self._advance(self.now + seconds)

    def keep(self) -> None:
        pass

    def open(self, clips: Sequence[Opened]) -> None:
        for each in clips:
            self.clips[each.number] = each.attempt, each.wanted
            self.queue.append((each.number, each.attempt))
        self.most = max(self.most, len(self.clips))
        self._advance(self.now + self._cost_s * len(clips))

    def ended(self, wait_s: float) -> list[Ended]:
        if not self.told and wait_s:
            soon = self._events[0].at if self._events else self.now + wait_s
            self._advance(min(soon, self.now + wait_s))
        told, self.told = self.told, []
        return told

    def lost(self) -> list[int]:
        over = [number for number, end in self.leases.items() if end <= self.now]
        for number in over:
            del self.leases[number]
            self.clips.pop(number, None)
        return over

    def held(self) -> set[int]:
        return set(self.leases)

    def idle(self) -> bool:
        return not self.queue

    def close(self) -> None:
        self.closed = True

    def forget(self) -> None:
        """Lose all that the broker knows; workers go on with what they are at."""
        self.queue.clear()
        self.clips.clear()
        self.leases.clear()

    def _advance(self, until: float) -> None:
        self._start()
        while self._events and self._events[0].at <= until:
            event = heapq.heappop(self._events)
            self.now = max(self.now, event.at)
            self._happen(event)
            self._start()
        self.now = max(self.now, until)

    def _happen(self, event: _Event) -> None:
        if event.what == "died":
            self.leases[event.number] = event.at + self._lease_s
            self._plan(_BACK_S, event.number, event.attempt, "back")
            return
        self.free += 1
        if event.what == "done" and self._is_open(event.number, event.attempt):
            _, wanted = self.clips.pop(event.number)
            self.leases.pop(event.number, None)
            self.told.append(Ended(event.number, self.result(event.number, wanted)))

    def result(self, number: int, wanted: Wanted) -> Followed | Failure | None:
        """What a clip becomes."""
        return Followed(key=wanted.key, members=self._members)

    def _start(self) -> None:
        while self.free and self.queue:
            number, attempt = self.queue.popleft()
            if not self._is_open(number, attempt) or number in self.leases:
                continue  # a message too many
            self.free -= 1
            self.leases[number] = float("inf")
            self.tried[number] += 1
            spent = self._seconds(number)
            if self._deadly(number, attempt):
                self._plan(spent / 2, number, attempt, "died")
            else:
                self.busy_s += spent
                self._plan(spent, number, attempt, "done")

    def _is_open(self, number: int, attempt: int) -> bool:
        return number in self.clips and self.clips[number][0] == attempt

    def _plan(self, seconds: float, number: int, attempt: int, what: str) -> None:
        self._order += 1
        event = _Event(self.now + seconds, self._order, number, attempt, what)
        heapq.heappush(self._events, event)
