"""More clips than the service can look at, for long: who is let in, and when is it answered?"""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from benchmarks.load.clips import request
from benchmarks.load.wire import Answer, ask, get

_WAIT_S = 60
_RETURNS = 3  # so often does one come back who is told to
_POLL_S = 1.0


@dataclass
class Told:
    """What the clients were told."""

    offered: int = 0  # clips, each counted once
    begun: float = 0.0
    ended: float = 0.0  # when the last of them was answered
    seconds: list[float] = field(default_factory=list)  # from sending to the result
    finished: list[float] = field(default_factory=list)  # when each result came
    statuses: Counter[int] = field(default_factory=Counter)  # of all answers
    returned: Counter[tuple[int, bool]] = field(default_factory=Counter)  # n-th time, let in?
    promised: list[int] = field(default_factory=list)  # Retry-After of refusals, seconds
    unlike: list[str] = field(default_factory=list)  # what should not have been said

    def goodput(self, warm_s: float, until: float) -> float:
        """Results a second from `warm_s` after the beginning to `until`."""
        start = self.begun + warm_s
        return sum(start <= moment < until for moment in self.finished) / (until - start)


async def overload(port: int, clips: Iterator[bytes], *, rate: float, seconds: float) -> Told:
    """Send clips at random times, `rate` a second, for so long; wait for every answer."""
    chance, told, clients = Random(0), Told(begun=time.monotonic()), set()
    moment = told.begun
    while (moment := moment + chance.expovariate(rate)) < told.begun + seconds:
        await asyncio.sleep(max(moment - time.monotonic(), 0))
        told.offered += 1
        clients.add(asyncio.create_task(_one(port, next(clips), told)))
    await asyncio.gather(*clients)
    told.ended = time.monotonic()
    return told


async def _one(port: int, clip: bytes, told: Told) -> None:
    sent, name = time.monotonic(), uuid.uuid4().hex
    for coming in range(1 + _RETURNS):
        try:
            answer = await ask(port, request(clip, wait_s=_WAIT_S, name=name))
        except (OSError, asyncio.IncompleteReadError) as error:
            told.unlike.append(f"no answer: {error}")
            return
        told.statuses[answer.status] += 1
        refused = answer.status == 429
        if coming:
            told.returned[coming, not refused] += 1
        if not refused:
            await _result(port, answer, told, sent)
            return
        wait_s = int(answer.headers["retry-after"])
        told.promised.append(wait_s)
        await asyncio.sleep(wait_s)
        sent = time.monotonic()


async def _result(port: int, answer: Answer, told: Told, sent: float) -> None:
    """Wait for the end of a job that was accepted, and note it."""
    status, document = answer.status, json.loads(answer.body)
    while status == 202 or document.get("state") in ("queued", "running"):
        await asyncio.sleep(_POLL_S)
        answer = await ask(port, get(f"/jobs/{document['id']}"))
        status, document = answer.status, json.loads(answer.body)
        told.statuses[status] += 1
    if status != 200 or document.get("state", "succeeded") != "succeeded":
        told.unlike.append(answer.body.decode()[:300])
        return
    told.seconds.append(time.monotonic() - sent)
    told.finished.append(time.monotonic())
