"""The machine that something is measured on: what it is, and what runs on it."""

from datetime import UTC, datetime
from pathlib import Path

from pointaction.evaluation.report import circumstances

RESULTS = Path(__file__).parent / "results"


def describe() -> str:
    """Command, machine, software, commit and date, one line each."""
    return "\n".join(f"- {name}: {fact}" for name, fact in circumstances().items())


def descendants(root: int) -> list[int]:
    """Process ids of a process's children, their children, and so on."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found[1:]


def write(name: str, text: str) -> Path:
    """File a result under its date."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{name}.md"
    path.write_text(text, encoding="utf-8")
    return path
