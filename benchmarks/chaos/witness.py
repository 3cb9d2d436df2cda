"""Who sends clips, watches what is said of them, and compares it with what should have been."""

import hashlib
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from benchmarks.chaos.stack import PATIENCE_S, PUBLIC, wait_for
from benchmarks.scale import finishes
from workers.jobs import State

_LOOK_EVERY_S = 0.05
_ORDER = {State.QUEUED: 0, State.RUNNING: 1}  # what is not here is an end
_OF_THE_JOB = ("job", "attention", "timings_ms", "cached")  # the rest of a result is of the clip


@dataclass
class Sending:
    """One clip, sent until it was accepted, and what was then said of its job."""

    clip: int
    job: str = ""
    states: list[State] = field(default_factory=list)  # as they were seen to change
    end: dict[str, Any] = field(default_factory=dict)  # the job as it was told when it had ended

    @property
    def backwards(self) -> bool:
        ranks = [_ORDER.get(state, 2) for state in self.states]
        return ranks != sorted(ranks) or ranks.count(2) > 1


class HalfSent(BytesIO):
    """A file of which, when half of it is read, `pause` is called once."""

    def __init__(self, data: bytes, pause: Callable[[], None]) -> None:
        super().__init__(data)
        self.half = len(data) // 2
        self.pause = pause

    def read(self, size: int | None = -1, /) -> bytes:
        left = self.half - self.tell()
        if left > 0:
            return super().read(left if size is None or size < 0 else min(size, left))
        pause, self.pause = self.pause, lambda: None
        pause()
        return super().read(size)


class Witness:
    """Sends to one API, and asks it twenty times a second for all that it has accepted."""

    def __init__(self, url: str, redis: Redis, clips: list[Path], hooks: str) -> None:
        self.redis = redis
        self.clips = [clip.read_bytes() for clip in clips]
        self.hooks = hooks
        self.sendings: list[Sending] = []
        self.refusals: Counter[int] = Counter()  # status -> answers that accepted nothing
        self.undisturbed: list[tuple[dict[str, Any], str]] = []  # result and attention, by clip
        self._client = httpx.Client(base_url=url, timeout=40)
        self._senders = ThreadPoolExecutor(32)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._senders.shutdown(cancel_futures=True)

    def send(self, clip: int, pause: Callable[[], None] | None = None) -> "Future[None]":
        """Send until it is accepted, with one key; `pause` is called midway, the first time."""
        sending = Sending(clip)
        self.sendings.append(sending)
        return self._senders.submit(self._send, sending, pause)

    def settled(self, since: int = 0) -> bool:
        """Whether all that was sent since then was accepted and has ended, within patience."""
        return wait_for(lambda: all(each.end for each in self.sendings[since:]), PATIENCE_S)

    def learn(self) -> None:
        """Take what was said so far for what is to be said of each clip."""
        first = {each.clip: each for each in reversed(self.sendings)}
        self.undisturbed = [
            (_of_the_clip(first[clip].end), self.attention(first[clip].job) or "")
            for clip in range(len(self.clips))
        ]

    def mixed_up(self, sending: Sending, *, has_attention: bool) -> bool:
        """Whether its result is another than that of its clip when nothing happened."""
        if sending.end.get("state") != State.SUCCEEDED:
            return False
        result, attention = self.undisturbed[sending.clip]
        said = self.attention(sending.job)
        same = said == attention or (said is None and not has_attention)
        return _of_the_clip(sending.end) != result or not same

    def finishes(self, sending: Sending) -> int:
        return finishes(self.redis, sending.job)

    def attention(self, job: str) -> str | None:
        """A digest of the weights and tracks; None where they are no longer kept."""
        answer = self._client.get(f"/jobs/{job}/attention")
        if not answer.is_success:
            return None
        told = answer.json()
        del told["job"]
        return hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()

    def _send(self, sending: Sending, pause: Callable[[], None] | None) -> None:
        key, end = uuid.uuid4().hex, time.monotonic() + PATIENCE_S
        headers = {"Prefer": "wait=0", "Idempotency-Key": key}
        while time.monotonic() < end:
            data = self.clips[sending.clip]
            file = HalfSent(data, pause) if pause else BytesIO(data)
            pause = None
            with suppress(httpx.HTTPError):
                answer = self._client.post(
                    "/classify",
                    files={"clip": file},
                    data={"callback_url": self.hooks},
                    headers=headers,
                )
                if answer.status_code in (200, 202):
                    told = answer.json()
                    sending.job = str(told.get("id") or told["job"])
                    return
                self.refusals[answer.status_code] += 1
            time.sleep(0.2)

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_EVERY_S):
            for sending in [each for each in self.sendings if each.job and not each.end]:
                with suppress(httpx.HTTPError):
                    self._look(sending)

    def _look(self, sending: Sending) -> None:
        answer = self._client.get(f"/jobs/{sending.job}")
        if answer.status_code == 404:
            sending.end = {"state": "gone"}
        if not answer.is_success:
            return
        told = answer.json()
        state = State(told["state"])
        if sending.states[-1:] != [state]:
            sending.states.append(state)
        if state.finished:
            sending.end = told


def _of_the_clip(job: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in job["result"].items() if name not in _OF_THE_JOB}


class Hooks:
    """Receives webhooks; `strike`, where there is one, is called before the next is answered."""

    def __init__(self) -> None:
        self.told: dict[str, list[tuple[str, str]]] = {}  # job -> id of the message, state
        self.strike: Callable[[], None] | None = None
        self.url = ""

    def receive(self, message: str, body: bytes) -> None:
        strike, self.strike = self.strike, None
        if strike:
            strike()
        said = json.loads(body)["data"]
        self.told.setdefault(said["job"], []).append((message, said["state"]))


@contextmanager
def receiving() -> Iterator[Hooks]:
    hooks = Hooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            hooks.receive(self.headers["webhook-id"], body)
            with suppress(OSError):  # the sender was hit
                self.send_response(204)
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not to stderr."""

    server = ThreadingHTTPServer((PUBLIC, 0), Handler)
    hooks.url = f"http://{PUBLIC}:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield hooks
    server.shutdown()
    server.server_close()
