"""Which clips of a data set are under way, in what order they are given back, and what is tried
again.

A window of the clips is open at a time, be they ten million: as many as the broker shall hold, and
those that wait for one before them as long as there is room. Workers take them in any order; they
are given back in that of the source. What each worker is at is known by its lease alone: an attempt
whose lease ends is over, and the one after the last is a failure. A message that is lost is sent
again, and one too many is dropped where it arrives, since it names an attempt that is taken or
over.

Everything here is order and counting: Redis is behind `Desk`, and time is an argument.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from pointaction.extraction.follower import Failure, Followed, failure
from pointaction.extraction.sources import Wanted
from workers.errors import QueueDown

AHEAD = 1000  # clips that wait for a worker or are at one
ROOM = 256 << 20  # bytes that these may come to, with those that wait for one before them
_FIRST = 16  # clips that are open before it is known how large they become
_BATCH = 64  # messages that are sent before results are looked at again
_WAIT_S = 0.5  # for results, where there is nothing else to do
_PAUSE_S = 1.0  # before the broker is asked again that did not answer


@dataclass(frozen=True, slots=True)
class Opened:
    """An attempt at a clip that is handed out."""

    number: int
    attempt: int  # 1 for the first
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a clip."""

    number: int
    result: Followed | Failure | None  # None: it was made, and is not to be found any more


class Desk(Protocol):
    """Where clips are handed out and results come in. All of it raises QueueDown while the broker
    is away, and may be called again then.
    """

    def keep(self) -> None:
        """Say that the run goes on. InputError where another one has taken its place."""
        ...

    def open(self, clips: Sequence[Opened]) -> None:
        """Let workers take them, in this order."""
        ...

    def ended(self, wait_s: float) -> list[Ended]:
        """What has ended and was not told yet; waits for something if nothing has.

        Raises InputError where a worker cannot follow clips as was asked.
        """
        ...

    def lost(self) -> list[int]:
        """Clips whose lease has ended; nobody holds them from now on."""
        ...

    def held(self) -> set[int]:
        """Clips that a worker is at."""
        ...

    def idle(self) -> bool:
        """Whether no message waits for a worker."""
        ...

    def close(self) -> None:
        """Have workers drop what is open. Raises nothing."""
        ...


class NobodyCame(Exception):
    """No worker has taken a clip for as long as was to be waited."""


@dataclass(slots=True)
class _Clip:
    """One clip of the window."""

    wanted: Wanted
    attempt: int = 1
    sent: float | None = None  # when; None: it is to be
    turn: int = -1  # its place among all messages that were sent
    result: Followed | Failure | None = None


