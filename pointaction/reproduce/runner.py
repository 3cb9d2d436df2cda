"""Carries out the steps of a recipe: commands of `pointaction`, one after another, each once.

OUT/stores, OUT/runs    what the steps make; recipes that need the same share it
OUT/steps/DIGEST.json   a step that is done, by its command
OUT/figures/NAME.json   what a recipe has measured
"""

import fcntl
import hashlib
import json
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pointaction.errors import InputError
from pointaction.whole import written_whole

Call = Callable[[Sequence[str]], int]
"""Runs a command, told by its words, and returns its exit status."""

Told = Callable[[int, Sequence[str], bool], None]
"""Told of each step: its number, its command, and whether it has been done before."""

_CLIPS_FAILED = 1  # the exit status of an extraction whose store lacks some clips


def carry_out(steps: Sequence[Sequence[str]], out: Path, call: Call, told: Told) -> None:
    """Do the steps that are not done yet. Call again to go on after an interruption.

    Raises InputError for a step that fails, and while another process works in `out`.
    """
    with _alone(out):
        for number, words in enumerate(steps, 1):
            marker = marker_of(out, words)
            told(number, words, marker.exists())
            if marker.exists():
                continue
            began = time.monotonic()
            status = call(words)
            if words[0] == "extract" and status == _CLIPS_FAILED:
                continue  # without them, and the next call tries them again
            if status:
                raise InputError(f"step {number} failed: {command(words)}", value=status)
            _mark(marker, words, time.monotonic() - began)


def marker_of(out: Path, words: Sequence[str]) -> Path:
    """The file that says that a step is done."""
    return out / "steps" / f"{hashlib.sha256(command(words).encode()).hexdigest()[:24]}.json"


def command(words: Sequence[str]) -> str:
    """What to type."""
    return f"pointaction {shlex.join(words)}"


def in_this_process(words: Sequence[str]) -> int:
    """A `Call`; InputError where the command does not understand its words."""
    import typer

    from pointaction.cli import app

    misunderstood: Any = typer.BadParameter.__base__  # click's own, wherever typer has it from
    try:
        done = typer.main.get_command(app).main(
            args=list(words), prog_name="pointaction", standalone_mode=False
        )
    except misunderstood as error:
        raise InputError(f"{command(words)}: {error.format_message()}") from error
    return done if isinstance(done, int) else 0


def _mark(marker: Path, words: Sequence[str], seconds: float) -> None:
    marker.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "command": command(words),
        "seconds": round(seconds, 1),
        "finished": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }
    with written_whole(marker) as part:
        part.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Two recipes at once would make the same store twice."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = (out / "reproduce.lock").open("w")
    except OSError as error:
        raise InputError(f"{out} cannot be written to: {error.strerror}; choose --out") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another recipe is at work in {out}; wait for it, or give another --out"
            ) from None
        yield
