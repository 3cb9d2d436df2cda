"""What one reading of a file's packets has found, so that no other need follow."""

from dataclasses import dataclass
from typing import Any

from pointaction.clip import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamps:
    """How the time stamps of a file's frames are to be read."""

    first_pts: int  # of the frame that is shown first
    last_s: float  # when the last is shown, seconds since the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """What a file holds, and how its stamps are read."""

    source: Source
    stamps: Stamps | None  # None: its frames carry no time of their own

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Surveyed":
        """What `asdict` made of one."""
        stamps = told["stamps"]
        return cls(source=Source(**told["source"]), stamps=Stamps(**stamps) if stamps else None)
