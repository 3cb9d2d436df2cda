"""When a file is another than before: for caches of what was read from it."""

from pathlib import Path


def stamp(path: Path) -> tuple[int, int, int]:
    """Changes with the file, be it written or replaced. Raises OSError where there is none."""
    told = path.stat()
    return told.st_mtime_ns, told.st_size, told.st_ino
