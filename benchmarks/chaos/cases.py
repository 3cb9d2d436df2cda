"""What is done to the service: every process killed at every moment of a job, and worse."""

import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from redis import RedisError

from benchmarks.chaos.stack import ROLES, Role, Stack, Watch, frozen, full
from benchmarks.chaos.witness import Hooks, Witness

_FULL_S = 6.0
_FROZEN_S = 30.0
_LOAD = 8  # clips that are sent while everything is started again

# A moment of a job -> the command to Redis by which it is known, from which on it is hit. The
# first and the last are no commands: half of a clip is sent, and a webhook has come.
_BY_COMMAND = {
    "file": r"^INCR jobs:order",
    "queue": r"^LPUSH classify ",
    "claim": r'^HSET job:\w+ state "running"',
    **{
        stage: rf'^HSET job:\w+ stage "{stage}"'
        for stage in ("decode", "track", "lift", "tokenise", "classify", "explain")
    },
    "keep": "^SET result:",
    "finish": r'^HSET job:\w+ .*state "succeeded"',
}
MOMENTS = ("upload", *_BY_COMMAND, "tell")


@dataclass(frozen=True)
class Scene:
    """All that a case can lay hands on. `chance` makes its choices."""

    stack: Stack
    witness: Witness
    hooks: Hooks
    chance: random.Random

    def clips(self, count: int) -> list[int]:
        """So many clips that the cache has no answer for, each another as long as there are."""
        with suppress(RedisError):  # it may have been hit, and has forgotten all by itself then
            self.stack.cache.flushall()
        known = len(self.witness.clips)
        order = self.chance.sample(range(known), known)
        return [order[each % known] for each in range(count)]


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[[Scene], bool]  # whether what was to be hit was there to be hit
    may_fail: bool = False  # jobs may end as failed
    may_forget: bool = False  # attention may be gone: the cache was hit


def cases(minutes: float) -> list[Case]:
    hits = [
        Case(
            f"{role} killed: {moment}",
            partial(_strike, role=role, moment=moment),
            may_fail=role == "decoder",
            may_forget=role == "cache",
        )
        for moment in MOMENTS
        for role in ROLES  # one after another: who dies several times in a row is kept waiting
    ]
    return [
        Case("message three times, before the job's own", _thrice),
        Case("message again, while the job runs", _again),
        Case("disk of the data full", partial(_full, which=0, moment="claim")),
        Case("disk of Redis full: filing", partial(_full, which=1, moment="file")),
        Case("disk of Redis full: finishing", partial(_full, which=1, moment="keep")),
        Case("disk of Redis full, then the broker killed", _full_and_killed),
        Case("broker frozen 30 s", partial(_frozen, role="broker")),
        Case("cache frozen 30 s", partial(_frozen, role="cache"), may_forget=True),
        Case("all stopped under load", partial(_all, number=signal.SIGTERM), may_forget=True),
        Case("all killed under load", partial(_all, number=signal.SIGKILL), may_forget=True),
        *hits,
        Case(
            f"anything at any time, {minutes:g} minutes",
            partial(_random, minutes=minutes),
            may_fail=True,
            may_forget=True,
        ),
    ]


def _strike(scene: Scene, *, role: Role, moment: str) -> bool:
    struck = threading.Event()

    def strike(pool: int | None = None) -> None:
        with suppress(ProcessLookupError, FileNotFoundError, IndexError, ValueError):
            os.kill(scene.stack.victim(role, pool), signal.SIGKILL)
            struck.set()

    at_once, meanwhile = scene.clips(2)
    if moment == "upload":
        scene.witness.send(at_once, pause=strike)
        scene.witness.send(meanwhile)
        return struck.wait(10)
    if moment == "tell":
        scene.hooks.strike = strike
        scene.witness.send(at_once)
        scene.witness.send(meanwhile)
        return struck.wait(20)
    _at(scene, moment, (at_once, meanwhile), strike)
    return struck.is_set()


def _at(
    scene: Scene, moment: str, clips: tuple[int, ...], do: Callable[[int | None], None]
) -> None:
    """Send clips, and do something as soon as the moment of one has come."""
    with Watch(scene.stack) as watch:
        for clip in clips:
            scene.witness.send(clip)
        seen, pool = watch.until(re.compile(_BY_COMMAND[moment]))
        if seen:
            do(pool)


def _thrice(scene: Scene) -> bool:
    """Three messages for two idle workers, the API's own the last."""
    before = len(scene.witness.sendings)
    with Watch(scene.stack) as watch:
        scene.witness.send(scene.clips(1)[0])
        seen = watch.until(re.compile(_BY_COMMAND["queue"]))[0]
    _repeat(scene, before)
    return seen


def _again(scene: Scene) -> bool:
    before = len(scene.witness.sendings)
    clips = tuple(scene.clips(2))
    _at(scene, "track", clips, lambda pool: _repeat(scene, before))
    return True


def _repeat(scene: Scene, since: int) -> None:
    """Put every job that has been sent since then into the queue twice more."""
    for sending in scene.witness.sendings[since:]:
        while not sending.job:
            time.sleep(0.001)
        for _ in range(2):
            scene.stack.queue.submit(sending.job)


def _full(scene: Scene, *, which: int, moment: str) -> bool:
    first, *rest = scene.clips(4)
    _at(scene, moment, (first,), lambda pool: _fill(scene, which, rest))
    return True


def _fill(scene: Scene, which: int, clips: list[int]) -> None:
    with full(scene.stack.disks[which]):
        for clip in clips:
            scene.witness.send(clip)
        time.sleep(_FULL_S)


def _full_and_killed(scene: Scene) -> bool:
    first, *rest = scene.clips(3)
    scene.witness.send(first).result()
    with full(scene.stack.disks[1]):
        os.kill(scene.stack.victim("broker", None), signal.SIGKILL)
        for clip in rest:
            scene.witness.send(clip)
        time.sleep(_FULL_S)
    return True


def _frozen(scene: Scene, *, role: Role) -> bool:
    first, *rest = scene.clips(4)

    def freeze(pool: int | None) -> None:
        with frozen(scene.stack.victim(role, None)):
            for clip in rest:
                scene.witness.send(clip)
            time.sleep(_FROZEN_S)

    _at(scene, "track", (first,), freeze)
    return True


def _all(scene: Scene, *, number: int) -> bool:
    for each, clip in enumerate(scene.clips(_LOAD)):
        scene.witness.send(clip)
        time.sleep(0.3)
        if each == _LOAD // 2:
            for pids in scene.stack.processes().values():
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, number)
    return True


def _random(scene: Scene, *, minutes: float) -> bool:
    end = time.monotonic() + 60 * minutes
    for moment in _moments(scene, end):
        found = scene.stack.processes()
        role = scene.chance.choice([role for role in ROLES if found[role]] or [*ROLES])
        with suppress(ProcessLookupError, IndexError):
            pid = scene.chance.choice(found[role])
            if scene.chance.random() < 0.25:
                with frozen(pid):
                    time.sleep(scene.chance.uniform(0.5, 5.0))
            else:
                os.kill(pid, signal.SIGKILL)
        scene.witness.send(scene.clips(1)[0] if moment % 3 == 0 else scene.chance.randrange(2))
    return True


def _moments(scene: Scene, end: float) -> Iterator[int]:
    """One after another, with pauses, as long as there is time."""
    number = 0
    while time.monotonic() < end:
        time.sleep(scene.chance.uniform(1.0, 4.0))
        yield number
        number += 1
