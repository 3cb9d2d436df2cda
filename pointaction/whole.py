"""Files that are there as a whole or not at all. Needs no torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place at the end if nothing went wrong.

    Whoever reads meanwhile sees the old file or the new one.
    """
    part = path.with_suffix(".part")
    yield part
    part.replace(path)
