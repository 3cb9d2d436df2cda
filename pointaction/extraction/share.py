"""A share of a source, for one of several commands that fill a store side by side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pointaction.errors import InputError

T = TypeVar("T")
SHARDS = "shard"  # what those of a store are called, with their numbers


@dataclass(frozen=True, slots=True)
class Share:
    """The `number`-th of `of` shares: every `of`-th clip, so that each goes through all of the
    source. Raises InputError where there is no such share.
    """

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise InputError(f"shares of {self.of} are 1 to {self.of}, not {self.number}")

    @classmethod
    def from_text(cls, text: str) -> "Share":
        """2/8: the second of eight."""
        found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        if not found:
            raise InputError(f"a share is said as 2/8, the second of eight, not as {text!r}")
        return cls(int(found[1]), int(found[2]))

    def take(self, clips: Sequence[T]) -> Sequence[T]:
        """The clips of this share, in their order."""
        return clips[self.number - 1 :: self.of]

    def name(self, name: str) -> str:
        """That of its shards, where those of the whole are called `name`."""
        return name if self == ALL else f"{name}-{self.number}-of-{self.of}"


ALL = Share()
