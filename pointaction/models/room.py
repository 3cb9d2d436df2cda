"""Room on the disk: what is told where there is none. Needs no torch."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pointaction.errors import InputError, LimitExceeded

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """While `path` is written. Where the disk is full it goes, and InputError says so."""
    try:
        yield
    except Exception as error:
        if not is_full(error):
            raise
        path.unlink(missing_ok=True)
        raise InputError(
            f"no space is left for {path}; make room and call again, or give --store a folder on "
            "another disk"
        ) from error


def expect_room(path: Path, size: int) -> None:
    """LimitExceeded unless so many bytes more can be written beside `path`."""
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise LimitExceeded(
            f"{size / 1e6:,.0f} MB are to be written to {path.parent}, where {free / 1e6:,.0f} MB "
            "are free; make room, or give --store a folder on another disk",
            limit=free,
            value=size,
        )


def is_full(error: Exception) -> bool:
    """Whether the disk is full; safetensors tells it in words alone."""
    return getattr(error, "errno", None) in _FULL or f"(os error {errno.ENOSPC})" in str(error)
