"""What a run tells while it goes on: `losses.csv`, and TensorBoard events beside it."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self


class LogBook:
    """One row and one event per step; rows of steps that are to be done again are dropped.

    A row is on its way to the disk before the next step begins, and numbers are written with all
    their digits, so that two runs can be compared bit for bit.
    """

    def __init__(self, folder: Path, *, start: int) -> None:
        """Go on in `folder` after step `start`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "losses.csv"
        _keep(self.path, start)
        self.events = _events(folder / "tensorboard", start)

    def write(self, step: int, measures: dict[str, float]) -> None:
        """Note what was measured in `step`; every step has the same names."""
        with self.path.open("a") as file:
            if not file.tell():
                file.write(",".join(["step", *measures]) + "\n")
            file.write(",".join([str(step), *map(repr, measures.values())]) + "\n")
        if self.events:
            for name, value in measures.items():
                self.events.add_scalar(name, value, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.events:
            self.events.close()


def _keep(path: Path, start: int) -> None:
    """Cut the file after the row of step `start`, or where a row was not written to its end."""
    if not path.exists():
        return
    header, *rows = path.read_text().splitlines(keepends=True) or [""]
    kept = [row for row in rows if row.endswith("\n") and int(row.split(",")[0]) <= start]
    path.write_text("".join([header, *kept]) if kept else "")


def _events(folder: Path, start: int) -> Any:
    """A TensorBoard writer, or None where TensorBoard is not installed: a bare GPU machine is to
    train all the same, and losses.csv holds everything.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder, purge_step=start + 1)
