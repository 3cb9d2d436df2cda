"""Kill, freeze and fill whatever there is: is a job ever lost, done twice, or mixed up?

    make chaos          or: unshare --map-root-user --net --mount python -m benchmarks.chaos

Runs API, two workers, deliverer, broker and cache as processes, with two small disks, in a network
and a mount namespace of their own. Each case hits one process at one moment of a job (known by what
Redis is told, so nothing in the service knows of this), or does something worse. After it, every
clip that was accepted must have ended as when nothing happens, and everything must be as before.
Prints a table and files it under `results/`; exits 1 where something was not so.

`--seed` and `--minutes` are of the choices; `--only WORDS` runs the cases whose name has them.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.chaos.cases import Case, Scene, cases
from benchmarks.chaos.judge import Remains, Row, grown, judge
from benchmarks.chaos.stack import PUBLIC, VISIBLE_AGAIN_S, WORKERS, Stack, wait_for
from benchmarks.chaos.witness import Witness, receiving
from benchmarks.machine import describe, write
from benchmarks.scale import some_clips
from workers.outbox import LEASE_S

_CLIPS = 6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--only", default="")
    choices = parser.parse_args()
    wanted = [case for case in cases(choices.minutes) if choices.only in case.name]
    out = Console(width=120)
    _own_network()
    with tempfile.TemporaryDirectory(prefix="pointaction-chaos-") as folder:
        clips, kind = some_clips(_CLIPS, Path(folder))
        with (
            _stderr_to(Path(tempfile.gettempdir()) / "pointaction-chaos.log"),
            receiving() as hooks,
            Stack(Path(folder) / "disk", hooks=hooks.url.split("/")[2]) as stack,
            Witness(stack.url, stack.broker, clips, hooks.url) as witness,
        ):
            scene = Scene(stack, witness, hooks, random.Random(choices.seed))
            before = _undisturbed(scene)
            rows = []
            for case in wanted:
                rows.append(_try(case, scene))
                out.print(_line(rows[-1]), highlight=False)
            end = _end(scene)
            after = Remains.of(stack)
            text = _report(rows, before, after, end, witness, choices, kind)
    out.print(Markdown(text))
    faults = not all(row.well for row in rows) or any(end.values()) or bool(grown(before, after))
    if not choices.only:
        out.print(f"written to {write('chaos', text).name}")
    sys.exit(int(faults))


def _own_network() -> None:
    """A network of nobody else's, in which this machine has an address that is public."""
    if subprocess.run(["ip", "route"], check=True, capture_output=True).stdout:
        sys.exit("start it as `unshare --map-root-user --net --mount ...`: it mounts and unplugs")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", f"{PUBLIC}/32", "dev", "lo"], check=True)


@contextmanager
def _stderr_to(path: Path) -> Iterator[None]:
    """Of this process and of those that it starts."""
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)


def _undisturbed(scene: Scene) -> Remains:
    """Have every clip answered twice, by whichever worker; what they take up then."""
    if not scene.stack.await_whole():
        sys.exit("the service did not start")
    for _ in range(2):
        scene.stack.cache.flushall()
        for clip in range(_CLIPS):
            scene.witness.send(clip)
        if not scene.witness.settled():
            sys.exit("the service does not answer even if left alone")
    scene.witness.learn()
    return Remains.of(scene.stack)


def _try(case: Case, scene: Scene) -> Row:
    start, before = time.monotonic(), len(scene.witness.sendings)
    hit = case.run(scene)
    scene.witness.settled(before)
    return judge(
        case,
        scene.witness,
        scene.witness.sendings[before:],
        whole=scene.stack.await_whole(),
        seconds=time.monotonic() - start,
        hit=hit,
    )


def _end(scene: Scene) -> dict[str, int]:
    """What is still amiss when every delay that there may be is over."""
    stack, told = scene.stack, scene.hooks.told
    jobs = {each.job: each.end.get("state") for each in scene.witness.sendings if each.job}

    def untold() -> int:
        return sum(job not in told for job in jobs)

    stack.age_uploads()
    # A message of a worker that was killed comes back so late, a webhook of a sender likewise.
    wait_for(lambda: not stack.unsettled() and not untold(), LEASE_S + 2 * VISIBLE_AGAIN_S)
    stack.await_whole()
    said = {job: told.get(job, []) for job in jobs}
    return {
        "jobs whose end was not told": untold(),
        "jobs told of under several ids": sum(len(dict(each)) > 1 for each in said.values()),
        "jobs told of in another state": sum(
            state != jobs[job] for job, each in said.items() for _, state in each
        ),
        "answers that were a fault of ours": scene.witness.refusals[500],
        "messages left in the queue": stack.left(),
        "messages left unsettled": stack.unsettled(),
    }


def _line(row: Row) -> str:
    counts = (row.sent, row.accepted, row.ended, row.lost, row.doubled, row.mixed_up, row.backwards)
    faults = ("" if row.hit else ", never hit") + ("" if row.whole else ", not whole again")
    return f"| {row.name}{faults} | {' | '.join(map(str, counts))} | {row.seconds:.1f} |"


def _report(
    rows: list[Row],
    before: Remains,
    after: Remains,
    end: dict[str, int],
    witness: Witness,
    choices: argparse.Namespace,
    kind: str,
) -> str:
    jobs = sum(row.accepted for row in rows)
    refused = ", ".join(f"{status}: {count}" for status, count in sorted(witness.refusals.items()))
    lines = [
        "# Chaos",
        "",
        describe(),
        f"- {_CLIPS} {kind}; 1 API, {WORKERS} workers, seed {choices.seed}",
        "",
        f"{len(rows)} cases, {sum(not row.well for row in rows)} of them amiss; {jobs} jobs.",
        "",
        "| case | sent | accepted | ended | lost | doubled | mixed up | backwards | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(_line, rows),
        "",
        "| at the end | |",
        "|---|---|",
        *(f"| {what} | {count} |" for what, count in end.items()),
        f"| files, before and after | {before.files}, {after.files} |",
        *(
            f"| {role}: processes, descriptors, MiB | {before.processes[role]}, "
            f"{before.descriptors[role]}, {before.memory[role]:.0f} before; "
            f"{after.processes[role]}, {after.descriptors[role]}, {after.memory[role]:.0f} after |"
            for role in before.processes
        ),
        f"| answers that accepted nothing, by status | {refused or 'none'} |",
        "",
        *(f"Grown: {what}" for what in grown(before, after)),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
