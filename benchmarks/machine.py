"""The machine that something is measured on: what it is, and what runs on it."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pointaction.evaluation.report import circumstances

RESULTS = Path(__file__).parent / "results"

Role = Literal["api", "broker", "cache", "decoder", "deliverer", "worker"]
# By what a process of a service is known, in the order in which to look.
_KNOWN_BY: dict[str, Role] = {
    "broker.sock": "broker",
    "cache.sock": "cache",
    "sandbox_child": "decoder",
    "workers.deliverer": "deliverer",
    "workers.launch": "worker",
    "service.launch": "api",
    "pointaction serve": "api",
    "multiprocessing": "api",  # one of several
}


def describe() -> str:
    """Command, machine, software, commit and date, one line each."""
    return "\n".join(f"- {name}: {fact}" for name, fact in circumstances().items())


def descendants(root: int) -> list[int]:
    """Process ids of a process's children, their children, and so on."""
    found = [root]
    for pid in found:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            for task in [*Path(f"/proc/{pid}/task").iterdir()]:
                found += _children(task)
    return found[1:]


def _children(task: Path) -> list[int]:
    try:
        return [int(child) for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # a thread that has ended, in one that has not
        return []


def role(pid: int) -> Role | None:
    """What a process of a service is there for; None of any other, and of one that has ended."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    told = command.replace("\0", " ")
    return next((role for word, role in _KNOWN_BY.items() if word in told), None)


def write(name: str, text: str) -> Path:
    """File a result under its date."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{name}.md"
    path.write_text(text, encoding="utf-8")
    return path
