"""Trokens' class splits (`few_shot_info`) of the tiny copies, which are those that TRX hands on."""

import csv
from pathlib import Path


def add_trokens(root: Path, splits: str, table: str) -> None:
    """Write the table of all clips beside a copy that has the folder `splits`/`splits`."""
    paths = {path.stem: path.relative_to(root).as_posix() for path in root.rglob("*.*")}
    (root / "few_shot_info").mkdir()
    with (root / "few_shot_info" / table).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("vid_base_path", "label_id", "split"))
        numbers: dict[str, int] = {}
        for part in ("train", "val", "test"):
            listed = (root / "splits" / splits / f"{part}list03.txt").read_text(encoding="utf-8")
            for line in listed.splitlines():
                label, _, name = line.partition("/")
                rows.writerow((paths[name], numbers.setdefault(label, len(numbers)), part))
