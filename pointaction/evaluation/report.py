"""What was measured, filed so that it can be repeated: a table, and all that it depends on.

Every report is written twice, as Markdown for people and as JSON with the same figures unrounded.
"""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Cell = Any
"""Text, a number, None for what was not measured, or a record whose str() is fit for a table."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows by name; a row's cells stand in the order of the columns."""

    corner: str  # what the rows are
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[Cell, ...]]

    def markdown(self) -> str:
        lines = [(self.corner, *self.columns), ("---",) * (1 + len(self.columns))]
        lines += [(name, *map(_text, cells)) for name, cells in self.rows.items()]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def plain(self) -> dict[str, dict[str, Any]]:
        """Row, then column, then the figure."""
        return {
            name: dict(zip(self.columns, map(_plain, cells), strict=True))
            for name, cells in self.rows.items()
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """One measurement under one set of conditions."""

    title: str
    conditions: dict[str, str | int]  # data, counts, seeds: what the figures depend on
    tables: dict[str, Table]  # by caption
    circumstances: dict[str, str] = field(default_factory=lambda: circumstances())

    def markdown(self) -> str:
        facts = self.circumstances | self.conditions
        parts = [f"# {self.title}", "\n".join(f"- {name}: {fact}" for name, fact in facts.items())]
        for caption, table in self.tables.items():
            parts += [f"{caption}:", table.markdown()]
        return "\n\n".join(parts) + "\n"

    def plain(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "circumstances": self.circumstances,
            "conditions": self.conditions,
            "tables": {caption: table.plain() for caption, table in self.tables.items()},
        }

    def write(self, folder: Path, name: str) -> Path:
        """File as DATE-name.md and DATE-name.json in `folder`; returns the Markdown's path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{datetime.now(UTC):%Y-%m-%d}-{name}.md"
        path.write_text(self.markdown(), encoding="utf-8")
        figures = json.dumps(self.plain(), indent=2, ensure_ascii=False) + "\n"
        path.with_suffix(".json").write_text(figures, encoding="utf-8")
        return path


def circumstances() -> dict[str, str]:
    """Command, machine, software, commit and date of what is running now."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    path = Path(sys.argv[0])
    program = path.parent.name if path.stem == "__main__" else path.name
    return {
        "command": shlex.join([program, *sys.argv[1:]]),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        "software": f"Python {platform.python_version()}, {platform.system()}",
        "commit": _commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _commit() -> str:
    """The commit that is checked out here, and whether files differ from it."""
    ask = ["git", "describe", "--always", "--dirty= with changes", "--exclude=*"]
    told = subprocess.run(ask, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


def _plain(cell: Cell) -> Any:
    return asdict(cell) if is_dataclass(cell) and not isinstance(cell, type) else cell
