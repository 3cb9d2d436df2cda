"""When a file is another than before, and what was read from those that are not."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

Told = TypeVar("Told")
Stamp = tuple[int, int, int]

_FILES = 256  # of a model store: some for each model


def stamp(path: Path) -> Stamp:
    """Changes with the file, be it written or replaced. Raises OSError where there is none."""
    told = path.stat()
    return told.st_mtime_ns, told.st_size, told.st_ino


def told_by(path: Path, read: Callable[[Path], Told]) -> Told:
    """`read(path)`, done again once the file has changed: a service asks with every request.

    The answer is everybody's, so nobody may change it. Raises OSError, and what `read` does.
    """
    return cast(Told, _read(path, stamp(path), read))


@lru_cache(maxsize=_FILES)
def _read(path: Path, stamp: Stamp, read: Callable[[Path], object]) -> object:
    return read(path)
