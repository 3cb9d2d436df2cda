"""Does a damaged file ever harm the service? Thousands are made, and sent to it.

    make fuzz            or: python -m benchmarks.fuzz --files 20000 --seed 1

Small clips (mp4, webm, mkv, avi) and tracks files are damaged in the ways of `mutations` and given
to what reads them: all straight to the confined decoder or to the reader of tracks, one in nineteen
through `POST /classify`, or every second video through `POST /timelines`, of a whole service with
its worker. Each has to be answered, or refused by a problem of a kind that is documented and is the
caller's. Then schemathesis asks every route what the schema allows and forbids. Prints a table and
files it under `results/`; exits 1 if anything crashed, hung, was left behind or was refused as this
side's fault.

The same `--seed` makes the same files; `--only N` writes the Nth to a file and says what became of
it.
"""

import argparse
import io
import multiprocessing
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import av
import httpx
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import mutations
from benchmarks.machine import descendants, describe, role, write
from pointaction.errors import PointActionError
from pointaction.tracks import Tracks
from pointaction.video.decode import decode
from pointaction.video.encode import encode_mp4
from pointaction.video.limits import DecodeLimits
from pointaction.video.sandbox import Sandbox
from service.demo import BUNDLED, serving
from service.problems import KINDS

FORMATS = ("mp4", "webm", "mkv", "avi", "tracks")
_CODERS = {
    "webm": (("libvpx-vp9", "yuv420p"), ("libvpx", "yuv420p")),
    "mkv": (("libx264", "yuv420p"), ("ffv1", "yuv420p")),
    "avi": (("mpeg4", "yuv420p"), ("mjpeg", "yuvj420p")),
}
_SIDE, _FRAMES = 64, 8
_PROCESSES = 2
_ONE_IN = 19  # of the files goes through HTTP; prime, so that all formats and ways do
_CALLERS = 3
_SLACK_S = 5.0  # beyond the limits of decoding, on a busy machine
_PATIENCE_S = 90.0  # for an answer over HTTP
_GROWTH_MB = 64  # that a process may gain between the first tenth and the end
_DIED = "decoder-crashed"  # in its confinement; the clip got this problem
_ST = Path(sys.executable).with_name("st")

Seeds = dict[str, list[bytes]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="number of a file to write and to try alone")
    parser.add_argument("--examples", type=int, default=100, help="requests made for each route")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pointaction-fuzz-") as name:
        folder = Path(name)
        seeds = make_seeds(folder)
        if asked.only is not None:
            _show(make_case(seeds, asked.seed, asked.only))
            return
        straight = _straight(seeds, asked.seed, asked.files, folder)
        live = _live(seeds, asked.seed, range(0, asked.files, _ONE_IN), asked.examples, folder)
    text = _report(straight, live, asked.files, asked.seed)
    Console().print(Markdown(text))
    Console().print(f"written to {write('fuzz', text).name}")
    sys.exit(0 if straight.harmless and live.harmless else 1)


# What is sent


@dataclass(frozen=True)
class Case:
    """One damaged file."""

    number: int
    format: str
    mutation: str
    data: bytes

    @property
    def field(self) -> str:
        """Of the form."""
        return "tracks" if self.format == "tracks" else "clip"

    @property
    def route(self) -> str:
        """Where it is sent to; tracks are no video to make a timeline of."""
        return "/timelines" if self.field == "clip" and self.number % 2 else "/classify"


def make_seeds(folder: Path) -> Seeds:
    """Good files of every format: a bright square goes over noise."""
    noise = np.random.default_rng(0).integers(0, 96, (_SIDE, _SIDE, 3), np.uint8)
    pictures = np.repeat(noise[None], _FRAMES, axis=0)
    for number, picture in enumerate(pictures):
        picture[16:32, 4 + 5 * number : 20 + 5 * number] = 220
    encode_mp4(pictures, fps=8, path=folder / "seed.mp4")
    seeds = {"mp4": [(folder / "seed.mp4").read_bytes()], "tracks": [_tracks().to_bytes()]}
    for name, coders in _CODERS.items():
        seeds[name] = [_encoded(pictures, name, *coder) for coder in coders]
    return seeds


