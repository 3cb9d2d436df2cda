"""Do the named attacks of `tests/attacks` harm a whole service? Each is sent to one, over a socket.

    make fuzz            or: python -m benchmarks.attacks

The tests try the same against parts of it; here is `pointaction serve`, with its real worker and
its real patience. After each attack a good request is made. Prints a table and files it under
`results/`; exits 1 if an attack was answered otherwise than it should be, left a file, or ended a
process.
"""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.fuzz import judge_answer, lasting_processes, make_seeds
from benchmarks.machine import describe, write
from service.connection import BODY_S, HEAD_S
from service.demo import BUNDLED, serving
from tests.attacks import files, requests
from tests.attacks.target import Target, status

_PATIENCE_S = 90.0  # for an answer, and for files to go
_FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"


@dataclass(frozen=True)
class Row:
    """One attack, and what it came to."""

    name: str
    answered: str
    expected: bool  # whether that is an answer that it may have
    left: int  # files
    alive: bool  # all processes that were there before
    good_after: bool
    seconds: float

    @property
    def harmless(self) -> bool:
        return self.expected and self.alive and self.good_after and not self.left


def main() -> None:
    os.environ |= {
        "POINTACTION_OPEN": "true",
        "POINTACTION_SUBMITS_PER_MINUTE": "0",
        "POINTACTION_READS_PER_MINUTE": "0",
        "POINTACTION_MAX_UPLOAD_MB": "10",
    }
    with tempfile.TemporaryDirectory(prefix="pointaction-attacks-") as name:
        folder = Path(name)
        with serving(folder / "data", folder / "serve.log") as (url, server):
            attacked = Attacked(url, server, folder)
            rows = list(attacked.try_all())
            called = attacked.bait_was_called()
    text = _report(rows, called)
    Console().print(Markdown(text))
    Console().print(f"written to {write('attacks', text).name}")
    sys.exit(0 if all(row.harmless for row in rows) and not called else 1)


class Attacked:
    """A running service, who attacks it, and somebody whom it must not call."""

    def __init__(self, url: str, server: int, folder: Path) -> None:
        self.client = httpx.Client(base_url=url, timeout=_PATIENCE_S)
        uploads = folder / "data" / "uploads"
        self.target = Target(urlsplit(url).port or 0, uploads, patience_s=_PATIENCE_S)
        self.server = server
        self.seeds = make_seeds(folder)
        self.bait = socket.create_server(("127.0.0.1", 0))

    def try_all(self) -> Iterator[Row]:
        if not self._good():
            sys.exit("a good clip is refused")
        address = f"http://127.0.0.1:{self.bait.getsockname()[1]}/bait"
        for hostile in files.all_attacks(address):
            data = hostile.make(self.seeds, address)
            yield self._row(hostile.name, partial(self._send, hostile, data))
        for request in requests.all_attacks():
            yield self._row(request.name, partial(self._ask, request))
        yield self._row(f"headers that drip, for {HEAD_S:g} s", self._drip_headers)
        yield self._row(f"a body that drips, for {BODY_S:g} s", self._drip_body)

    def bait_was_called(self) -> bool:
        self.bait.settimeout(1)
        try:
            self.bait.accept()
        except TimeoutError:
            return False
        return True

    def _row(self, name: str, attack: Callable[[], tuple[str, bool]]) -> Row:
        before, started = lasting_processes(self.server), time.monotonic()
        answered, expected = attack()
        seconds = time.monotonic() - started
        end = time.monotonic() + 5
        while self.target.left() and time.monotonic() < end:
            time.sleep(0.05)
        good = self._good()
        return Row(
            name=name,
            answered=answered,
            expected=expected,
            left=len(self.target.left()),
            alive=before.keys() <= lasting_processes(self.server).keys(),
            good_after=good,
            seconds=seconds,
        )

    def _good(self) -> bool:
        return judge_answer(self._post("clip", BUNDLED.read_bytes())) == files.ACCEPTED

    def _send(self, attack: files.Attack, data: bytes) -> tuple[str, bool]:
        verdict = judge_answer(self._post(attack.field, data))
        return verdict, verdict in attack.expected

    def _post(self, field: str, data: bytes) -> httpx.Response:
        patient = {"Prefer": "wait=60"}
        return self.client.post("/classify", files={field: ("x", data)}, headers=patient)

    def _ask(self, attack: requests.Attack) -> tuple[str, bool]:
        # What is good about it but for its form is no video that the worker could read.
        allowed = attack.expected | ({415} if 200 in attack.expected else set())
        got = status(self.target.ask(attack.data))
        return str(got or "hung up on"), got in allowed

    def _drip_headers(self) -> tuple[str, bool]:
        return self._drip(b"GET / HTTP/1.1\r\n", b"X: a\r\n", 2 * HEAD_S)

    def _drip_body(self) -> tuple[str, bool]:
        start = requests.post(requests.FILE + bytes(8192), _FORM, length=1 << 22)
        return self._drip(start, b"a", 3 * BODY_S)

    def _drip(self, start: bytes, drop: bytes, at_most_s: float) -> tuple[str, bool]:
        """Send a drop every half second; whether the service hangs up in time."""
        end = time.monotonic() + at_most_s
        with self.target.connect() as caller, suppress(BrokenPipeError, ConnectionResetError):
            caller.sendall(start)
            while time.monotonic() < end:
                caller.sendall(drop)
                time.sleep(0.5)
        hung_up = time.monotonic() < end
        return "hung up on" if hung_up else "waited for", hung_up


def _report(rows: list[Row], called: bool) -> str:
    harmful = [row for row in rows if not row.harmless]
    lines = [
        "# Named attacks",
        "",
        "Each of `tests/attacks`, sent to `pointaction serve` with its worker. *As it should be* "
        "is the answer that the attack has in its list; *alive* are all processes of the service, "
        "and *next* is a good clip sent after it.",
        "",
        describe(),
        "",
        f"{len(rows)} attacks, {len(harmful)} that did harm; somebody whom files named was "
        f"{'CALLED' if called else 'never called'}.",
        "",
        "| attack | answered | as it should be | files left | alive | next | s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in [*harmful, *(row for row in rows if row.harmless)]:
        words = ["yes" if fact else "NO" for fact in (row.expected, row.alive, row.good_after)]
        name = row.name.replace("|", "\\|")
        lines.append(
            f"| {name} | {row.answered} | {words[0]} | {row.left} | {words[1]} | {words[2]} "
            f"| {row.seconds:.1f} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
