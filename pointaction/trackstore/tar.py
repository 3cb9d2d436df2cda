"""Tar files of which equal members make equal bytes: no times, no owners, no links.

512 bytes   a member's header (ustar)
its bytes   then zeros up to a multiple of 512
...
1024 zeros  the end
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

BLOCK = 512
END = bytes(2 * BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    name: str
    offset: int  # of its bytes, in the file
    length: int

    @property
    def end(self) -> int:
        """Where the next member begins."""
        return self.offset + -(-self.length // BLOCK) * BLOCK


def packed(name: str, data: bytes) -> bytes:
    """One member as it lies in a tar file; `name` has at most 100 ASCII characters."""
    header = tarfile.TarInfo(name)
    header.size = len(data)
    header.mode = 0o644
    header.mtime = 0
    return header.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)


def members(file: IO[bytes], length: int) -> Iterator[Member]:
    """The members that are wholly there in the first `length` bytes, until one is not."""
    offset = 0
    while offset + BLOCK <= length:
        file.seek(offset)
        try:
            header = tarfile.TarInfo.frombuf(file.read(BLOCK), "ascii", "strict")
        except (tarfile.HeaderError, ValueError):  # the end, or what was never finished
            return
        member = Member(name=header.name, offset=offset + BLOCK, length=header.size)
        if not header.isreg() or member.end > length:
            return
        yield member
        offset = member.end