def _encoded(pictures: NDArray[np.uint8], container: str, codec: str, pixels: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska" if container == "mkv" else container) as video:
        stream = video.add_stream(codec, rate=8)
        assert isinstance(stream, VideoStream)
        stream.width = stream.height = _SIDE
        stream.pix_fmt = pixels
        for picture in pictures:
            video.mux(stream.encode(VideoFrame.from_ndarray(picture)))
        video.mux(stream.encode(None))
    return file.getvalue()


def _tracks() -> Tracks:
    xy = np.random.default_rng(0).uniform(0, _SIDE, (24, _FRAMES, 2)).astype(np.float32)
    return Tracks(
        xy=xy,
        visible=np.ones((24, _FRAMES), np.bool_),
        confidence=np.ones((24, _FRAMES), np.float32),
        query=np.concatenate([np.zeros((24, 1), np.float32), xy[:, 0]], axis=1),
        size=(_SIDE, _SIDE),
        times=np.arange(_FRAMES) / 8,
        depth=np.ones((24, _FRAMES), np.float32),
    )


def make_case(seeds: Seeds, seed: int, number: int) -> Case:
    """The file of this number: formats take turns, and so do the ways to damage each."""
    chance = Random(f"{seed} {number}")
    format = FORMATS[number % len(FORMATS)]
    ways = {**mutations.ANY, **mutations.OF[format]}
    names = [*ways, mutations.SPLICED]
    name = names[number // len(FORMATS) % len(names)]
    data = chance.choice(seeds[format])
    if name == mutations.SPLICED:
        other = chance.choice(seeds[chance.choice(FORMATS)])
        data = mutations.splice(data, other, chance)
    else:
        data = ways[name](data, chance)
    return Case(number=number, format=format, mutation=name, data=data or b"\0")


# What became of it


@dataclass(frozen=True)
class Outcome:
    """`verdict` is "accepted", the kind of a problem, or, with a colon, what must not be."""

    number: int
    format: str
    mutation: str
    verdict: str
    seconds: float

    @property
    def bad(self) -> bool:
        return ":" in self.verdict


@dataclass
class Facts:
    """What was seen of one way in."""

    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    left: int = 0  # files that should be gone
    grown_mb: dict[str, float] = field(default_factory=dict)  # by process, since the first tenth
    deaths: int = 0  # of processes that should live: workers, APIs, those that decode
    good_after: bool = False  # a good clip was answered at the end
    schema: str = ""  # what schemathesis said in the end; empty: it was not asked

    @property
    def bad(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.bad]

    @property
    def harmless(self) -> bool:
        grown = max(self.grown_mb.values(), default=0)
        kept = not (self.bad or self.left or self.deaths) and grown < _GROWTH_MB
        return kept and self.good_after and not self.schema.startswith("FAILED")


def judge(error: PointActionError) -> str:
    """The kind of a problem that is the caller's; anything else must not be."""
    known = KINDS.get(error.kind)
    if known is None:
        return f"UNKNOWN: {error.kind}"
    return error.kind if 400 <= known.status < 500 else f"OURS: {error.kind}"


# Straight to the reader


def _straight(seeds: Seeds, seed: int, count: int, folder: Path) -> Facts:
    facts = Facts()
    started = time.monotonic()
    shares = [range(first, count, _PROCESSES) for first in range(_PROCESSES)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(_PROCESSES) as pool:
        asked = [pool.apply_async(_try_all, (seeds, seed, share, folder)) for share in shares]
        for number, share in enumerate(asked):
            tried = share.get()
            facts.outcomes += tried.outcomes
            facts.left += tried.left
            facts.deaths += tried.deaths
            facts.grown_mb |= {f"{name} {number}": mb for name, mb in tried.grown_mb.items()}
    facts.seconds = time.monotonic() - started
    facts.good_after = all(each.good_after for each in (share.get() for share in asked))
    return facts


def _try_all(seeds: Seeds, seed: int, numbers: range, folder: Path) -> Facts:
    """One process's share of the files, all by one sandbox."""
    facts, sandbox = Facts(), Sandbox()
    path = folder / f"{os.getpid()}.file"
    zygotes: set[int | None] = set()
    warm: dict[str, float] = {}
    for done, number in enumerate(numbers):
        facts.outcomes.append(_tried(make_case(seeds, seed, number), path, sandbox))
        if sandbox.pid:
            zygotes.add(sandbox.pid)
        if done == len(numbers) // 10:
            warm = _resident(sandbox)
    facts.grown_mb = {name: mb - warm.get(name, mb) for name, mb in _resident(sandbox).items()}
    facts.deaths = len(zygotes) - 1
    path.write_bytes(seeds["mp4"][0])
    facts.good_after = len(decode(path, sandbox=sandbox).frames) > 0
    sandbox.close()
    path.unlink()
    facts.left = len(list(folder.glob(f"{os.getpid()}*")))
    return facts


def _tried(case: Case, path: Path, sandbox: Sandbox) -> Outcome:
    path.write_bytes(case.data)
    limits = DecodeLimits()
    started = time.monotonic()
    try:
        if case.format == "tracks":
            Tracks.load(path)
        else:
            decode(path, frames=_FRAMES, short_side=_SIDE, limits=limits, sandbox=sandbox)
        verdict = "accepted"
    except PointActionError as error:
        verdict = judge(error)
    except Exception as error:
        verdict = f"CRASHED: {error!r}"[:300]
    seconds = time.monotonic() - started
    if seconds > limits.wall_s + _SLACK_S:
        verdict = f"HUNG: {seconds:.0f} s, then {verdict}"
    return Outcome(case.number, case.format, case.mutation, verdict, seconds)


def _resident(sandbox: Sandbox) -> dict[str, float]:
    """MB of memory that are held by this process and by the one that forks decoders."""
    found = {"reader": _resident_mb(os.getpid())}
    return found | ({"decoders' parent": _resident_mb(sandbox.pid)} if sandbox.pid else {})


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


# Through the service


def _live(seeds: Seeds, seed: int, numbers: range, examples: int, folder: Path) -> Facts:
    facts = Facts()
    data = folder / "data"
    os.environ |= {
        "POINTACTION_SUBMITS_PER_MINUTE": "0",
        "POINTACTION_READS_PER_MINUTE": "0",
        "POINTACTION_MAX_PENDING": "0",
        # Reading is what is tried here, not recognising: one thread a worker, and few points.
        "POINTACTION_THREADS": "1",
        "POINTACTION_TRACKS": "32",
    }
    with ExitStack() as stack:
        url, server = stack.enter_context(serving(data, folder / "serve.log"))
        client = stack.enter_context(httpx.Client(base_url=url, timeout=_PATIENCE_S))
        for format, files in seeds.items():
            for good in files:  # these are accepted, and the worker is warm then
                answer = _sent(Case(-1, format, "none", good), client)
                if answer.verdict != "accepted":
                    sys.exit(f"a good {format} is refused: {answer.verdict}")
        before = lasting_processes(server)
        started = time.monotonic()
        cut = len(numbers) // 10
        with ThreadPoolExecutor(_CALLERS) as pool:

            def send(number: int) -> Outcome:
                return _sent(make_case(seeds, seed, number), client)

            facts.outcomes += pool.map(send, numbers[:cut])
            warm = {pid: _resident_mb(pid) for pid in before}
            facts.outcomes += pool.map(send, numbers[cut:])
        facts.seconds = time.monotonic() - started
        facts.schema = _ask_schemathesis(url, seed, examples) if examples else ""
        after = lasting_processes(server)
        facts.deaths = len(before.keys() - after.keys())
        facts.grown_mb = {
            f"{name} ({pid})": _resident_mb(pid) - warm[pid]
            for pid, name in after.items()
            if pid in warm
        }
        last = _sent(Case(-1, "mp4", "none", BUNDLED.read_bytes()), client)
        facts.good_after = last.verdict == "accepted"
        facts.left = len(list((data / "uploads").iterdir()))
    return facts


def _sent(case: Case, client: httpx.Client) -> Outcome:
    started = time.monotonic()
    try:
        answer = client.post(
            case.route, files={case.field: ("x", case.data)}, headers={"Prefer": "wait=60"}
        )
        verdict = judge_answer(answer)
    except httpx.TimeoutException:
        verdict = "HUNG: no answer"
    except httpx.HTTPError as error:
        verdict = f"CRASHED: {error!r}"
    return Outcome(case.number, case.format, case.mutation, verdict, time.monotonic() - started)


def judge_answer(answer: httpx.Response) -> str:
    """As `judge`, of an answer over HTTP."""
    if answer.status_code == 200:
        return "accepted"
    if answer.status_code == 202:
        return "HUNG: 202 after a minute"
    if answer.headers.get("content-type") != "application/problem+json":
        return f"NO PROBLEM: {answer.status_code}"
    document = answer.json()
    kind = str(document["type"]).rsplit(":", 1)[-1]
    known = KINDS.get(kind)
    if known is None or not 400 <= answer.status_code < 500:
        return f"OURS: {answer.status_code} {kind}"
    return kind


def lasting_processes(server: int) -> dict[int, str]:
    """The lasting processes of a service: what they are, by process id."""
    names = {pid: role(pid) for pid in [server, *descendants(server)]}
    return {pid: name for pid, name in names.items() if name}


def _ask_schemathesis(url: str, seed: int, examples: int) -> str:
    """How many requests it made and was content with, after FAILED where it is not with all."""
    command = [str(_ST), "run", f"{url}/openapi.json", "--seed", str(seed)]
    command += ["--max-examples", str(examples), "--request-timeout", "30", "--no-color"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,"
    checks += "response_headers_conformance,response_schema_conformance,negative_data_rejection"
    run = subprocess.run(
        [*command, "--checks", checks], capture_output=True, text=True, check=False
    )
    if run.returncode:
        Console().print(run.stdout[-8000:] + run.stderr[-2000:], markup=False)
    counts = re.search(r"Test cases:\s+(.+)", run.stdout)
    said = counts[1] if counts else "it came to no end"
    return said if run.returncode == 0 else f"FAILED: {said}"


# The report


def _report(straight: Facts, live: Facts, files: int, seed: int) -> str:
    lines = [
        "# Damaged files",
        "",
        f"{files} files, `--seed {seed}`; seeds are clips of {_FRAMES} frames of {_SIDE} pixels. "
        "Accepted is what can be read all the same.",
        "",
        describe(),
        "",
        f"## Straight to the decoder in its sandbox, or to the reader of tracks: "
        f"{straight.seconds:.0f} s",
        "",
        *_table(straight.outcomes),
        "",
        *_health(straight),
        "",
        f"## Through POST /classify or POST /timelines, with a worker: {live.seconds:.0f} s",
        "",
        *_table(live.outcomes),
        "",
        *_health(live),
        f"- every route, by schemathesis: {live.schema or 'not asked'}",
        "",
    ]
    return "\n".join(lines)


def _table(outcomes: Iterable[Outcome]) -> list[str]:
    rows: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        rows[outcome.format, outcome.mutation].append(outcome)
        rows["all", ""].append(outcome)
    lines = [
        "| format | damage | tried | accepted | refused, by kind | decoder died, confined "
        "| crashed | hung | longest s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    order = ("all", *FORMATS)
    for (format, mutation), row in sorted(rows.items(), key=lambda each: order.index(each[0][0])):
        kinds = Counter(outcome.verdict for outcome in row if not outcome.bad)
        accepted, died = kinds.pop("accepted", 0), kinds.pop(_DIED, 0)
        refused = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        hung = sum(outcome.verdict.startswith("HUNG") for outcome in row)
        crashed = sum(outcome.bad for outcome in row) - hung
        longest = max(outcome.seconds for outcome in row)
        numbers = f"{died} | {crashed} | {hung} | {longest:.1f}"
        lines.append(f"| {format} | {mutation} | {len(row)} | {accepted} | {refused} | {numbers} |")
    return lines


def _health(facts: Facts) -> list[str]:
    grown = ", ".join(f"{name} {mb:+.0f} MB" for name, mb in facts.grown_mb.items())
    worst = [
        f"    - {each.number} ({each.format}, {each.mutation}): {each.verdict}"
        for each in facts.bad
    ]
    return [
        f"- processes that should live and died: {facts.deaths}",
        f"- files left behind: {facts.left}",
        f"- memory since the first tenth: {grown}",
        f"- a good clip afterwards: {'answered' if facts.good_after else 'NOT ANSWERED'}",
        f"- neither answered nor refused as they must be: {len(facts.bad)}",
        *worst,
    ]


def _show(case: Case) -> None:
    path = Path(f"case-{case.number}.{case.format}")
    with tempfile.TemporaryDirectory() as folder:
        outcome = _tried(case, Path(folder) / "file", Sandbox())
    path.write_bytes(case.data)
    Console().print(f"{path}: {case.mutation}, {len(case.data)} bytes; {outcome.verdict}")


if __name__ == "__main__":
    main()