class Scheduler:
    """Has clips followed by whoever sits at the other side of a desk."""

    def __init__(
        self,
        desk: Desk,
        *,
        max_attempts: int = 3,
        lease_s: float = 10.0,
        ahead: int = AHEAD,
        room: int = ROOM,
        patience_s: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """lease_s: after which a worker that is not heard of has lost its clip.
        ahead: how many clips wait for a worker or are at one; room: bytes of those that are done.
        patience_s: for the first clip to be taken.
        tell: told in a sentence when the broker is away and back, and when no worker is there.
        """
        self.desk = desk
        self.max_attempts = max_attempts
        self.lease_s = lease_s
        self.ahead = ahead
        self.room = room
        self.patience_s = patience_s
        self._clock, self._sleep, self._tell = clock, sleep, tell
        self._clips: dict[int, _Clip] = {}  # the window
        self._first = 0  # of the window: which is given back next
        self._unsent: deque[int] = deque()
        self._turns = 0  # messages that were sent
        self._front = -1  # the latest turn that was taken
        self._settled = 0  # clips of the window that wait for one before them
        self._held = 0  # bytes of these
        self._sizes, self._sized = 0, 0  # bytes of the clips that were followed, and how many
        self._begun = self._looked = clock()
        self._away = False
        self._alone = True  # as far as is known

    def follow(self, missing: Iterable[Wanted]) -> Generator[Followed | Failure, None, None]:
        """What became of each clip, in their order. Raises QueueDown if the broker is away from the
        beginning; later it is waited for. Raises NobodyCame when patience is at an end.
        """
        waiting = enumerate(missing)
        with closing(self.desk):
            self.desk.keep()
            while self._fill(waiting):
                with self._patiently():
                    self._gather()
                    self._send()
                    self._look_after()
                yield from self._in_order()

    def _fill(self, waiting: Iterator[tuple[int, Wanted]]) -> bool:
        """Open the window as far as it may be; whether there is a clip in it."""
        while self._has_room():
            number, wanted = next(waiting, (-1, None))
            if wanted is None:
                break
            self._clips[number] = _Clip(wanted)
            self._unsent.append(number)
        return bool(self._clips)

    def _has_room(self) -> bool:
        """Whether one more clip may be under way, by how large clips were so far."""
        if not self._clips:
            return True
        under_way = len(self._clips) - self._settled
        if not self._sized:
            return under_way < min(_FIRST, self.ahead)
        expected = (under_way + 1) * self._sizes // self._sized
        return under_way < self.ahead and self._held + expected <= self.room

    def _send(self) -> None:
        batch = list(islice(self._unsent, _BATCH))
        clips = [(number, clip) for number in batch if (clip := self._open(number))]
        if clips:
            self.desk.open([Opened(number, clip.attempt, clip.wanted) for number, clip in clips])
        now = self._clock()
        for _, clip in clips:
            clip.sent, clip.turn = now, self._turns
            self._turns += 1
        for _ in batch:
            self._unsent.popleft()

    def _gather(self) -> None:
        for end in self.desk.ended(0.0 if self._unsent else _WAIT_S):
            if end.result is None:
                self._again(end.number, "result-lost", "the cache has forgotten its tracks")
            elif clip := self._open(end.number):
                self._settle(clip, end.result)

    def _in_order(self) -> Iterator[Followed | Failure]:
        while (clip := self._clips.get(self._first)) and clip.result is not None:
            del self._clips[self._first]
            self._first += 1
            self._settled -= 1
            self._held -= _size(clip.result)
            yield clip.result

    def _look_after(self) -> None:
        """Try again what was lost, every now and then."""
        now = self._clock()
        if now - self._looked < self.lease_s / 4:
            return
        self._looked = now
        self.desk.keep()
        for number in self.desk.lost():
            self._again(number, "process-died", "its worker died of it or hung")
        for number in self._without_message(now - self.lease_s):
            self._clips[number].sent = None
            self._unsent.append(number)
        self._tell_if_alone(now)
        if self._front < 0 and now - self._begun > self.patience_s:
            raise NobodyCame

    def _tell_if_alone(self, now: float) -> None:
        if self._alone and (self._front >= 0 or now - self._begun > 3 * self.lease_s):
            self._alone = False  # it is told once
            if self._front < 0:
                self._tell("no worker takes clips; `pointaction worker --takes extract` starts one")

    def _without_message(self, late: float) -> list[int]:
        """Clips that nobody is at although one that was sent later has been taken, or none waits.

        One that a worker takes just now looks the same for a moment, hence only those that were
        sent before `late`.
        """
        held = self.desk.held()
        for number in held:
            if clip := self._open(number):
                self._front = max(self._front, clip.turn)
        silent = [
            number
            for number, clip in self._clips.items()
            if clip.result is None and clip.sent is not None and clip.sent < late
            if number not in held
        ]
        if not silent or self.desk.idle():
            return silent
        return [number for number in silent if self._clips[number].turn < self._front]

    def _again(self, number: int, kind: str, why: str) -> None:
        clip = self._open(number)
        if clip is None or clip.sent is None:
            return
        if clip.attempt >= self.max_attempts:
            detail = f"{why}, {clip.attempt} times"
            self._settle(clip, failure(clip.wanted, kind, detail))
            return
        clip.attempt += 1
        clip.sent = None
        self._unsent.appendleft(number)

    def _open(self, number: int) -> _Clip | None:
        """The clip, unless it is settled: it may be told of twice."""
        clip = self._clips.get(number)
        return clip if clip and clip.result is None else None

    def _settle(self, clip: _Clip, result: Followed | Failure) -> None:
        clip.result = result
        self._front = max(self._front, clip.turn)
        self._settled += 1
        self._held += _size(result)
        if isinstance(result, Followed):
            self._sizes += _size(result)
            self._sized += 1

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Leave off where the broker is away, to go on when it is back."""
        try:
            yield
        except QueueDown as error:
            if not self._away:
                self._tell(f"{error}; waiting for it")
            self._away = True
            self._sleep(_PAUSE_S)
        else:
            if self._away:
                self._tell("the broker is back")
            self._away = False


def _size(result: Followed | Failure) -> int:
    return sum(map(len, result.members.values())) if isinstance(result, Followed) else 0
