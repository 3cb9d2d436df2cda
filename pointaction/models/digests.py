"""Files that have to be the ones they are said to be. Needs no torch."""

import hashlib
from pathlib import Path

from pointaction.errors import DamagedWeights


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, sha256: str, *, source: str, again: tuple[str, str]) -> None:
    """DamagedWeights unless the file is there and has the digest that `source` gives for it.

    again: what to do where it is missing, and where it is another.
    """
    try:
        found = digest(path)
    except FileNotFoundError:
        raise DamagedWeights(f"{path} is missing; {again[0]}") from None
    if found != sha256:
        raise DamagedWeights(
            f"{path} has digest {found[:12]}, {source} says {sha256[:12]}; {again[1]}",
            limit=sha256,
            value=found,
        )
